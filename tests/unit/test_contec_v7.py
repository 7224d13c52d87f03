"""contec_v7 against real bytes and against packets made by the rules of the protocol."""

import os
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.capture import play
from drivers.contract import Counts, Identity, Mark, Numeric, Output, Phase, Send, Status, Wave, Why
from drivers.devices import contec_v7
from drivers.devices.contec_v7 import ContecV7, command

SECOND_NS = 1_000_000_000
START, ALIVE = command(0xA1), command(0xAF)


def corpus(folder: str) -> Path:
    root = os.environ.get("WARDLINK_CORPUS")
    if not root or not (Path(root) / folder).is_dir():
        pytest.skip(f"corpus {folder} is missing: set WARDLINK_CORPUS")
    return Path(root) / folder


def packet(kind: int, *data: int) -> bytes:
    high = sum((value >> 7) << at for at, value in enumerate(data))
    return bytes([kind, 0x80 | high, *(value | 0x80 for value in data)])


def frame(d0: int = 5, d1: int = 50, d2: int = 6, pr: int = 65, spo2: int = 97, pi: int = 120) -> bytes:
    return packet(1, d0, d1, d2, pr, spo2, pi & 0xFF, pi >> 8)


def heard(*chunks: bytes) -> list[Output]:
    driver = ContecV7()
    return [output for data in chunks for output in driver.on_bytes(data, 0)]


def numerics(said: Iterable[Output]) -> dict[str, Numeric]:
    """The last numeric of each channel."""
    return {output.channel: output for output in said if isinstance(output, Numeric)}


def waves(said: Iterable[Output], channel: str) -> list[Wave]:
    return [output for output in said if isinstance(output, Wave) and output.channel == channel]


def test_frame_quoted_from_a_cms50dplus() -> None:
    said = heard(bytes.fromhex("01E085B396C1E1FFFF"))
    told = numerics(said)
    assert told["spo2.pr"].value == 65
    assert told["spo2"].value == 97
    assert told["spo2.perf_index"] == Numeric("spo2.perf_index", None, "%", Why.INVALID)
    assert [wave.samples for wave in waves(said, "pleth")] == [(51,)]
    assert [wave.samples for wave in waves(said, "spo2.bar")] == [(6,)]
    assert [wave.samples for wave in waves(said, "spo2.signal")] == [(5,)]


def test_probe_off_is_absent_and_marked_not_zero() -> None:
    said = heard(bytes.fromhex("01E994C095FFFFFFFF"))
    assert {n.why for n in numerics(said).values()} == {Why.SENSOR_OFF}
    assert all(n.value is None for n in numerics(said).values())
    (pleth,) = waves(said, "pleth")
    assert pleth.samples == (64,)
    assert Mark(0, "sensor-off") in pleth.marks
    assert Status("probe-error", Phase.ON) in said


def test_numbers_left_standing_while_the_probe_is_off_are_not_readings() -> None:
    assert numerics(heard(frame(d0=0x85)))["spo2"] == Numeric("spo2", None, "%", Why.SENSOR_OFF)


def test_searching_with_and_without_a_number() -> None:
    told = numerics(heard(frame(d1=0x80, pr=255, spo2=127, pi=0xFFFF)))
    assert {n.why for n in told.values()} == {Why.SEARCHING}
    assert numerics(heard(frame(d1=0x80)))["spo2.pr"] == Numeric("spo2.pr", 65, "/min", Why.SEARCHING)


def test_zero_pulse_is_a_reading() -> None:
    assert numerics(heard(frame(pr=0)))["spo2.pr"] == Numeric("spo2.pr", 0, "/min")


@pytest.mark.parametrize(("raw", "value"), [(120, "1.20"), (7, "0.07"), (2000, "20.00"), (0, "0.00")])
def test_perfusion_index_keeps_its_digits(raw: int, value: str) -> None:
    got = numerics(heard(frame(pi=raw)))["spo2.perf_index"].value
    assert got == Decimal(value)
    assert str(got) == value


def test_perfusion_index_is_not_supported_where_the_device_says_so() -> None:
    assert numerics(heard(packet(0x0E, 1), frame()))["spo2.perf_index"].why is Why.NOT_SUPPORTED


def test_a_pulse_rate_above_127_uses_its_high_bit() -> None:
    assert numerics(heard(frame(pr=196)))["spo2.pr"].value == 196


def test_a_beat_is_marked_once_though_the_bit_stands_for_two_frames() -> None:
    said = heard(frame() + frame(d0=0x45), frame(d0=0x45) + frame() + frame(d0=0x45))
    assert [wave.marks for wave in waves(said, "pleth")] == [(Mark(1, "beat"),), (Mark(2, "beat"),)]


def test_one_wave_a_channel_and_chunk() -> None:
    (pleth,) = waves(heard(frame() * 30), "pleth")
    assert len(pleth.samples) == 30


def test_numbers_come_on_change_and_each_60_frames() -> None:
    said = heard(frame() * 100 + frame(spo2=98) + frame(spo2=98) * 80)
    assert [n.value for n in said if isinstance(n, Numeric) and n.channel == "spo2"] == [97, 97, 98, 98, 98]


