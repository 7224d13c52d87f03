"""creative_pc60 against frames its owners quoted and frames made by the rules of the maker's library."""

import json
import os
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.capture import play
from drivers.contract import Ble, Counts, Identity, Mark, Numeric, Output, Phase, Send, Status, Subscribe, Wave, Why
from drivers.devices.creative_pc60 import (
    ASK_WHO,
    NOTIFY,
    NUS,
    STATES_LIMIT_COUNT,
    SWITCH_ON,
    WRITE,
    CreativePc60,
    command,
)

SECOND_NS = 1_000_000_000
NO_FINGER, SEARCHING = 2, 4


def frame(*body: int) -> bytes:
    return command(0x0F, *body)


def numbers(spo2: int = 97, pr: int = 70, pi: int = 45, status: int = 0) -> bytes:
    return frame(1, spo2, pr & 0xFF, pr >> 8, pi, status, 0xC0)


def heard(*chunks: bytes) -> list[Output]:
    driver = CreativePc60()
    return [output for data in chunks for output in driver.on_bytes(data, 0, NOTIFY)]


def numerics(said: Iterable[Output]) -> dict[str, Numeric]:
    return {output.channel: output for output in said if isinstance(output, Numeric)}


@pytest.mark.parametrize(
    ("quoted", "spo2", "pr", "pi"),
    [
        ("AA550F0801603F002D00388C", 96, 63, "4.5"),  # PC-60NW
        ("AA550F08015F470081001878", 95, 71, "12.9"),
        ("AA550F08016140005100C05B", 97, 64, "8.1"),  # PC-60FW
        ("AA550F08016239004400C0E3", 98, 57, "6.8"),
        ("AA550F08015F55005700C0DA", 95, 85, "8.7"),  # KS-60FW
    ],
)
def test_numbers_of_oximeters_as_their_owners_read_them(quoted: str, spo2: int, pr: int, pi: str) -> None:
    told = numerics(heard(bytes.fromhex(quoted)))
    assert told["spo2"] == Numeric("spo2", spo2, "%")
    assert told["spo2.pr"] == Numeric("spo2.pr", pr, "/min")
    assert told["spo2.perf_index"] == Numeric("spo2.perf_index", Decimal(pi), "%")
    assert str(told["spo2.perf_index"].value) == pi


def test_every_whole_frame_of_the_corpus() -> None:
    root = Path(os.environ.get("WARDLINK_CORPUS", "")) / "creative_pc60" / "vectors.json"
    if "WARDLINK_CORPUS" not in os.environ or not root.is_file():
        pytest.skip("corpus creative_pc60 is missing: set WARDLINK_CORPUS")
    for vector in json.loads(root.read_text(encoding="utf-8")):
        expect = vector.get("expect", {})
        if vector["dir"] == "tx":
            assert bytes.fromhex(vector["hex"]) in CreativePc60.info.sends
            continue
        body = bytes.fromhex(vector["hex_no_sync_no_crc"]) if "hex" not in vector else b""
        said = heard(bytes.fromhex(vector["hex"]) if "hex" in vector else command(body[0], *body[2:]))
        if "spo2" in expect:
            told = numerics(said)
            assert (told["spo2"].value, told["spo2.pr"].value) == (expect["spo2"], expect["pr"])
            assert told["spo2.perf_index"].value == Decimal(expect["pi_raw"]) / 10
        elif "wave" in expect:
            assert [output.samples for output in said if isinstance(output, Wave)] == [tuple(expect["wave"])]
        else:
            assert said == [Identity(model=expect["name"], firmware="2.0")]


def test_it_asks_who_at_once_and_switches_on_after_silence() -> None:
    sent = [(at, out) for at, out in play(CreativePc60(), [(SECOND_NS, numbers())], 8 * SECOND_NS)]
    assert sent[: len(ASK_WHO) + 1] == [(0, Subscribe(NOTIFY)), *((0, Send(data, WRITE)) for data in ASK_WHO)]
    asked = [at for at, out in sent if out == Send(SWITCH_ON[0], WRITE)]
    assert asked == [4 * SECOND_NS + 1, 7 * SECOND_NS + 2]


def test_what_it_may_send_asks_or_switches_the_stream_on() -> None:
    assert {data.hex().upper() for data in CreativePc60.info.sends} == {
        "AA55F0028119",
        "AA55F00282FB",
        "AA550F028377",
        "AA550F038401E0",
        "AA550F03850124",
    }


def test_it_is_found_by_name_for_the_uart_is_anybodys() -> None:
    ble = [claim for claim in CreativePc60.info.claims if isinstance(claim, Ble)]
    assert all(claim.service == NUS and claim.name for claim in ble)


