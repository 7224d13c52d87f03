"""contec_ble against quoted frames of a CMS50D-BT and frames made by the rules of the maker's library."""

import json
import os
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.capture import play
from drivers.contract import Counts, Identity, Mark, Numeric, Output, Phase, Send, Status, Subscribe, Wave, Why
from drivers.devices.contec_ble import ASK, KEEP_ALIVE, NOTIFY, START, WRITE, ContecBle, command

SECOND_NS = 1_000_000_000
VERSION_11 = bytes.fromhex("F200000202000B01")  # a CMS50E over USB, in pulseoxdl


def pleth(value: int = 40, bar: int = 5, beep: bool = False, out: bool = False) -> bytes:
    return command(0xEB, 0, 3 | beep << 6, value, bar | out << 4)


def numbers(pr: int = 72, spo2: int = 97, pi: int = 45, error: int = 0) -> bytes:
    return command(0xEB, 1, error | (pr >> 7) << 1 | (pi >> 7) << 2, pr & 0x7F, spo2, pi & 0x7F, 0)


def heard(*chunks: bytes) -> list[Output]:
    """What is said of an oximeter whose version is known."""
    driver = ContecBle()
    list(driver.on_bytes(VERSION_11, 0, NOTIFY))
    return [output for data in chunks for output in driver.on_bytes(data, 0, NOTIFY)]


def numerics(said: Iterable[Output]) -> dict[str, Numeric]:
    return {output.channel: output for output in said if isinstance(output, Numeric)}


@pytest.mark.parametrize(("quoted", "pr"), [("EB010453637F0025", 83), ("EB010440637F0012", 64)])
def test_numbers_of_a_cms50d_bt_as_its_owner_read_them(quoted: str, pr: int) -> None:
    assert heard(bytes.fromhex(quoted)) == [
        Numeric("spo2", 99, "%"),
        Numeric("spo2.pr", pr, "/min"),
        Numeric("spo2.perf_index", None, "%", Why.INVALID),
    ]


def test_pleth_of_a_cms50d_bt_with_its_peak() -> None:
    (wave, bar) = heard(bytes.fromhex("EB000348093F" + "EB00433C0771"))
    assert isinstance(wave, Wave)
    assert isinstance(bar, Wave)
    assert (wave.channel, wave.samples, wave.marks) == ("pleth", (72, 60), (Mark(1, "beat"),))
    assert (bar.channel, bar.samples) == ("spo2.bar", (9, 7))
    assert wave.scale.rate == bar.scale.rate == 60


def test_every_frame_of_the_corpus() -> None:
    root = Path(os.environ.get("WARDLINK_CORPUS", "")) / "contec_cms50d_bt" / "vectors.json"
    if "WARDLINK_CORPUS" not in os.environ or not root.is_file():
        pytest.skip("corpus contec_cms50d_bt is missing: set WARDLINK_CORPUS")
    for vector in json.loads(root.read_text(encoding="utf-8")):
        said, expect = heard(bytes.fromhex(vector["hex"])), vector["expect"]
        if expect["type"] == "numeric":
            told = numerics(said)
            assert (told["spo2"].value, told["spo2.pr"].value) == (expect["spo2"], expect["pr"])
        else:
            assert [output.samples for output in said if isinstance(output, Wave)] == [
                (expect["wave"],),
                (expect["bar"],),
            ]


def test_the_bits_taken_for_a_finger_carry_the_high_bits() -> None:
    """04 with PI 7F is PI 255: none. 06 is that and a rate above 127."""
    told = numerics(heard(command(0xEB, 1, 0x06, 0x16, 97, 0x7F, 0)))
    assert told["spo2.pr"] == Numeric("spo2.pr", 150, "/min")
    assert told["spo2.perf_index"] == Numeric("spo2.perf_index", None, "%", Why.INVALID)


@pytest.mark.parametrize(("spo2", "value"), [(0, None), (1, 1), (99, 99), (100, None), (127, None)])
def test_saturation_as_the_makers_library_bounds_it(spo2: int, value: int | None) -> None:
    assert numerics(heard(numbers(spo2=spo2)))["spo2"].value == value


@pytest.mark.parametrize(("pr", "value"), [(0, None), (1, 1), (128, 128), (254, 254), (255, None)])
def test_rate_as_the_makers_library_bounds_it(pr: int, value: int | None) -> None:
    assert numerics(heard(numbers(pr=pr)))["spo2.pr"].value == value


@pytest.mark.parametrize(
    ("pi", "error", "value"), [(0, 0, None), (1, 0, "0.1"), (45, 1, None), (220, 0, "22.0"), (221, 0, None)]
)
def test_perfusion_index_keeps_its_digit(pi: int, error: int, value: str | None) -> None:
    got = numerics(heard(numbers(pi=pi, error=error)))["spo2.perf_index"].value
    assert got == (None if value is None else Decimal(value))
    assert value is None or str(got) == value


