"""Numbers of the Data Export nomenclature that the driver knows: attributes, states, units, channels.

Source: Philips Data Export Interface Programming Guide rev. G.0, "Attribute Data Types and Constants Used".
Partition 2 is SCADA-Physio (what is measured), 3 events, 4 units; a context-free code is partition * 65536 + code.
"""

from __future__ import annotations

from functools import lru_cache

from drivers.contract import Why
from drivers.vocabulary import codes, units_by_mdc

DRIVER_ID = "philips_intellivue"
PRIVATE = 0xF000
PHYSIO, EVENTS, UNITS = 2 << 16, 3 << 16, 4 << 16

NUMERICS, WAVES, ALARMS, MDS = 0x0006, 0x0009, 0x0036, 0x0021  # object classes

PATIENT_ALARMS, TECHNICAL_ALARMS, ALERT_CONDITION = 0x0902, 0x0904, 0x0916
MODEL, PRODUCTION, SYSTEM_ID, OPERATING_MODE, DATE_AND_TIME = 0x0928, 0x092D, 0x0984, 0x0946, 0x0987
METRIC_SPEC, MEASURE_MODE, UNIT = 0x093F, 0x0945, 0x0996
NUMERIC, NUMERICS_COMPOUND, TIME_STAMP = 0x0950, 0x094B, 0x0990
WAVE, WAVES_COMPOUND = 0x096E, 0x0967
SAMPLE_SPEC, SCALE_RANGE, SAMPLE_PERIOD, FIXED_VALUES = 0x096D, 0x096F, 0x098D, 0x0A16
# What objects say of themselves once and after a change, kept per object, and its bytes.
DESCRIBING = {
    METRIC_SPEC: 12,
    MEASURE_MODE: 2,
    UNIT: 2,
    SAMPLE_SPEC: 6,
    SCALE_RANGE: 12,
    SAMPLE_PERIOD: 4,
    FIXED_VALUES: 4,
}
SETTINGS = frozenset((3, 4, 130))  # metric categories that are no measurement: settings and alarm limits

INVALID, UNAVAILABLE = 0x8000, 0x2000
ABSENT = ((INVALID, Why.INVALID), (UNAVAILABLE, Why.UNAVAILABLE))
# The value stands, and the monitor says why to doubt it. "Valid if the first octet of the state is all 0."
DOUBT = ((0x0400, Why.DEMO), (0x0800, Why.TEST), (0x1000, Why.CALIBRATING), (0x4300, Why.QUESTIONABLE))

MARKS = {1: "invalid", 2: "pace", 3: "defib", 4: "saturated", 5: "beat"}  # SaFixedValId
FILTERS = ((0x0080, "diagnostic"), (0x0040, "monitor"), (0x0020, "filter"))  # MeasureMode
MODES = ((0x2000, "mode-demo"), (0x1000, "mode-service"), (0x0002, "mode-standby"), (0x0001, "mode-config"))
ALERT_STATES = (
    (0x8000, "alarms-inhibited"),
    (0x4000, "alarms-suspended"),
    (0x0400, "alarms-test"),
    (0x0200, "alarms-standby"),
    (0x0100, "alarms-demo"),
)

# UCUM for unit codes the vocabulary has no channel for.
UCUM = {
    0x0000: "1", 0x0240: "[ppth]", 0x0260: "[ppm]", 0x02A0: "[ppb]", 0x0360: "mol/mol", 0x03E0: "[pH]", 0x0400: "[drp]",
    0x0500: "m", 0x0512: "mm", 0x0513: "um", 0x0560: "[in_i]", 0x0592: "mL/m2", 0x05C0: "m2", 0x0672: "mL/{breath}",
    0x06C0: "g", 0x06D2: "mg", 0x06D3: "ug", 0x06D4: "ng", 0x06E0: "[lb_av]", 0x0740: "g.m", 0x0743: "kg.m",
    0x0760: "g.m/m2", 0x0763: "kg.m/m2", 0x0800: "g/L", 0x0840: "g/dL", 0x0880: "s", 0x0893: "us", 0x08A0: "min",
    0x08C0: "h", 0x08E0: "d", 0x09A0: "/s", 0x09C0: "Hz", 0x09E0: "/min", 0x0A00: "/h", 0x0AC0: "/min", 0x0B00: "m/s",
    0x0B20: "L/min/m2", 0x0B32: "mL/min/m2", 0x0BE0: "L/s", 0x0C12: "mL/min", 0x0C32: "mL/h", 0x0C72: "mL/kg",
    0x0F00: "Pa", 0x0F02: "hPa", 0x0F03: "kPa", 0x0F72: "mbar", 0x0F80: "J", 0x0FC0: "W", 0x1020: "dyn.s/cm5",
    0x1052: "mA", 0x10A0: "V", 0x10B3: "uV", 0x10C0: "Ohm", 0x10C3: "kOhm", 0x1120: "K", 0x1140: "[degF]",
    0x1272: "mmol/L", 0x1273: "umol/L", 0x12F2: "meq/L", 0x1712: "mL/cm[H2O]", 0x1720: "cm[H2O]/L/s",
    0x1780: "dyn.s.m2/cm5", 0x1912: "mL/dL", 0x1920: "dB",
}  # fmt: skip


def unit_of(code: int) -> str:
    """UCUM, or `mdc:<code>` for a unit nobody named."""
    return units_by_mdc().get(UNITS + code) or UCUM.get(code) or f"mdc:{UNITS + code}"


@lru_cache(maxsize=1024)
def channel_of(physio: int, kind: str) -> str:
    """The channel of a physio id; `kind` is num or wave, since a wave and a number may share an id (ECG II, ABP)."""
    if physio >= PRIVATE:
        return f"{DRIVER_ID}:0x{physio:04X}"
    return _keys(kind).get(PHYSIO + physio) or f"mdc:{PHYSIO + physio}"


@lru_cache(maxsize=4)
def _keys(kind: str) -> dict[int, str]:
    table: dict[int, str] = {}
    for code in codes().values():
        if code.mdc is not None and code.kind == kind:
            table.setdefault(code.mdc, code.key)
    return table


def why_absent(state: int) -> Why | None:
    """Why a value in this measurement state is none."""
    return next((why for bits, why in ABSENT if state & bits), None)


def why_doubted(state: int) -> Why | None:
    """Why a value in this measurement state should be doubted."""
    return next((why for bits, why in DOUBT if state & bits), None)
