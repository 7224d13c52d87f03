"""berry_bci: what Berry says otherwise than Contec in the same five bytes (the stream itself: test_contec_v5)."""

from collections.abc import Iterable

import pytest

from drivers.bci.oximeter import RUN_FRAMES
from drivers.contract import Ble, Mark, Numeric, Output, Phase, Serial, Status, Subscribe, Wave, Why
from drivers.devices.berry_bci import NOTIFY, UART, BerryBci


def frame(b1: int = 5, pleth: int = 50, b3: int = 6, pr: int = 72, spo2: int = 97) -> bytes:
    return bytes((0x80 | b1, pleth, b3 | (pr & 0x80) >> 1, pr & 0x7F, spo2))


def after_run(data: bytes) -> list[Output]:
    driver = BerryBci()
    list(driver.on_bytes(frame() * RUN_FRAMES + data[:1], 0, NOTIFY))
    return list(driver.on_bytes(data[1:] + b"\x85", 0, NOTIFY))


def numerics(said: Iterable[Output]) -> dict[str, Numeric]:
    return {output.channel: output for output in said if isinstance(output, Numeric)}


def test_it_listens_over_ble_and_usb_and_sends_nothing() -> None:
    assert list(BerryBci().on_open(0)) == [Subscribe(NOTIFY)]
    assert BerryBci.info.claims == (Ble(UART, "BerryMed"), Serial(115200))
    assert not BerryBci.info.sends


def test_a_hundred_samples_a_second() -> None:
    said = after_run(frame() * 210)
    assert {w.scale.rate for w in said if isinstance(w, Wave)} == {100}
    assert sum(isinstance(output, Numeric) for output in said) == 4


@pytest.mark.parametrize(
    ("bits", "code", "why"),
    [
        ({"b1": 0x25}, "probe-unplugged", Why.NO_SENSOR),
        ({"b3": 0x16}, "no-finger", Why.SENSOR_OFF),
        ({"b3": 0x26}, "searching", Why.SEARCHING),
        ({"b1": 0x15}, "no-signal", Why.LOW_SIGNAL),
    ],
)
def test_every_status_bit_and_the_makers_sentinels(bits: dict[str, int], code: str, why: Why) -> None:
    said = after_run(frame(pr=255, spo2=127, **bits))
    assert [s for s in said if isinstance(s, Status)] == [Status(code, Phase.ON)]
    assert numerics(said) == {
        "spo2": Numeric("spo2", None, "%", why),
        "spo2.pr": Numeric("spo2.pr", None, "/min", why),
    }


@pytest.mark.parametrize("bits", [{"b1": 0x25}, {"b3": 0x16}])
def test_numbers_without_a_finger_are_no_readings(bits: dict[str, int]) -> None:
    said = after_run(frame(**bits))
    assert all(n.value is None for n in numerics(said).values())
    assert next(w.marks for w in said if isinstance(w, Wave)) == (Mark(0, "sensor-off"),)


def test_a_number_beside_no_signal_stands_for_makers_disagree() -> None:
    assert numerics(after_run(frame(b1=0x15))) == {}


def test_pleth_zero_is_marked_and_not_taken_away() -> None:
    (pleth,) = (w for w in after_run(frame() + frame(pleth=0)) if isinstance(w, Wave) and w.channel == "pleth")
    assert pleth.samples == (50, 0)
    assert pleth.marks == (Mark(1, "invalid"),)


@pytest.mark.parametrize("first", [0xFD, 0xFE, 0xFF])
def test_version_texts_are_no_readings(first: int) -> None:
    assert after_run(bytes((first,)) + b"V2.1") == []
