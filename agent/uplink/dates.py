"""Certificates against what we know of UTC, which is an interval, and not against the system's clock (ADR 20). Pure.

OpenSSL checks everything else of the chain. A certificate must be valid at every moment that it may be now; where
only a bound from below is known, at that bound. Nothing is accepted because nobody knows the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from wire.validity import validity

HINTS = {
    "wall": "nobody confirms this machine's clock: give it NTP, or `time` in gateway.toml, or `wardlink time set`",
    "floor": "this machine's clock is unset: give it NTP, or `time` in gateway.toml, or `wardlink time set`",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Known:
    """UTC is within `earliest` to `latest`, microseconds since 1970, by `by`: a source, `wall` or `floor`.

    `wall`: what the system's clock says, where that was refused because it is before the floor.
    """

    earliest: int
    latest: int
    by: str
    wall: int | None = None

    def words(self) -> str:
        """What is known, for people."""
        said = f"it is {day(self.earliest)} by {self.by}"
        if self.by == "floor":
            return f"it is {day(self.earliest)} or later" + (
                "" if self.wall is None else f"; the clock says {day(self.wall)}"
            )
        return f"it is {day(self.earliest)} by this machine's clock" if self.by == "wall" else said


@dataclass(frozen=True, slots=True)
class Dates:
    """When all certificates of a chain hold: microseconds since 1970, both included."""

    begin: int
    end: int


class DatesError(Exception):
    """It does not hold at every moment that it may be now. `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def dates_of(chain: Iterable[bytes]) -> Dates:
    """Of a verified chain, DER each, at least one. Raises wire.validity.DateError."""
    each = [validity(der) for der in chain]
    return Dates(max(begin for begin, _ in each), min(end for _, end in each))


def check(dates: Dates, known: Known, whose: str) -> None:
    """Raises DatesError."""
    if known.latest > dates.end:
        what = "has expired" if known.earliest > dates.end else "may have expired"
        hint = HINTS.get(known.by, f"renew it: it held until {day(dates.end)}")
        raise DatesError(f"{whose} {what} ({day(dates.end)}): {known.words()}", hint)
    if known.earliest < dates.begin:
        what = "is not valid yet" if known.latest < dates.begin else "may not be valid yet"
        hint = HINTS.get(known.by, "was it made by a machine with a wrong clock? make it again")
        raise DatesError(f"{whose} {what} ({day(dates.begin)}): {known.words()}", hint)


def day(utc: int) -> str:
    """To the minute, for people."""
    try:
        return (_EPOCH + timedelta(microseconds=utc)).strftime("%Y-%m-%d %H:%M UTC")
    except OverflowError:
        return "a year beyond all calendars"