def test_state_changes_are_told_once_each_way() -> None:
    said = heard(frame(d0=0x35), frame(d0=0x35), frame())
    assert [s for s in said if isinstance(s, Status)] == [
        Status("searching-too-long", Phase.ON),
        Status("low-spo2", Phase.ON, channel="spo2"),
        Status("searching-too-long", Phase.OFF),
        Status("low-spo2", Phase.OFF, channel="spo2"),
    ]


def test_identity_joins_the_parts_of_the_model() -> None:
    said = heard(bytes.fromhex("028080C3CDD3B6B0C30281FFD780808080800380C3EFEEF4E5E3800480A0A0A0F5F3E5F2"))
    assert said[-1] == Identity("Contec", "CMS60CW", "user")


def test_a_model_whose_first_part_was_lost_is_not_told() -> None:
    assert heard(bytes.fromhex("0281FFD78080808080")) == []


def test_stored_records_are_history_not_readings() -> None:
    stored = packet(0x0F, 97, 60, 97, 61, 0, 0) + packet(0x09, 97, 60, 120, 0) + packet(0x12, 0, 0, 1, 2, 3, 0)
    assert heard(stored * 3) == [Status("stored-data", Phase.ON)]


def test_every_type_of_the_table_is_a_frame() -> None:
    driver = ContecV7()
    for kind, size in contec_v7.LENGTH_BYTES.items():
        list(driver.on_bytes(bytes([kind] + [0x80] * (size - 1)), 0))
    assert driver.counts == Counts(frames=len(contec_v7.LENGTH_BYTES))
    assert driver.pending() == 0


def test_a_cut_frame_is_bad_and_costs_no_good_one() -> None:
    driver = ContecV7()
    said = list(driver.on_bytes(frame()[:6] + frame(spo2=91), 0))
    assert numerics(said)["spo2"].value == 91
    assert driver.counts == Counts(frames=1, bad=1, skipped=6, reasons={"cut short": 1})


def test_the_end_of_a_frame_is_skipped_and_an_unknown_type_is_bad() -> None:
    driver = ContecV7()
    list(driver.on_bytes(frame()[4:] + b"\x16\x80\x80" + frame(), 0))
    assert driver.counts == Counts(frames=1, bad=1, skipped=8, reasons={"unknown type": 1})


def test_it_asks_at_once_keeps_alive_and_asks_again_after_silence() -> None:
    driver = ContecV7()
    chunks = [(at * SECOND_NS // 2, frame()) for at in range(1, 13)]
    sent = [(at, out.data) for at, out in play(driver, chunks, 10 * SECOND_NS) if isinstance(out, Send)]
    assert [at for at, data in sent if data == START] == [0, 9 * SECOND_NS + 1]
    assert [at for at, data in sent if data == ALIVE] == [5 * SECOND_NS + 1]


def test_nothing_that_starts_stops_sets_or_erases_a_record_can_be_sent() -> None:
    assert {data[2] for data in ContecV7.info.sends} == {0xA1, 0xA8, 0xA9, 0xAA, 0xAC, 0xAF}


def test_real_recording_of_a_cms60c() -> None:
    data = (corpus("contec_cms60c") / "cms60c_rx_part1.bin").read_bytes()
    driver, kinds = ContecV7(), Counter[int]()
    said = list(driver.on_bytes(data, 0))
    buffer = bytearray(data)
    while buffer:
        found = contec_v7.cut(buffer)
        assert isinstance(found, contec_v7.Frame)
        kinds[found.body[0]] += 1
        del buffer[: found.size]
    assert kinds == {1: 820, 2: 4, 3: 2, 4: 2, 6: 1, 0x0B: 1, 0x0C: 4, 0x0E: 1, 0x11: 2}
    assert driver.counts == Counts(frames=837)
    (pleth,) = waves(said, "pleth")
    assert len(pleth.samples) == 820
    assert sum(mark.kind == "beat" for mark in pleth.marks) == 7


def test_real_answers_of_a_cms50dplus() -> None:
    table = (corpus("contec_cms50dplus_v46") / "command_response_table.txt").read_text(encoding="utf-8")
    driver, said = ContecV7(), []
    for line in table.splitlines():
        words = line.split()
        if words[:2] == ["7D", "81"] or words[:1] == ["01"]:
            answer = words[9:] if words[0] == "7D" else words
            said += driver.on_bytes(bytes.fromhex("".join(answer)), 0)
    assert driver.counts == Counts(frames=18)
    assert numerics(said)["spo2.pr"] == Numeric("spo2.pr", 65, "/min")
    assert [w.samples[0] for w in waves(said, "pleth")] == [51, 48, 46, 44, 43, 42, 42]


def test_an_answer_that_says_nothing_new_is_not_said_again() -> None:
    """A silent oximeter is asked every two seconds, and answers."""
    driver = ContecV7()
    answer = bytes((0x0E, 0x80, 0x80))
    assert [one.code for one in driver.on_bytes(answer, 0) if isinstance(one, Status)] == ["perfusion-index"]
    assert not list(driver.on_bytes(answer, 1))
    changed = list(driver.on_bytes(bytes((0x0E, 0x80, 0x81)), 2))
    assert [(one.code, one.phase) for one in changed if isinstance(one, Status)] == [("perfusion-index", Phase.OFF)]
