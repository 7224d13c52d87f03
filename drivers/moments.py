"""Clocks of devices: a day or an hour that does not exist is no time, whatever the line made of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from drivers.contract import DeviceTime


def existing(iso: str) -> str:
    """The date and time as it was given, "" if there is no such day or hour."""
    try:
        datetime.fromisoformat(iso)
    except ValueError:
        return ""
    return iso


def clock(iso: str) -> Iterator[DeviceTime]:
    """What the device's clock says; nothing where that is no moment."""
    if existing(iso):
        yield DeviceTime(iso)
