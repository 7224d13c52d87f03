"""Clocks of devices: a day or an hour that does not exist is no time, whatever the line made of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from drivers.contract import DeviceTime, Numeric, Output


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


def taken(when: DeviceTime | None, said: Iterable[Output]) -> Iterator[Output]:
    """The same, with the time at which its readings were taken; None: the device does not say."""
    for one in said:
        yield replace(one, taken=when) if when is not None and isinstance(one, Numeric) else one
