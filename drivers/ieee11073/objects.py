"""What an agent is made of: objects with a handle, as its configuration tells them or a standard one has them.

Standard configurations: 0191 and 05DC as in the examples' configuration reports, 02BC, 0190 and 0320 as in
IEEE 11073-10407, -10404 and -10408, read through programs that follow them.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.ieee11073.fields import Fields, MalformedError, attribute, text
from drivers.vocabulary import channel_of, units_by_mdc

DRIVER_ID = "ieee11073_agent"
SCADA, DIMENSIONS = 2, 4
PRIVATE = 0xF000  # the terms of a partition that belong to the maker
FAMILIES = (
    "body",
    "gluc",
    "nibp",
    "pulse",
    "resp",
    "spiro",
    "spo2",
    "temp",
)  # of the vocabulary
NUMERIC = 6
LABEL, PHYSIO, TYPE, UNIT = 0x0927, 0x092B, 0x092F, 0x0996
VALUE_MAP, SCANNER_MAP, PARTITION, PHYSIO_LIST = 0x0A55, 0x0A53, 0x0A5F, 0x0A76
VALUE_SIMPLE, VALUE_BASIC, VALUES_SIMPLE, VALUES_BASIC = 0x0A56, 0x0A4C, 0x0A74, 0x0A75
STAMP = 0x0990
UCUM = {  # what the vocabulary lacks
    512: "1", 736: "deg", 1280: "m", 1376: "[in_i]", 1728: "g", 1760: "[lb_av]", 2208: "min", 2240: "h", 2272: "d",
    2368: "a", 3843: "kPa", 4416: "[degF]", 4722: "mmol/L", 6784: "cal",
}  # fmt: skip

Map = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Thing:
    """An object: what it measures (`channels`, one for each value), in which unit, and how its bytes are laid out."""

    kind: int
    handle: int
    channels: tuple[str, ...]
    unit: str = ""
    layout: Map = ()
    scans: tuple[tuple[int, Map], ...] = ()


def channel(partition: int, term: int, label: str = "") -> str:
    """The vocabulary's channel, or the maker's own label or code where the term is the maker's."""
    code = partition << 16 | term
    if term < PRIVATE:
        key = channel_of(code)
        return key if key.partition(".")[0] in FAMILIES else f"mdc:{code}"
    return f"{DRIVER_ID}:{label}" if label.isalnum() and label.isascii() else f"{DRIVER_ID}:{partition}-{term:04X}"


def unit_of(code: int) -> str:
    """UCUM, or `mdc:<code>` for a unit nobody named."""
    return units_by_mdc().get(DIMENSIONS << 16 | code) or UCUM.get(code) or f"mdc:{DIMENSIONS << 16 | code}"


def pair(fields: Fields) -> tuple[int, int]:
    return fields.u16(), fields.u16()


def thing(fields: Fields) -> Thing:
    """An object of a configuration report."""
    kind, handle = fields.u16(), fields.u16()
    said = dict(fields.items(attribute))
    return Thing(
        kind,
        handle,
        _channels(said),
        unit_of(Fields(said[UNIT]).u16()) if UNIT in said else "",
        Fields(said[VALUE_MAP]).items(pair) if VALUE_MAP in said else (),
        Fields(said[SCANNER_MAP]).items(_scanned) if SCANNER_MAP in said else (),
    )


def _scanned(fields: Fields) -> tuple[int, Map]:
    return fields.u16(), fields.items(pair)


def _channels(said: dict[int, bytes]) -> tuple[str, ...]:
    if TYPE not in said:
        return ()
    partition, term = pair(Fields(said[TYPE]))
    label = Fields(said[LABEL]).octets() if LABEL in said else b""
    if PARTITION in said:
        partition = Fields(said[PARTITION]).u16() or partition
    if PHYSIO_LIST in said:
        terms = Fields(said[PHYSIO_LIST]).items(Fields.u16)
        if not terms:
            raise MalformedError("no term")
        return tuple(channel(partition, one) for one in terms)
    if PHYSIO in said:
        term = Fields(said[PHYSIO]).u16()
    return (channel(partition, term, text(label)),)


def _numeric(handle: int, terms: tuple[int, ...], unit: int, layout: Map) -> Thing:
    return Thing(NUMERIC, handle, tuple(channel(SCADA, term) for term in terms), unit_of(unit), layout)


def _standard() -> dict[int, tuple[Thing, ...]]:
    percent, rate, pressure, kilo, celsius = 544, 2720, 3872, 1731, 6048
    basic, single = (VALUE_BASIC, 2), (VALUE_SIMPLE, 4)
    stamp = (STAMP, 8)
    return {
        0x0190: (_numeric(1, (19384,), percent, (basic,)), _numeric(10, (18458,), rate, (basic,))),
        0x0191: (_numeric(1, (19384,), percent, (basic, stamp)), _numeric(10, (18458,), rate, (basic, stamp))),
        0x02BC: (
            _numeric(1, (18949, 18950, 18951), pressure, ((VALUES_BASIC, 10), stamp)),
            _numeric(2, (18474,), rate, (basic, stamp)),
        ),
        0x0320: (_numeric(1, (19292,), celsius, (single, stamp)),),
        0x05DC: (_numeric(1, (57664,), kilo, (single, stamp)),),
    }


STANDARD = _standard()
