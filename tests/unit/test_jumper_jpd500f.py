"""jumper_jpd500f against notifications made by the rules its readers agree on."""

from decimal import Decimal

import pytest

from drivers.contract import Numeric, Output, Subscribe, Why
from drivers.devices.jumper_jpd500f import NOTIFY, JumperJpd500f

PLETH = bytes((0x80, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100))


def heard(*notifications: bytes, source: str = NOTIFY) -> list[Output]:
    driver = JumperJpd500f()
    return [output for data in notifications for output in driver.on_bytes(data, 0, source)]


def test_a_reading() -> None:
    assert heard(bytes((0x81, 72, 97, 45))) == [
        Numeric("spo2", 97, "%"),
        Numeric("spo2.pr", 72, "/min"),
        Numeric("spo2.perf_index", Decimal("4.5"), "%"),
    ]


def test_no_finger() -> None:
    assert heard(bytes((0x81, 255, 127, 0))) == [
        Numeric("spo2", None, "%", Why.UNAVAILABLE),
        Numeric("spo2.pr", None, "/min", Why.UNAVAILABLE),
        Numeric("spo2.perf_index", None, "%", Why.UNAVAILABLE),
    ]


def test_no_perfusion_index() -> None:
    assert heard(bytes((0x81, 129, 100, 0)))[-1] == Numeric("spo2.perf_index", None, "%", Why.UNAVAILABLE)


@pytest.mark.parametrize(
    "impossible",
    [
        bytes((0x81, 72, 101, 45)),
        bytes((0x81, 72, 0, 45)),
        bytes((0x81, 0, 97, 45)),
        bytes((0x81, 255, 97, 45)),
        bytes((0x81, 72, 127, 45)),
        bytes((0x81, 72, 177, 45)),
        bytes((0x81, 72, 97, 201)),
        bytes((0x81, 72, 97)),
        bytes((0x81, 72, 97, 45, 0)),
        bytes((0x82, 72, 97, 45)),
        b"",
    ],
)
def test_impossible_notifications_say_nothing(impossible: bytes) -> None:
    driver = JumperJpd500f()
    assert list(driver.on_bytes(impossible, 0, NOTIFY)) == []
    assert driver.counts.reasons == {"no reading": 1}
    assert driver.counts.skipped == len(impossible)


def test_pleth_is_left_out_and_is_no_fault() -> None:
    driver = JumperJpd500f()
    assert list(driver.on_bytes(PLETH, 0, NOTIFY)) == []
    assert driver.counts.bad == 0


def test_a_recording_without_boundaries() -> None:
    first, second = bytes((0x81, 72, 97, 45)), bytes((0x81, 129, 98, 0x80))
    assert heard(PLETH + first + PLETH + second + first + b"\x80", source="") == heard(first, second, first)


def test_subscribes_and_sends_nothing() -> None:
    assert list(JumperJpd500f().on_open(0)) == [Subscribe(NOTIFY)]
    assert not JumperJpd500f.info.sends
