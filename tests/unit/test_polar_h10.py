"""polar_h10 against notifications and replies of a real strap, the SDK's examples and frames made by its rules."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import pytest

from drivers.capture import parse
from drivers.contract import DeviceTime, Mark, Numeric, Output, Phase, Send, Status, Subscribe, Wave, Why
from drivers.devices.polar_h10 import CONTROL, DATA, HEART_RATE, SILENCE_NS, START, PolarH10

CAPTURE = Path(__file__).parents[1] / "captures" / "polar_h10" / "heart-beats.cap"
SECOND_NS = 1_000_000_000
REAL = [data for _, data in parse(CAPTURE.read_text(encoding="utf-8")).chunks()][:3]
STEP_NS = 561_000_000


def notification(time: int, *samples: int) -> bytes:
    body = b"".join((sample & 0xFFFFFF).to_bytes(3, "little") for sample in samples)
    return b"\0" + time.to_bytes(8, "little") + b"\0" + body


def heard(driver: PolarH10, *data: bytes, source: str = DATA) -> list[Output]:
    return [output for each in data for output in driver.on_bytes(each, 0, source)]


def samples(said: Iterable[Output]) -> list[int]:
    return [sample for output in said if isinstance(output, Wave) for sample in output.samples]


def test_real_notifications() -> None:
    said = heard(PolarH10(), *REAL)
    values = samples(said)
    assert len(values) == 3 * 73
    assert values[:3] == [0x7A, 0x67, 0x83]
    assert max(values) == 0x8B9  # the top of the first beat, 2.2 mV
    assert min(values) == -262
    assert not any(output.marks for output in said if isinstance(output, Wave))
    ticks = [output.ticks for output in said if isinstance(output, DeviceTime)]
    assert ticks[0] == 599622173760485265


def test_a_recording_says_the_same_as_the_notifications() -> None:
    assert samples(heard(PolarH10(), b"".join(REAL), source="")) == samples(heard(PolarH10(), *REAL))


def test_examples_of_the_sdk() -> None:
    said = heard(PolarH10(), bytes.fromhex("000094357700000000000280FF028000"))
    assert samples(said) == [-32766, 32770]
    assert said[0] == DeviceTime(ticks=2_000_000_000, hertz=Fraction(SECOND_NS))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (bytes.fromhex("0000943577000000000102800000"), "length"),
        (bytes.fromhex("00009435770000000001028000"), "frame type"),
        (bytes.fromhex("00009435770000000080028000"), "frame type"),
        (bytes.fromhex("02009435770000000001028000"), "not ECG"),
        (bytes.fromhex("00009435770000000000"), "length"),
        (b"", "length"),
    ],
)
def test_other_notifications_are_refused(data: bytes, why: str) -> None:
    driver = PolarH10()
    assert heard(driver, data) == []
    assert driver.counts.reasons == {why: 1}
    assert driver.counts.skipped == len(data)


def test_lost_samples_show_in_the_times() -> None:
    driver = PolarH10()
    whole = [0] * 73
    said = heard(driver, *(notification(time * STEP_NS, *whole) for time in (1, 2, 4, 5)))
    assert [output.marks for output in said if isinstance(output, Wave)] == [(), (), (Mark(0, "gap"),), ()]


def test_a_smaller_mtu_is_no_gap() -> None:
    driver = PolarH10()
    said = heard(driver, *(notification(time * 146_100_000, *[0] * 19) for time in (1, 2, 3)))
    assert len(samples(said)) == 57
    assert not any(output.marks for output in said if isinstance(output, Wave))


def test_the_start_is_asked_for_and_again_in_silence() -> None:
    driver = PolarH10()
    assert list(driver.on_open(0)) == [Subscribe(CONTROL), Subscribe(DATA), Subscribe(HEART_RATE), Send(START, CONTROL)]
    assert driver.wake_at == SILENCE_NS
    list(driver.on_bytes(REAL[0], 7, DATA))
    assert driver.wake_at == 7 + SILENCE_NS
    assert list(driver.on_time(8 + SILENCE_NS)) == [Send(START, CONTROL)]


def test_real_replies_of_the_control_point() -> None:
    driver = PolarH10()
    refused = heard(driver, bytes.fromhex("f002000500"), source=CONTROL)
    assert refused == [Status("start-refused", Phase.ON, "05 invalid parameter")]
    assert heard(driver, bytes.fromhex("f00200000000"), source=CONTROL) == [Status("start-refused", Phase.OFF)]
    assert heard(driver, bytes.fromhex("f0020006"), source=CONTROL) == []
    assert heard(driver, bytes.fromhex("f0010000000001820001010e00"), source=CONTROL) == []
    assert driver.counts.reasons == {"other reply": 1}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("163c1104", Numeric("ecg.hr", 60, "/min")),
        ("06 3c", Numeric("ecg.hr", 60, "/min")),
        ("103c1104", Numeric("ecg.hr", 60, "/min")),
        ("173c011104", Numeric("ecg.hr", 316, "/min")),
        ("0600", Numeric("ecg.hr", 0, "/min", Why.QUESTIONABLE)),
        ("043c", Numeric("ecg.hr", None, "/min", Why.SENSOR_OFF)),
    ],
)
def test_heart_rate(data: str, expected: Numeric) -> None:
    assert heard(PolarH10(), bytes.fromhex(data), source=HEART_RATE)[-1] == expected


def test_contact_is_said_when_it_changes() -> None:
    driver = PolarH10()
    said = heard(driver, *map(bytes.fromhex, ("063c", "0400", "0400", "063d")), source=HEART_RATE)
    states = [output for output in said if isinstance(output, Status)]
    assert states == [Status("no-contact", Phase.ON, "strap"), Status("no-contact", Phase.OFF)]
    assert heard(driver, b"\x01\x3c", source=HEART_RATE) == []


@pytest.mark.parametrize("noise", [bytes(2000), bytes(range(256)) * 8, b"\xff" * 2000, b"\0\1" * 1000])
def test_other_streams_are_no_ecg(noise: bytes) -> None:
    driver = PolarH10()
    assert heard(driver, noise, source="") == []
    assert driver.counts.frames == 0
