"""Types of `/history`, what a window of hours looked like, and of the ranges that its reader may then ask for."""

from __future__ import annotations

from pydantic import Field

from centre.web.models import Answer, Epoch, Gateway, Grade, Now, StreamNow, StreamNumber, Version, WaveRange


class WaveRanges(Answer):
    """Samples of several waves of an epoch."""

    now: Now
    waves: list[WaveRange] = Field(description="One for each range, in their order")


class PastPiece(Answer):
    """Samples of a wave without a jump in time: its columns lie evenly between `left` and `right`."""

    first: int = Field(description="Index of the first sample")
    last: int = Field(description="One past the index of the last sample")
    left: int = Field(description="Column of the window in which it begins")
    right: int = Field(description="One past the column in which it ends")
    begun: int = Field(description="UTC of the first sample, microseconds since 1970")
    ended: int = Field(description="UTC of the last sample, microseconds since 1970")
    error: int = Field(description="Bound of the error of both, microseconds")
    grade: Grade
    least: list[int | None] = Field(description="The least sample of each column, the device's integer; null: none")
    greatest: list[int | None] = Field(description="The greatest sample of each column; null: none")


class PastHole(Answer):
    """Columns without a sample. A loss too small to be seen has `right` = `left`."""

    left: int = Field(description="First column")
    right: int = Field(description="One past the last column")
    first: int = Field(description="Index of the first absent sample")
    last: int | None = Field(description="One past the last; null where nobody knows how many: they took no numbers")
    cause: str = Field(description="What the gateway declared, or not-received: may still come")


class PastWave(Answer):
    """A wave of an epoch."""

    wave: StreamNow = Field(description="What the integers mean, and which device said them")
    pieces: list[PastPiece] = Field(description="In the order of `first`")
    holes: list[PastHole] = Field(description="In the order of `left`")


class PastAbsence(Answer):
    """A column in which the device said that there is no value."""

    column: int = Field(description="Column of the window")
    why: str = Field(description="The reason that the gateway gave: sensor-off, device-lost ...; empty: none")


class PastNumeric(Answer):
    """Readings of an epoch, of which the window has any; a reading stands until the next."""

    numeric: StreamNow = Field(description="What it is, and which device said it")
    columns: list[int] = Field(description="Columns of the window with a value")
    least: list[float] = Field(description="The least value of each of these, for drawing")
    greatest: list[float] = Field(description="The greatest")
    absent: list[PastAbsence] = Field(description="By column and reason; a column may have values, too")


class PastEpoch(Answer):
    """An epoch that is dated, as far as it lies in the window."""

    epoch: Epoch
    mapping: Version
    left: int = Field(description="Column of the window in which it begins, or 0")
    right: int = Field(description="One past the column in which it ends")
    begun: int = Field(description="UTC of what is first seen of it, microseconds since 1970")
    ended: int = Field(description="UTC of what is last seen of it, microseconds since 1970")
    error: int = Field(description="Bound of the error of both, microseconds")
    grade: Grade
    waves: list[PastWave] = Field(description="In the order of their numbers")
    numerics: list[PastNumeric] = Field(description="In the order of their numbers")


class PastUndated(Answer):
    """An epoch that no clock vouches for: it may lie in the window, and is put at no point of it."""

    epoch: Epoch
    mapping: Version
    earliest: int | None = Field(description="It surely did not begin before this; null where nobody knows")
    latest: int | None = Field(description="It had surely ended by this; null where nobody knows")
    grade: Grade
    streams: list[StreamNumber] = Field(description="Its streams: /samples has them by number")


class Past(Answer):
    """A window of a bed. Column c covers `width` microseconds from `first` + c * `width`."""

    now: Now
    gateway: Gateway
    first: int = Field(description="UTC of the left edge, microseconds since 1970")
    last: int = Field(description="UTC of the right edge")
    columns: int = Field(description="Columns of the window")
    width: float = Field(description="Microseconds of a column")
    epochs: list[PastEpoch] = Field(description="Oldest first")
    undated: list[PastUndated] = Field(description="Epochs that may lie in the window, and that nobody can date")
    left_out: int = Field(description="Epochs that were not looked at, as there are too many: ask for less")
