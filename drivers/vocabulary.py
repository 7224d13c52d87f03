"""The closed vocabulary: channel keys with their IEEE 11073-10101 codes, UCUM units and LOINC codes.

`codes.csv` is the table and the documentation: key, kind (num, wave, meta), reference identifier, MDC code
(partition * 65536 + term), UCUM unit, MDC unit code, LOINC, and where the pairing was read (F HL7 FHIR R4B
devicemetric-type, I MII ICU module, H HL7 PHD, X IEEE 11073-20601 headers, L MII survey, K a vendor's capture,
W wardlink's own key, which has no MDC code).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("codes.csv")  # by importlib.resources it costs half a MiB


@dataclass(frozen=True, slots=True)
class Code:
    """One row. `mdc` and `mdc_unit` are context-free codes, None where there is none."""

    key: str
    kind: str
    refid: str
    mdc: int | None
    ucum: str
    mdc_unit: int | None
    loinc: tuple[str, ...]


@cache
def codes() -> dict[str, Code]:
    """All rows by key."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["key"]: _code(row) for row in csv.DictReader(file)}


def _code(row: dict[str, str]) -> Code:
    return Code(
        key=row["key"],
        kind=row["kind"],
        refid=row["refid"],
        mdc=int(row["mdc_code10"]) if row["mdc_code10"] else None,
        ucum=row["ucum"],
        mdc_unit=int(row["mdc_unit_code10"]) if row["mdc_unit_code10"] else None,
        loinc=tuple(part for part in row["loinc"].split("|") if part),
    )


@cache
def by_mdc() -> dict[int, Code]:
    """Rows by MDC code; the first row of a code stands for it."""
    table: dict[int, Code] = {}
    for code in codes().values():
        if code.mdc is not None:
            table.setdefault(code.mdc, code)
    return table


@cache
def units_by_mdc() -> dict[int, str]:
    """UCUM unit by MDC unit code."""
    return {code.mdc_unit: code.ucum for code in codes().values() if code.mdc_unit is not None}


def channel_of(mdc: int) -> str:
    """The key of an MDC code, or `mdc:<code>` where the vocabulary lacks it."""
    code = by_mdc().get(mdc)
    return code.key if code else f"mdc:{mdc}"


def mdc_of(channel: str) -> int | None:
    """The MDC code of a channel; None for a device's own label."""
    if channel.startswith("mdc:"):
        return int(channel[4:])
    code = codes().get(channel)
    return code.mdc if code else None


def is_channel(channel: str) -> bool:
    """Whether a driver may use this name (see drivers.contract)."""
    if channel.startswith("mdc:"):
        return channel[4:].isdecimal()
    return channel in codes() or ":" in channel
