"""What stands beside a profile on the same device: battery (180F), device information (180A), current time (1805).

    battery level 2A19        u8, percent
    names 2A24 2A25 2A26 2A29   UTF-8 text: model, serial number, firmware, maker
    current time 2A2B         date time | day of week u8 | 1/256 s u8 | why it was set u8

They say nothing about who speaks, so no driver claims a device for them. All are optional: each is asked for once, and
where a device has none the host passes it over. The clock is read and never set.

Source: Bluetooth BAS 1.0, DIS 1.1, CTS 1.1 and the GATT Specification Supplement. Names come one by one: an Identity
is told again with each, as full as it is by then. A battery of more than 100 % is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from drivers.bluetooth.numbers import moment, reading, uuid
from drivers.contract import DeviceTime, Identity, Output, Read, Subscribe

BATTERY, CLOCK = uuid(0x2A19), uuid(0x2A2B)
NAMES = {uuid(0x2A29): "maker", uuid(0x2A24): "model", uuid(0x2A25): "serial", uuid(0x2A26): "firmware"}
BATTERY_BYTES, CLOCK_BYTES, LIMIT_NAME_BYTES = 1, 10, 512
FULL = 100


class Companions:
    """The companions of one device; `driver_id` names the battery's channel."""

    def __init__(self, driver_id: str) -> None:
        self._battery = f"{driver_id}:battery"
        self._level = -1
        self._identity = Identity()

    def asked(self) -> list[Output]:
        return [Subscribe(BATTERY), Read(BATTERY), *map(Read, NAMES), Read(CLOCK)]

    def is_one(self, source: str) -> bool:
        return source in (BATTERY, CLOCK) or source in NAMES

    def fits(self, value: bytes, source: str) -> bool:
        if source in NAMES:
            return len(value) <= LIMIT_NAME_BYTES
        return len(value) == (BATTERY_BYTES if source == BATTERY else CLOCK_BYTES)

    def tell(self, value: bytes, source: str) -> Iterator[Output]:
        """What a value that fits says, where it is news."""
        if source in NAMES:
            yield from self._name(value, NAMES[source])
        elif source == CLOCK:
            iso = moment(value)
            if iso:
                yield DeviceTime(iso)
        elif value[0] != self._level:
            self._level = value[0]
            yield reading(self._battery, "%", value[0], FULL)

    def _name(self, value: bytes, part: str) -> Iterator[Output]:
        text = value.partition(b"\0")[0].decode("utf-8", "replace").strip()
        said = replace(self._identity, **{part: text})
        if said != self._identity:
            self._identity = said
            yield said
