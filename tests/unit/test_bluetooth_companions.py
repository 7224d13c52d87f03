"""Battery, names and clock beside every profile; a device without them is not harmed."""

import pytest

from drivers import registry
from drivers.bluetooth.companions import BATTERY, CLOCK, NAMES, Companions
from drivers.bluetooth.profile import Profile, uuid
from drivers.contract import Ble, DeviceTime, Identity, Numeric, Output, Read, Send, Subscribe, Why
from drivers.devices.gatt_weight import GattWeight

PROFILES = [kind for kind in registry.all_drivers() if issubclass(kind, Profile)]


def heard(*values: tuple[str, bytes]) -> list[Output]:
    driver = GattWeight()
    return [output for source, value in values for output in driver.on_bytes(value, 0, source)]


@pytest.mark.parametrize("kind", PROFILES, ids=lambda kind: kind.info.id)
def test_every_profile_asks_and_none_is_claimed_for_them(kind: type[Profile]) -> None:
    asked = list(kind().on_open(0))
    assert asked[-len(Companions("").asked()) :] == Companions("").asked()
    assert f"{kind.info.id}:battery" in kind.info.emits
    claimed = [claim.service for claim in kind.info.claims if isinstance(claim, Ble)]
    assert claimed
    assert not {uuid(0x180F), uuid(0x180A), uuid(0x1805)} & set(claimed)


def test_they_are_read_and_nothing_is_written() -> None:
    assert not [one for one in Companions("").asked() if isinstance(one, Send)]
    assert [one.characteristic for one in Companions("").asked() if isinstance(one, Read)] == [BATTERY, *NAMES, CLOCK]
    assert Subscribe(CLOCK) not in Companions("").asked()


def test_battery_is_said_when_it_changes() -> None:
    said = heard((BATTERY, b"\x64"), (BATTERY, b"\x64"), (BATTERY, b"\0"), (BATTERY, b"\x65"))
    assert said == [
        Numeric("gatt_weight:battery", 100, "%"),
        Numeric("gatt_weight:battery", 0, "%"),
        Numeric("gatt_weight:battery", None, "%", Why.INVALID),
    ]


def test_names_come_one_by_one() -> None:
    maker, model, serial, firmware = NAMES
    said = heard(
        (maker, b"A&D Medical"), (model, b" UC-352BLE\0\0"), (serial, b"5160"), (serial, b"5160"), (firmware, b"")
    )
    assert said == [
        Identity("A&D Medical"),
        Identity("A&D Medical", "UC-352BLE"),
        Identity("A&D Medical", "UC-352BLE", "5160"),
    ]


def test_the_clock_is_told_where_it_is_one() -> None:
    assert heard((CLOCK, bytes.fromhex("EA070B16072000078000"))) == [DeviceTime("2026-11-22T07:32:00")]
    assert heard((CLOCK, bytes(10))) == []


@pytest.mark.parametrize(("source", "value"), [(BATTERY, b""), (BATTERY, b"\x64\0"), (CLOCK, bytes(9))])
def test_another_length_is_refused(source: str, value: bytes) -> None:
    driver = GattWeight()
    assert list(driver.on_bytes(value, 0, source)) == []
    assert (driver.counts.reasons, driver.counts.skipped) == ({"length": 1}, len(value))


def test_text_that_is_no_text_does_not_raise() -> None:
    assert heard((next(iter(NAMES)), b"\xff\xfe")) == [Identity("\ufffd\ufffd")]
