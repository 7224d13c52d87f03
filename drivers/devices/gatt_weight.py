"""Weight scales of the Bluetooth SIG (service 181D).

    weight 2A9D   flags | weight u16 | 1 date time | 2 user u8 | 3 BMI u16, height u16       little endian
    flag 0 clear: 0.005 kg, 0.001 m; set: 0.01 pounds, 0.1 inches; BMI in 0.1 kg/m2; weight FFFF: no success

Source: Bluetooth WSS 1.0.0, section 3.2, and the GATT Specification Supplement. Proven on values of real scales with
what they showed: three of an A&D UC-352BLE (openScale at 0a251157, its test), one of a Beurer BF600 (openScale issue
219), one each of a Beurer BF720 and a BF788 (ble-scale-sync at 38f1b9bb, its test).

A weight of 0 is a reading (nobody stands on the scale), a BMI or a height of 0 is none. A scale sends what it stored
when it is connected; only the time, told before the values, shows it. A weight that was said in an earlier connection
is not said again (`drivers.bluetooth.memory`). A user is a place in the scale's memory: some
scales send a user's weights only after a consent with that user's PIN (2A9F), which this driver does not give.
Not protected: no checksum. A recording is read where values carry a whole date and time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import ClassVar

from drivers.bluetooth.numbers import moment, number
from drivers.bluetooth.profile import Profile, Shape, uuid
from drivers.contract import Ble, Info, Integrity, Numeric, Output, Why

WEIGHT = uuid(0x2A9D)
POUNDS, STAMP, USER, BMI_HEIGHT = 0x01, 0x02, 0x04, 0x08
NO_SUCCESS = 0xFFFF
SHAPE = Shape(1, 2, ((STAMP, 7), (USER, 1), (BMI_HEIGHT, 4)), unused=0xF0)
BMI_STEP = Decimal("0.1")
KILOGRAMS, POUNDS_STEP = (Decimal("0.005"), "kg"), (Decimal("0.01"), "[lb_av]")
METRES, INCHES = (Decimal("0.001"), "m"), (Decimal("0.1"), "[in_i]")


def size(channel: str, raw: int, step: Decimal, unit: str) -> Numeric:
    """What no living body has 0 of: there it stands for no value."""
    return Numeric(channel, raw * step, unit) if raw else Numeric(channel, None, unit, Why.UNAVAILABLE)


class GattWeight(Profile):
    info = Info(
        id="gatt_weight",
        models=("Bluetooth scales (service 181D)", "A&D UC-352BLE", "Beurer BF600", "Beurer BF720", "Beurer BF788"),
        claims=(Ble(uuid(0x181D)),),
        emits=("body.weight", "body.bmi", "body.height", "gatt_weight:battery"),
        integrity=Integrity.NONE,
        wiring="Bluetooth LE: pair the scale once if the host asks for it; it shows up when somebody stands on it. Set "
        "the scale's clock: stored weights are told from new ones by their time.",
    )
    shapes: ClassVar[Mapping[str, Shape]] = {WEIGHT: SHAPE}
    stored: ClassVar[Mapping[str, int]] = {WEIGHT: STAMP}

    def is_evident(self, value: bytes) -> bool:
        fields = SHAPE.fields(value)
        return moment(fields.get(STAMP, bytes(7))).startswith("20") and number(fields[0]) > 0

    def tell(self, value: bytes, source: str) -> Iterable[Output]:
        fields, raw = SHAPE.fields(value), number(value[1:3])
        step, unit = POUNDS_STEP if value[0] & POUNDS else KILOGRAMS
        yield from self.time_stamp(fields.get(STAMP))
        yield from self.user(fields.get(USER))
        yield from self.state("measurement-unsuccessful", "" if raw == NO_SUCCESS else None)
        if raw == NO_SUCCESS:
            yield Numeric("body.weight", None, unit, Why.INVALID)
            return
        yield Numeric("body.weight", raw * step, unit)
        if BMI_HEIGHT in fields:
            field = fields[BMI_HEIGHT]
            yield size("body.bmi", number(field[:2]), BMI_STEP, "kg/m2")
            yield size("body.height", number(field[2:]), *(INCHES if value[0] & POUNDS else METRES))
