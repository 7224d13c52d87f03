"""aandd_pbt against the whole packet and the two readings that are public, and packets made by the specification."""

from decimal import Decimal

import pytest

from drivers import registry
from drivers.contract import DeviceTime, Identity, Numeric, Output, Reached, Status, Why
from drivers.devices.aandd_pbt import KEPT_COUNT, AanddPbt

NOON = bytes.fromhex("dc0709160c0000")
LATER = bytes.fromhex("dc0709160c0a00")  # ten minutes


def packet(
    data: bytes, device: int = 767, when: bytes = NOON, sent: bytes = NOON, serial: bytes = b"5111124008"
) -> bytes:
    head = b"\2\0" + len(data).to_bytes(4, "little") + device.to_bytes(2, "little") + b"\0" + when + sent
    return head + bytes(12) + serial.ljust(12, b"\0") + bytes(10) + b"\xf0\0\x23" + data


def heard(*chunks: bytes, reached: str = "") -> tuple[AanddPbt, list[Output]]:
    driver = AanddPbt()
    driver.reached = reached
    return driver, [output for chunk in chunks for output in driver.on_bytes(chunk, 0)]


def values(said: list[Output]) -> dict[str, int | Decimal | None]:
    return {one.channel: one.value for one in said if isinstance(one, Numeric)}


def test_real_readings_of_a_ua_767pbt() -> None:
    _, said = heard(packet(b"801D4C4152"))
    assert said[0] == Identity("A&D", "UA-767PBT", "5111124008")
    assert said[1] == DeviceTime("2012-09-22T12:00:00")
    assert values(said) == {"nibp.sys": 105, "nibp.dia": 76, "nibp.map": 82, "nibp.pr": 65}
    assert values(heard(packet(b"8020423C4C"))[1]) == {"nibp.sys": 98, "nibp.dia": 66, "nibp.map": 76, "nibp.pr": 60}


@pytest.mark.parametrize("data", [b"8120423C4C", b"8000423C4C", b"8020003C4C"])
def test_a_reading_that_is_none(data: bytes) -> None:
    _, said = heard(packet(data))
    assert all(one.value is None and one.why is Why.INVALID for one in said if isinstance(one, Numeric))
    assert any(isinstance(one, Status) for one in said) == data.startswith(b"81")


def test_no_mean_and_no_pulse_rate() -> None:
    _, said = heard(packet(b"8020420000"))
    assert values(said) == {"nibp.sys": 98, "nibp.dia": 66, "nibp.map": None, "nibp.pr": None}


@pytest.mark.parametrize(
    ("text", "value", "unit"), [(b"ST,+125.10kg\r\n", "125.10", "kg"), (b"ST,+0405.2lb\r\n", "405.2", "[lb_av]")]
)
def test_weights_of_the_specification(text: bytes, value: str, unit: str) -> None:
    _, said = heard(packet(text, 321))
    assert [(one.value, one.unit) for one in said if isinstance(one, Numeric)] == [(Decimal(value), unit)]


def test_history_is_not_new() -> None:
    for sent, why in ((LATER, None), (bytes.fromhex("dc0709160c0a01"), Why.NOT_UPDATED), (bytes(7), Why.NOT_UPDATED)):
        _, said = heard(packet(b"801D4C4152", sent=sent))
        assert {one.why for one in said if isinstance(one, Numeric)} == {why}


def test_said_once_in_this_session_and_the_next() -> None:
    first = packet(b"801D4C4152")
    _, said = heard(first, packet(b"801D4C4152", sent=LATER), packet(b"801D4C4152", serial=b"5111124009"))
    marks = [one.mark for one in said if isinstance(one, Reached)]
    assert len(marks) == 2, "another monitor's is another measurement"
    assert heard(first, reached=marks[-1])[1] == []
    assert len(heard(packet(b"801D4C4153"), reached=marks[-1])[1]) > 1


def test_the_mark_stays_short() -> None:
    packets = [packet(b"801D4C4152", when=NOON[:5] + bytes((minute, 0))) for minute in range(KEPT_COUNT + 5)]
    _, said = heard(*packets)
    assert len([one for one in said if isinstance(one, Reached)][-1].mark.split()) == KEPT_COUNT


@pytest.mark.parametrize("data", [b"801D4C415g", b"801d4c4152", b"801D4C415", b"ST,+125.10kg\r\n"])
def test_data_of_another_form_are_refused(data: bytes) -> None:
    driver, said = heard(packet(data), b"\xff")
    assert said == []
    assert driver.counts.frames == 0


def test_an_unknown_device_and_a_date_that_is_none_are_refused() -> None:
    assert heard(packet(b"801D4C4152", 766))[1] == []
    driver, said = heard(packet(b"801D4C4152", when=bytes.fromhex("dc070d160c0000")))
    assert said == []
    assert driver.counts.reasons == {"date or data": 1}


@pytest.mark.parametrize("driver_id", ["aandd_pbt", "gatt_blood_pressure", "gatt_thermometer", "gatt_weight"])
def test_no_clock_of_an_aandd_device_is_ever_set(driver_id: str) -> None:
    """Neither 2A08, nor 01 in the maker's own service, nor PWA1."""
    info = registry.driver(driver_id).info
    for data in (
        b"PWA1",
        bytes.fromhex("E4070114082B00"),
        bytes.fromhex("0801E4070114082B00"),
        bytes.fromhex("020103"),
    ):
        assert not info.allows(data)