def test_a_finger_pulled_out_takes_the_standing_numbers_back_at_once() -> None:
    said = heard(numbers() + pleth(out=True) * 2 + numbers(), pleth() + numbers())
    absent = [Numeric(c, None, u, Why.SENSOR_OFF) for c, u in (("spo2", "%"), ("spo2.pr", "/min"))]
    at = said.index(Status("finger-out", Phase.ON))
    assert said[at + 1 : at + 3] == absent
    assert said[at + 4 : at + 6] == absent, "numbers left standing in the frames are no readings"
    assert said.count(Status("finger-out", Phase.OFF)) == 1
    assert numerics(said)["spo2"].value == 97
    waves = [w for w in said if isinstance(w, Wave) and w.channel == "pleth"]
    assert [w.marks for w in waves] == [(Mark(0, "sensor-off"), Mark(1, "sensor-off")), ()]


def test_a_beat_is_marked_once() -> None:
    said = heard(pleth() + pleth(beep=True), pleth(beep=True) + pleth() + pleth(beep=True))
    assert [w.marks for w in said if isinstance(w, Wave) and w.channel == "pleth"] == [
        (Mark(1, "beat"),),
        (Mark(2, "beat"),),
    ]


def test_nothing_is_told_before_the_version_is_known() -> None:
    driver = ContecBle()
    assert not list(driver.on_bytes(pleth() + numbers(), 0))
    assert driver.counts.frames == 2
    assert next(iter(driver.on_bytes(VERSION_11 + numbers(), 0))) == Status("protocol", Phase.ON, "version 11")


def test_masked_values_are_never_told_and_nothing_more_is_sent() -> None:
    masked = command(0xF2, 0, 0, 0, 0, 0, 14, 0)
    driver = ContecBle()
    chunks = [(SECOND_NS, masked), (2 * SECOND_NS, numbers() + pleth() + VERSION_11 + numbers())]
    said = [(at, out) for at, out in play(driver, chunks, 60 * SECOND_NS) if at]
    assert said == [(SECOND_NS, Status("protocol", Phase.ON, "version 14, not readable"))]


def test_versions_with_two_texts() -> None:
    long = command(0xF2, 0, 0, 2, 2, 0, 11, 5, 3, *b"abc", 0, 3, *b"de")
    assert len(long) == 3 + 3 + 11
    driver = ContecBle()
    for byte in long:
        said = list(driver.on_bytes(bytes((byte,)), 0))
    assert said == [Status("protocol", Phase.ON, "version 11")]
    assert driver.counts == Counts(frames=1)


def test_it_asks_keeps_alive_and_asks_again_after_silence() -> None:
    chunks = [(SECOND_NS // 2, VERSION_11)] + [(at * SECOND_NS, pleth()) for at in range(1, 8)]
    sent = [(at, out) for at, out in play(ContecBle(), chunks, 11 * SECOND_NS) if isinstance(out, Send | Subscribe)]
    asked = [Send(data, WRITE) for data in (*ASK, *START)]
    assert sent[:5] == [(0, Subscribe(NOTIFY)), *((0, one) for one in asked)]
    assert [at for at, out in sent if out == Send(KEEP_ALIVE, WRITE)] == [5 * SECOND_NS + 1, 10 * SECOND_NS + 1]
    assert [at for at, out in sent if out == asked[0]] == [0, 10 * SECOND_NS + 1]


def test_what_it_may_send_asks_or_streams_and_neither_sets_nor_erases() -> None:
    assert {data.hex().upper() for data in ContecBle.info.sends} == {"8101", "8202", "9B001B", "9B011C", "9A1A"}


def test_name_and_unknown_frames() -> None:
    said = heard(bytes.fromhex("F13530452020202020" + "3B") * 2 + command(0xEB, 2, 1, 2, 3, 4, 5) * 2 + b"\xf0\x70")
    assert said == [Identity(model="50E"), Status("frame EB02", Phase.ON, "EB020102030405")]


@pytest.mark.parametrize(
    ("broken", "reason", "skipped"),
    [
        (pleth()[:4], "cut short", 4),
        (pleth()[:-1] + b"\x00", "sum", 6),
        (b"\xc8\x01", "unknown frame", 2),
        (b"\xeb\x03\x6f", "unknown frame", 3),
    ],
)
def test_damage_never_swallows_the_next_frame(broken: bytes, reason: str, skipped: int) -> None:
    driver = ContecBle()
    list(driver.on_bytes(VERSION_11, 0))
    said = list(driver.on_bytes(broken + numbers(spo2=91), 0))
    assert numerics(said)["spo2"].value == 91
    assert driver.counts == Counts(2, 1, skipped, {reason: 1})