def test_no_finger_takes_all_numbers_and_marks_the_pleth() -> None:
    said = heard(numbers(status=NO_FINGER) + frame(2, 1, 2, 3, 4, 0x85))
    assert set(numerics(said).values()) == {
        Numeric("spo2", None, "%", Why.SENSOR_OFF),
        Numeric("spo2.pr", None, "/min", Why.SENSOR_OFF),
        Numeric("spo2.perf_index", None, "%", Why.SENSOR_OFF),
    }
    (pleth,) = (output for output in said if isinstance(output, Wave))
    assert pleth.samples == (1, 2, 3, 4, 5)
    assert pleth.marks == (*(Mark(at, "sensor-off") for at in range(4)), Mark(4, "beat"), Mark(4, "sensor-off"))


def test_a_search_doubts_numbers_and_explains_their_absence() -> None:
    assert numerics(heard(numbers(status=SEARCHING)))["spo2"] == Numeric("spo2", 97, "%", Why.SEARCHING)
    assert numerics(heard(numbers(0, 0, 0, SEARCHING)))["spo2.pr"] == Numeric("spo2.pr", None, "/min", Why.SEARCHING)


def test_zero_is_no_number_here_and_none_is_above_100() -> None:
    assert {n.why for n in numerics(heard(numbers(0, 0, 0))).values()} == {Why.INVALID}
    assert numerics(heard(numbers(spo2=101)))["spo2"] == Numeric("spo2", None, "%", Why.INVALID)
    assert numerics(heard(numbers(spo2=100, pr=300)))["spo2.pr"].value == 300


def test_states_are_told_once_each_way() -> None:
    said = heard(*(numbers(status=status) for status in (0, NO_FINGER, NO_FINGER, SEARCHING, 0)))
    assert [(s.code, s.phase) for s in said if isinstance(s, Status)] == [
        ("probe-off", Phase.ON),
        ("probe-off", Phase.OFF),
        ("searching", Phase.ON),
        ("searching", Phase.OFF),
    ]


def test_the_unread_bits_of_the_last_byte_say_nothing() -> None:
    assert heard(frame(1, 97, 70, 0, 45, 0xF9, 0xFF)) == heard(numbers())


def test_who_it_is_joins_two_answers() -> None:
    said = heard(
        command(0xF0, 1, 0x10, 0x23, 0x11, *b"PC-60FW\0"), command(0xF0, 2, *b"601"), command(0xF0, 2, *b"601")
    )
    assert said == [Identity(model="PC-60FW", firmware="1.0.2.3"), Identity("", "PC-60FW", "601", "1.0.2.3")]


def test_work_and_battery_in_words() -> None:
    said = heard(frame(0x21, 2, 2, 0, 0), frame(0x21, 2, 2, 0, 0), frame(0x21, 1, 3, 98, 88), command(0xF0, 3, 0))
    assert said == [
        Status("work", Phase.ON, "continuous, measuring, 0 0"),
        Status("work", Phase.ON, "spot check, result, 98 88"),
        Status("battery", Phase.ON, "0 of 3"),
    ]


def test_unknown_and_short_frames_are_told_once_and_raw_light_never() -> None:
    assert heard(frame(0x20, 1, 2, 3, 4), frame(0x04, 1), frame(0x05, 1)) == []
    assert heard(frame(0x42, 7), frame(0x42, 8), frame(1, 97, 70)) == [
        Status("frame 0F42", Phase.ON, "07"),
        Status("frame 0F01", Phase.ON, "6146"),
    ]


def test_made_up_kinds_of_frames_do_not_fill_the_memory() -> None:
    said = heard(*(frame(kind, 7) for kind in range(0x40, 0x100)))
    assert len(said) == STATES_LIMIT_COUNT


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (numbers()[:-1] + b"\x01", "crc"),
        (b"\xaa\x55\x51\x05\x01", "unknown token"),
        (b"\xaa\x55\x0f\x01\x01", "length"),
        (b"\xaa\x55\x0f\x41\x01", "length"),
        (numbers()[:5], "crc"),
    ],
)
def test_damage_never_swallows_the_next_frame(broken: bytes, reason: str) -> None:
    driver = CreativePc60()
    said = list(driver.on_bytes(broken + numbers(spo2=91), 0))
    assert numerics(said)["spo2"].value == 91
    assert driver.counts == Counts(1, 1, len(broken), {reason: 1})


def test_no_single_flipped_bit_passes() -> None:
    good = numbers()
    for bit in range(8 * len(good)):
        data = bytearray(good)
        data[bit // 8] ^= 1 << bit % 8
        assert not numerics(heard(bytes(data) + b"\0" * 70))
