"""systemd-timesyncd's account of its last answer: the property NTPMessage on D-Bus (org.freedesktop.timesync1(5)).

Asked through busctl, which is where systemd is: loading a D-Bus library would cost the gateway more than the answer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RUNS = Path("/run/systemd/timesync")  # its RuntimeDirectory: there while it runs
COMMAND = (
    *("busctl", "--system", "--auto-start=no", "--json=short", "get-property", "org.freedesktop.timesync1"),
    *("/org/freedesktop/timesync1", "org.freedesktop.timesync1.Manager", "NTPMessage"),
)
DRIFT_PPM = 100
_SIGNATURE = "(uuuuittayttttbtt)"
_STRATUM_LIMIT = 16
_UNSYNCHRONISED_LEAP = 3


def error_us(text: str, utc_us: int, left_us: int) -> int | None:
    """The clock's error bound at `utc_us` by that clock; None where no answer came yet, or it was no good.

    Root delay / 2 + root dispersion + half its own round trip + jitter, grown since by 100 ppm, and `left_us`: what
    the kernel has still to slew of the offset that was found.
    """
    fields = _fields(text)
    if fields is None:
        return None
    leap, _, _, stratum, _, delay, dispersion, _, origin, received, sent, arrived, spike, count, jitter = fields
    if spike or not count or leap == _UNSYNCHRONISED_LEAP or not 0 < stratum < _STRATUM_LIMIT:
        return None
    trip = (arrived - origin) - (sent - received)
    age = utc_us - arrived
    if trip < 0 or age < 0:
        return None
    return int(delay // 2 + dispersion + trip // 2 + jitter + age * DRIFT_PPM // 1_000_000 + left_us + 1)


def _fields(text: str) -> Sequence[Any] | None:
    try:
        said = json.loads(text)
        return said["data"] if said["type"] == _SIGNATURE and len(said["data"]) == 15 else None
    except (ValueError, KeyError, TypeError):
        return None
