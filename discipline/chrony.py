"""chronyd's account of the system clock: `chronyc -c tracking`, one line of CSV (chronyc(1), chrony 4)."""

from __future__ import annotations

COMMAND = ("chronyc", "-c", "tracking")
_FIELDS = 14
_REF, _STRATUM, _OFFSET, _ROOT_DELAY, _ROOT_DISPERSION, _LEAP = 0, 2, 4, 10, 11, 13
_LOCAL = "7F7F0101"  # "local stratum": it follows nobody, and only says so to its clients


def error_us(text: str) -> int | None:
    """The clock's error bound; None where chronyd follows nobody, or says what we do not understand.

    chrony.conf(5): clock_error <= |system_time_offset| + root_dispersion + root_delay / 2.
    """
    fields = text.strip().split(",")
    if len(fields) != _FIELDS or fields[_LEAP] == "Not synchronised" or fields[_REF] == _LOCAL:
        return None
    try:
        stratum = int(fields[_STRATUM])
        offset, delay, dispersion = (float(fields[at]) for at in (_OFFSET, _ROOT_DELAY, _ROOT_DISPERSION))
        bound = abs(offset) + dispersion + delay / 2
        return round(bound * 1e6) + 1 if stratum > 0 and delay >= 0 and dispersion >= 0 else None
    except (ValueError, OverflowError):
        return None
