"""Clocks beside the system's: the one with the battery, and a satellite receiver. What is not there costs nothing."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from agent import clock
from wire.records import Anchor

RTC = Path("/sys/class/rtc/rtc0/since_epoch")
GPSD = ("127.0.0.1", 2947)
FIX_LIMIT_S = 3.0
FIX_LIMIT_BYTES = 65536
LATE_US = 500_000  # a fix is told within the second it is of, mostly: the middle of it, and as much again as error
EPT_LEAST_US = 200_000  # a receiver without a pulse
_WATCH = b'?WATCH={"enable":true,"json":true}\n'


def rtc_us() -> int | None:
    """What the battery's clock says, in microseconds since 1970 by whole seconds; None where there is none."""
    try:
        return int(RTC.read_text("ascii")) * 1_000_000
    except (OSError, ValueError):
        return None


def fix() -> Anchor | None:
    """What gpsd's receiver says of the time; None where there is no gpsd, receiver or fix. Blocks, for 3 s at most."""
    try:
        with socket.create_connection(GPSD, timeout=FIX_LIMIT_S) as gpsd:
            gpsd.sendall(_WATCH)
            until = clock.now() + int(FIX_LIMIT_S * 1e9)
            return _listen(gpsd, until)
    except OSError:
        return None


def _listen(gpsd: socket.socket, until: int) -> Anchor | None:
    rest = b""
    while (left := until - clock.now()) > 0:
        gpsd.settimeout(left / 1e9)
        data = gpsd.recv(4096)
        now = clock.now()
        *lines, rest = (rest + data).split(b"\n")
        if not data or len(rest) > FIX_LIMIT_BYTES:
            return None
        for line in lines:
            anchor = heard(line, now)
            if anchor is not None:
                return anchor
    return None


def heard(line: bytes, now: int) -> Anchor | None:
    """The anchor of one line of gpsd's that came at `now`, monotonic ns: a TPV report with a fix (gpsd_json(5))."""
    import json  # noqa: PLC0415  only where there is a gpsd
    from datetime import datetime  # noqa: PLC0415

    try:
        said: dict[str, Any] = json.loads(line)
        if said.get("class") != "TPV" or said.get("mode", 0) < 2:
            return None
        told = datetime.fromisoformat(said["time"])
        if told.tzinfo is None:
            return None
        utc, ept = round(told.timestamp() * 1e6), round(float(said.get("ept", 0)) * 1e6)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return Anchor(now // 1000, utc + LATE_US, max(EPT_LEAST_US, ept) + LATE_US, "gnss") if ept >= 0 else None
