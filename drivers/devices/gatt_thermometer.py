"""Thermometers of the Bluetooth SIG (service 1809): the result, and temperatures while it still measures.

    result 2A1C, intermediate 2A1E   flags | temperature FLOAT | 1 date time | 2 type u8      flag 0: Fahrenheit
    type 1 armpit, 2 body, 3 ear, 4 finger, 5 gastro-intestinal, 6 mouth, 7 rectum, 8 toe, 9 tympanum

Source: Bluetooth HTS 1.0, sections 3.1 and 3.3, and the GATT Specification Supplement. Proven on four values of a real
thermometer with what it showed (Stack Overflow 54834439), and against the worked value of Nordic's BLE library.

The type chooses the channel; one that no document names leaves the temperature without a site and is told as a state.
An intermediate temperature has its own channel: it is no result. Some thermometers tell their type only in 2A1D, which
must be read: they stay without a site. Limits 0-100 degrees Celsius, 32-212 Fahrenheit.
A thermometer sends stored results when it is connected; only their time, told before them, shows it. A result that was
said in an earlier connection is not said again (`drivers.bluetooth.memory`).
Not protected: no checksum. A recording is read where a temperature may be of a body and more than it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from drivers.bluetooth.numbers import float32, is_stamp, lies, reading
from drivers.bluetooth.profile import Profile, Shape, uuid
from drivers.contract import Ble, Info, Integrity, Output

RESULT, INTERMEDIATE = uuid(0x2A1C), uuid(0x2A1E)
FAHRENHEIT, STAMP, TYPE = 0x01, 0x02, 0x04
UNKNOWN = "temp.unspecified"
SITES = {
    1: "temp.axilla",
    2: "temp.body",
    3: "temp.ear",
    4: "mdc:188432",  # MDC_TEMP_FINGER
    5: "mdc:188456",  # MDC_TEMP_GIT
    6: "temp.oral",
    7: "temp.rectal",
    8: "mdc:188448",  # MDC_TEMP_TOE
    9: "temp.tympanic",
}
STILL_MEASURING = "gatt_thermometer:intermediate"
LIMITS = {"Cel": (0, 100), "[degF]": (32, 212)}
BODY = {"Cel": (20, 50), "[degF]": (68, 122)}
SHAPE = Shape(1, 4, ((STAMP, 7), (TYPE, 1)), unused=0xF8)


class GattThermometer(Profile):
    info = Info(
        id="gatt_thermometer",
        models=("Bluetooth thermometers (service 1809)", "A&D UT-201BLE"),
        claims=(Ble(uuid(0x1809)),),
        emits=(UNKNOWN, *SITES.values(), STILL_MEASURING, "gatt_thermometer:battery"),
        integrity=Integrity.NONE,
        wiring="Bluetooth LE: pair it once if the host asks for it; most thermometers show up only for some seconds "
        "after a measurement. Set the thermometer's clock: stored results are told from new ones by their time.",
    )
    shapes: ClassVar[Mapping[str, Shape]] = {RESULT: SHAPE, INTERMEDIATE: SHAPE}
    stored: ClassVar[Mapping[str, int]] = {RESULT: STAMP}

    def is_evident(self, value: bytes) -> bool:
        fields = SHAPE.fields(value)
        least, most = BODY[unit_of(value)]
        return (
            len(fields) > 1
            and lies(float32(fields[0]), least, most)
            and is_stamp(fields.get(STAMP, bytes(7)))
            and fields.get(TYPE, b"\1")[0] in SITES
        )

    def tell(self, value: bytes, source: str) -> Iterable[Output]:
        fields, unit = SHAPE.fields(value), unit_of(value)
        if source == RESULT or STAMP in fields:
            yield from self.time_stamp(fields.get(STAMP))
        channel = STILL_MEASURING
        if source == RESULT:
            site = fields[TYPE][0] if TYPE in fields else None
            channel = UNKNOWN if site is None else SITES.get(site, UNKNOWN)
            yield from self.state("temperature-type", None if site is None or site in SITES else str(site))
        least, most = LIMITS[unit]
        yield reading(channel, unit, float32(fields[0]), most, least=least)


def unit_of(value: bytes) -> str:
    return "[degF]" if value[0] & FAHRENHEIT else "Cel"
