"""dinamap_pro1000 against real blocks and blocks made by the same rules."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from agent.lab.voices.dinamap_pro1000 import crc as crc_by_bits
from agent.lab.voices.dinamap_pro1000 import packed
from drivers.contract import Alarm, Counts, Mark, Output, Phase, Wave
from drivers.devices import dinamap_pro1000
from drivers.devices.dinamap_pro1000 import CH1, ECG, RECORD, RESP, DinamapPro1000

QUOTED = bytes.fromhex("000e600006019c7f1fc7f1fc000000f609ff")


def corpus(folder: str) -> Path:
    root = os.environ.get("WARDLINK_CORPUS")
    if not root or not (Path(root) / folder).is_dir():
        pytest.skip(f"corpus {folder} is missing: set WARDLINK_CORPUS")
    return Path(root) / folder


def block(seq: int, status: int = 0, ecg: tuple[int, int, int, int] = (508,) * 4, resp: int = 400) -> bytes:
    body = bytes([status]) + packed(384, 0, 384, resp) + packed(*ecg) + bytes([seq, 1, 2])
    check = crc_by_bits(body)
    return bytes([seq]) + body + bytes([check, check ^ 0xFF, seq ^ 0xFF])


def heard(data: bytes) -> tuple[list[Output], DinamapPro1000]:
    driver = DinamapPro1000()
    return list(driver.on_bytes(data, 0)), driver


def waves(said: Iterable[Output], channel: str) -> list[Wave]:
    return [output for output in said if isinstance(output, Wave) and output.channel == channel]


def test_the_block_quoted_from_a_real_monitor() -> None:
    said, driver = heard(QUOTED)
    assert driver.counts == Counts(frames=1)
    assert waves(said, ECG)[0].samples == (508, 508, 508, 508)
    assert waves(said, RESP)[0].samples == (412,)
    assert [waves(said, channel)[0].samples for channel in CH1] == [(384,), (0,), (384,)]
    assert waves(said, RECORD)[0].samples == (0, 0, 0)


def test_both_ways_of_the_crc_agree() -> None:
    assert dinamap_pro1000.crc(bytes(range(256))) == crc_by_bits(bytes(range(256)))
    assert dinamap_pro1000.crc(QUOTED[1:15]) == QUOTED[15]


def test_unpacking_keeps_ten_bits_of_each() -> None:
    assert dinamap_pro1000.unpack(packed(1023, 0, 682, 341)) == (1023, 0, 682, 341)


def test_every_single_bit_flipped_is_refused() -> None:
    good = block(7)
    for bit in range(len(good) * 8):
        hurt = bytearray(good)
        hurt[bit // 8] ^= 1 << bit % 8
        said, driver = heard(block(6) + bytes(hurt) + block(8))
        assert driver.counts.frames == 2, f"bit {bit}"
        assert (driver.counts.bad, driver.counts.skipped) == (1, 18), f"bit {bit}"
        assert [wave.first for wave in waves(said, ECG)] == [24, 32]


def test_a_lost_byte_costs_one_block() -> None:
    said, driver = heard(block(6) + block(7)[:-1] + block(8))
    assert driver.counts == Counts(frames=2, bad=1, skipped=17, reasons={"sequence": 1})
    assert len(waves(said, ECG)) == 2


def test_coming_in_mid_block_is_skipped_not_bad() -> None:
    _, driver = heard(block(6)[5:] + block(7) + block(8)[:10])
    assert driver.counts == Counts(frames=1, skipped=13)
    assert driver.pending() == 10


def test_the_counter_shows_lost_blocks_and_wraps() -> None:
    said, _ = heard(block(198) + block(199) + block(0) + block(5))
    assert [(w.first, w.wraps, len(w.samples)) for w in waves(said, ECG)] == [(792, 800, 12), (20, 800, 4)]
    assert [(w.first, w.wraps, len(w.samples)) for w in waves(said, RESP)] == [(198, 200, 3), (5, 200, 1)]
    assert [(w.first, w.wraps, len(w.samples)) for w in waves(said, RECORD)] == [(594, 600, 9), (15, 600, 3)]


def test_beats_breaths_and_spikes_are_marked() -> None:
    said, _ = heard(block(1, 0x02) + block(2, 0x04, ecg=(508, 1001, 1000, 1022)) + block(3, 0x0C))
    (ecg,), (resp,) = waves(said, ECG), waves(said, RESP)
    assert ecg.marks == (Mark(4, "qrs"), Mark(5, "pace"), Mark(7, "pace"))
    assert ecg.samples[4:8] == (508, 1001, 1000, 1022)
    assert resp.marks == (Mark(2, "breath"),)


def test_a_change_across_a_hole_is_no_beat() -> None:
    said, _ = heard(block(1, 0x02) + block(9, 0x04))
    assert all(not wave.marks for wave in waves(said, ECG))


def test_alarms_are_relayed_on_change() -> None:
    said, _ = heard(block(1) + block(2, 0x20) + block(3, 0x60) + block(4, 0x40) + block(5))
    assert [alarm for alarm in said if isinstance(alarm, Alarm)] == [
        Alarm("warning", "WARNING", "unknown", Phase.ON),
        Alarm("crisis", "CRISIS", "unknown", Phase.ON),
        Alarm("warning", "WARNING", "unknown", Phase.OFF),
        Alarm("crisis", "CRISIS", "unknown", Phase.OFF),
    ]


def test_real_recording() -> None:
    lines = (corpus("dinamap_pro1000_native") / "dinamap_blocks_0000_0799.txt").read_text(encoding="ascii")
    said, driver = heard(bytes.fromhex(lines))
    assert driver.counts == Counts(frames=800)
    assert [len(wave.samples) for wave in waves(said, ECG)] == [3200]
    (record,) = waves(said, RECORD)
    assert {record.samples[at : at + 3] for at in range(150, 2400, 150)} == {(0x14, 0x01, 0x0C)}
    (resp,) = waves(said, RESP)
    assert max(abs(b - a) for a, b in zip(resp.samples, resp.samples[1:], strict=False)) < 40
    assert sum(mark.kind == "qrs" for mark in waves(said, ECG)[0].marks) == 15
