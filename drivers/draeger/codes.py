"""What the two-digit codes of MEDIBUS mean: channels and units.

A code says what and in which unit. A code that is not here, or whose unit no source names, goes out under the device's
own label with no unit. Labels: `1-7D` measured, code page 1, code 7D; `low-1-B9`, `high-1-7D` alarm limits;
`setting-0B`; `curve-03`.

Source: "MEDIBUS for Draeger intensive care devices" for the Evita codes; OpenICE (mdpnp/mdpnp at 22149544, BSD-2) and
the comments of xeonfusion/VSCaptureDrgVent at f09a6084 for the others.
"""

from __future__ import annotations

DRIVER_ID = "draeger_medibus"

CHANNELS = {  # code page 1
    "73": "vent.p_mean", "78": "vent.peep", "7D": "vent.p_max", "82": "vent.tidal_vol", "88": "vent.tidal_vol",
    "D5": "resp.rr_co2", "D6": "resp.rr", "DA": "co2.insp", "DB": "co2.et", "E1": "spo2.pr", "E3": "co2.et",
    "E5": "co2.insp", "E6": "co2.et", "EB": "spo2", "F0": "o2.fio2", "FF": "co2.insp",
}  # fmt: skip

_MEASURED_BY_UNIT = {
    "mbar": "05 6B 71 73 74 78 79 7D",
    "mL/mbar": "06",
    "L/bar": "07",
    "mbar.s/L": "08",
    "mL/min": "09 B2 DD DE E2",
    "kPa": "50 51 52 53 54 55 56 57 58 59 5A 5B 5C 5D E3 FF",
    "L": "7E 7F 82",
    "mL": "83 84 85 88",
    "%": "AE AF B0 B1 B3 B6 C4 DA DB E9 EA EB ED EE EF F0 F4 F5 F6 F7 F8 F9 FB FC",
    "/min": "7B B4 B5 D5 D6 D7 D9 DF E1",
    "L/min": "B7 B9",
    "s": "BD",
    "mm[Hg]": "E5 E6",
    "1": "2A AC AD E7 E8",
}
_SETTINGS_BY_UNIT = {
    "%": "01 27",
    "L/min": "02 29",
    "L": "04",
    "mL": "40",
    "s": "05 0F 10 11 17 2E",
    "1": "07 08",
    "/min": "09 0A 16 42",
    "mbar": "0B 0C 0D 0E 12 13 15 45",
    "mL/min": "2F",
    "a": "4A",
    "kg": "4B",
}


def _by_code(by_unit: dict[str, str]) -> dict[str, str]:
    return {code: unit for unit, codes in by_unit.items() for code in codes.split()}


MEASURED_UNITS = {
    "1": _by_code(_MEASURED_BY_UNIT),
    "2": _by_code({"mL": "00 21 22", "mbar/L": "06", "s": "07 7D", "mbar": "23", "%": "7B"}),
}
SETTING_UNITS = _by_code(_SETTINGS_BY_UNIT)

# Curves worth having, and what they are: airway pressure, flow, then the first there is of CO2, volume.
CURVES = {
    0x00: ("mdc:151792", "mbar"),
    0x01: ("mdc:151764", "L/min"),
    0x03: (f"{DRIVER_ID}:curve-03", "mL"),
    0x06: ("co2.wave", "mm[Hg]"),
    0x07: ("co2.wave", "kPa"),
    0x08: ("co2.wave", "%"),
    0x24: (f"{DRIVER_ID}:curve-24", "mL"),
}
ALWAYS_WANTED = (0x00, 0x01)
ONE_OF = (0x06, 0x07, 0x08, 0x03, 0x24)


def priority(number: int) -> str:
    """MEDIBUS counts 1 to 31: advisories to 10, cautions to 24, warnings above."""
    if not 1 <= number <= 31:
        return "unknown"
    return "low" if number <= 10 else "medium" if number <= 24 else "high"
