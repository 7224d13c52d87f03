"""Numbers of Mindray's Patient Data Share protocol, and units and channels of both ways to say a reading.

Source: the programmer's guide "Patient Data Share Protocol" (H-0010-20-43061-2) as public programs follow it; labels
as a BeneView T8 sent them. The protocol leaves OBX-6 empty: pressures, temperatures and CO2 are in the unit that the
monitor is set to, and it does not say which.
"""

from __future__ import annotations

import re
from functools import cache

from drivers.vocabulary import codes, units_by_mdc

DRIVER_ID = "mindray_hl7"
# Units that depend on how the monitor is set; an option of the driver's by this name replaces them.
SET_UNITS = {"pressure": "mm[Hg]", "temperature": "Cel", "co2": "mm[Hg]"}

# Parameter id: channel, and a unit or one of the words above.
PARAMETERS: dict[str, tuple[str, str]] = {
    "101": ("ecg.hr", "/min"),
    "102": ("ecg.pvc_rate", "/min"),
    "151": ("resp.rr", "/min"),
    "160": ("spo2", "%"),
    "161": ("spo2.pr", "/min"),
    "162": ("spo2.perf_index", "%"),
    "170": ("nibp.sys", "pressure"),
    "171": ("nibp.dia", "pressure"),
    "172": ("nibp.map", "pressure"),
    "173": ("nibp.pr", "/min"),
    "200": (f"{DRIVER_ID}:T1", "temperature"),
    "201": (f"{DRIVER_ID}:T2", "temperature"),
    "202": (f"{DRIVER_ID}:TD", "temperature"),
    "210": ("cardiac.output", "L/min"),
    "212": ("cardiac.index", "L/(min.m2)"),
    "213": (f"{DRIVER_ID}:TB", "temperature"),
    "250": ("co2.et", "co2"),
    "251": ("co2.insp", "co2"),
    "280": ("resp.rr_co2", "/min"),
    "500": ("ibp.art_sys", "pressure"),
    "501": ("ibp.art_map", "pressure"),
    "502": ("ibp.art_dia", "pressure"),
    "503": ("ibp.pap_sys", "pressure"),
    "504": ("ibp.pap_map", "pressure"),
    "505": ("ibp.pap_dia", "pressure"),
    "566": ("ibp.cvp_mean", "pressure"),
    "600": ("pulse.generic", "/min"),
}
LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
PARAMETERS |= {str(105 + at): (f"ecg.st_{lead}", "") for at, lead in enumerate(LEADS)}  # mV or mm: not said
NO_VALUE = frozenset(("-100", "-1000", "-10000"))


@cache
def channels(kind: str) -> dict[int, str]:
    """Channels by MDC code; `kind` is num or wave, since a wave and a number may share a code."""
    table: dict[int, str] = {}
    for code in codes().values():
        if code.mdc is not None and code.kind == kind:
            table.setdefault(code.mdc, code.key)
    return table


def channel_of(identifier: list[str], kind: str) -> str:
    """The channel of an OBX-3 such as 150456^MDC_PULS_OXIM_SAT_O2^MDC; empty where it names nothing."""
    code, label, system = [*identifier, "", "", ""][:3]
    if code.isdecimal() and int(code) and system == "MDC":
        return channels(kind).get(int(code)) or f"mdc:{int(code)}"
    own = re.sub(r"\W+", "_", label or code, flags=re.ASCII).strip("_")
    return f"{DRIVER_ID}:{own}" if own else ""


def unit_of(field: list[str]) -> str:
    """UCUM for an OBX-6 such as 262688^MDC_DIM_PERCENT^MDC or %^%^UCUM, alone or side by side."""
    for at in range(0, len(field), 3):
        code, label, system = [*field[at:], "", "", ""][:3]
        if system == "UCUM" and code:
            return code
        if system == "MDC" and code.isdecimal():
            return units_by_mdc().get(int(code)) or f"mdc:{int(code)}"
        if code and not system:
            return label or code
    return ""
