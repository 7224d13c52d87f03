"""Body composition scales of the Bluetooth SIG (service 181B).

    measurement 2A9C   flags u16 | body fat u16 | 1 date time | 2 user u8 | then u16 each: 3 basal metabolism, kJ
                       4 muscle, 0.1 % · 5 muscle mass · 6 fat free mass · 7 soft lean mass · 8 body water mass
                       9 impedance, 0.1 ohm · 10 weight · 11 height       12: one of two packets       little endian
    flag 0 clear: masses in 0.005 kg, height in 0.001 m; set: 0.01 pounds, 0.1 inches; fat in 0.1 %, FFFF: no success

Source: Bluetooth BCS 1.0.0, section 3.2, and the GATT Specification Supplement. Proven on a value of a Beurer BF720
and two of a BF788 (ble-scale-sync at 38f1b9bb, its test, from recordings of its users).

The BF788 sent 35 values with nothing but a metabolism beside the one that was measured: no body has 0 of any of these,
so 0 stands for no value. The fields of a measurement in two packets are told as they come. What was said in an earlier
connection is not said again (`drivers.bluetooth.memory`), but for a second packet that carries no time.
Masses but the weight are what the scale computes from its user's profile: a user is a place in its memory, and no
identity.
Not protected: no checksum. A recording is read where at least three fields follow the fat, and the fat is below 75 %.
Not known: which frequency and path the impedance has, per which time the metabolism is (the document says kJ).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import ClassVar

from drivers.bluetooth.numbers import is_stamp, number
from drivers.bluetooth.profile import Profile, Shape, uuid
from drivers.contract import Ble, Info, Integrity, Numeric, Output, Why

MEASUREMENT = uuid(0x2A9C)
POUNDS, STAMP, USER, MUSCLE, SEVERAL = 0x0001, 0x0002, 0x0004, 0x0010, 0x1000
NO_SUCCESS = 0xFFFF
WHOLE, FATTEST = 1000, 750  # in tenths of a percent
TENTH, ONE = Decimal("0.1"), 1
MASS = {False: (Decimal("0.005"), "kg"), True: (Decimal("0.01"), "[lb_av]")}
LENGTH = {False: (Decimal("0.001"), "m"), True: (TENTH, "[in_i]")}

Steps = dict[bool, tuple[Decimal, str]] | tuple[Decimal | int, str]
FIELDS: dict[int, tuple[str, Steps]] = {
    0x0000: ("body.fat", (TENTH, "%")),
    0x0008: ("gatt_body_composition:basal_metabolism", (ONE, "kJ")),
    MUSCLE: ("gatt_body_composition:muscle", (TENTH, "%")),
    0x0020: ("gatt_body_composition:muscle_mass", MASS),
    0x0040: ("gatt_body_composition:fat_free_mass", MASS),
    0x0080: ("gatt_body_composition:soft_lean_mass", MASS),
    0x0100: ("gatt_body_composition:body_water_mass", MASS),
    0x0200: ("gatt_body_composition:impedance", (TENTH, "Ohm")),
    0x0400: ("body.weight", MASS),
    0x0800: ("body.height", LENGTH),
}
SHAPE = Shape(2, 2, ((STAMP, 7), (USER, 1), *((flag, 2) for flag in FIELDS if flag)), unused=0xE000)


class GattBodyComposition(Profile):
    info = Info(
        id="gatt_body_composition",
        models=("Bluetooth body composition scales (service 181B)", "Beurer BF720", "Beurer BF788"),
        claims=(Ble(uuid(0x181B)),),
        emits=(*(channel for channel, _ in FIELDS.values()), "gatt_body_composition:battery"),
        integrity=Integrity.NONE,
        wiring="Bluetooth LE: pair the scale once if the host asks for it; it shows up when somebody stands on it, and "
        "measures bare feet only. Beurer scales send values only after their app let the user in.",
    )
    shapes: ClassVar[Mapping[str, Shape]] = {MEASUREMENT: SHAPE}
    stored: ClassVar[Mapping[str, int]] = {MEASUREMENT: STAMP}

    def is_evident(self, value: bytes) -> bool:
        fields = SHAPE.fields(value)
        fat = number(fields[0])
        return (
            len(fields) > 3
            and (fat <= FATTEST or fat == NO_SUCCESS)
            and number(fields.get(MUSCLE, b"")) <= WHOLE
            and is_stamp(fields.get(STAMP, bytes(7)))
        )

    def tell(self, value: bytes, source: str) -> Iterable[Output]:
        fields, flags = SHAPE.fields(value), SHAPE.flags(value)
        yield from self.time_stamp(fields.get(STAMP))
        yield from self.user(fields.get(USER))
        failed = number(fields[0]) == NO_SUCCESS
        yield from self.state("measurement-unsuccessful", "" if failed else None)
        yield from self.state("multiple-packets", "" if flags & SEVERAL else None)
        for flag, (channel, steps) in FIELDS.items():
            if flag in fields and not (failed and flag):
                yield part(channel, number(fields[flag]), steps, bool(flags & POUNDS))


def part(channel: str, raw: int, steps: Steps, in_pounds: bool) -> Numeric:
    step, unit = steps[in_pounds] if isinstance(steps, dict) else steps
    if unit == "%" and raw > WHOLE:
        return Numeric(channel, None, unit, Why.INVALID)
    return Numeric(channel, raw * step, unit) if raw else Numeric(channel, None, unit, Why.UNAVAILABLE)
