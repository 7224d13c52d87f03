"""What glucose meters and continuous sensors share: whose sugar it is, by the type nibble of both profiles.

Codes of ISO/IEEE 11073-10417 where the vocabulary has none. A control solution is no patient's.
"""

from __future__ import annotations

TYPES = {
    1: "gluc.cap_wb",
    2: "gluc.cap_plasma",
    3: "mdc:160192",  # MDC_CONC_GLU_VENOUS_WHOLEBLOOD
    4: "gluc.ven_plasma",
    5: "mdc:160200",  # MDC_CONC_GLU_ARTERIAL_WHOLEBLOOD
    6: "mdc:160204",  # MDC_CONC_GLU_ARTERIAL_PLASMA
    7: "mdc:160364",  # MDC_CONC_GLU_UNDETERMINED_WHOLEBLOOD
    8: "mdc:160368",  # MDC_CONC_GLU_UNDETERMINED_PLASMA
    9: "gluc.isf",
    10: "mdc:160208",  # MDC_CONC_GLU_CONTROL
}
CONTROL = 10
LOCATIONS = {1: "finger", 2: "alternate site", 3: "earlobe", 4: "control solution", 5: "subcutaneous tissue"}
NO_LOCATION = 15


def location(nibble: int) -> str | None:
    """Where the sample was taken; None where it is not available."""
    return None if nibble == NO_LOCATION else LOCATIONS.get(nibble, f"code {nibble}")
