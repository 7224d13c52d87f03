"""Readings that carry when they were taken, for tests that look at one or the other."""

from collections.abc import Iterable
from dataclasses import replace

from drivers.contract import DeviceTime, Numeric, Output


def undated(said: Iterable[Output]) -> list[Output]:
    """The same without the times that readings carry."""
    return [replace(one, taken=None) if isinstance(one, Numeric) else one for one in said]


def times(said: Iterable[Output]) -> list[DeviceTime | None]:
    """When its readings were taken, each time once."""
    found = (one.taken for one in said if isinstance(one, Numeric))
    return list(dict.fromkeys(found))
