"""What the formats of electrocardiography have in common: leads, pieces of bounded length, and what they leave out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from centre.export import context, samples
from centre.export.archive import Archive
from centre.export.deliver import Member
from centre.export.plan import Plan, RefusedError, Strip
from centre.export.segments import Segment
from centre.rows import Stream
from centre.web.plain import plain

PIECE_SECONDS = 600
NO_LEAD = "no lead with a code"
LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
TERMS = dict(zip(LEADS, (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8), strict=True)) | {"unspecified": 0}
NAMES = {"avr": "aVR", "avl": "aVL", "avf": "aVF"}
_BAND = re.compile(r"(\d+(?:\.\d+)?) ?- ?(\d+(?:\.\d+)?) ?Hz", re.ASCII)
_NOTCH = re.compile(r"notch (\d{2}) ?Hz", re.ASCII)


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples of a segment, from index `first`: shape (rows, n), n at most ten minutes."""

    strip: Strip
    rows: tuple[int, ...]
    first: int
    values: NDArray[np.int32]

    @property
    def streams(self) -> list[Stream]:
        return [self.strip.streams[row] for row in self.rows]

    @property
    def name(self) -> str:
        return f"{self.strip.name}-{self.first}"


def lead(stream: Stream) -> str:
    """`ii` of `ecg.ii`; "" where it is no lead that has a code."""
    kind, _, word = stream.channel.partition(".")
    return word if kind == "ecg" and word in TERMS else ""


def refid(word: str) -> str:
    """The lead's name in the nomenclature."""
    return "MDC_ECG_LEAD" + ("" if word == "unspecified" else f"_{word.upper()}")


def band(stream: Stream) -> tuple[str, str]:
    """(low, high) in Hz where the device's own words have them, else empty."""
    found = _BAND.search(stream.filter)
    return (found[1], found[2]) if found else ("", "")


def notch(stream: Stream) -> str:
    """In Hz, where the device says it."""
    found = _NOTCH.search(stream.filter)
    return found[1] if found else ""


def members(
    archive: Archive, plan: Plan, check: Callable[[Archive, Strip], None], write: Callable[[Piece], Iterator[Member]]
) -> Iterator[Member]:
    """Leads of each strip, piece by piece; what is no ECG, or what `check` refuses, is named in `left-out.json`.

    Raises RefusedError where nothing is left.
    """
    taken: list[Strip] = []
    left: list[dict[str, str]] = []
    why, hint = "", "wfdb, edf, csv or parquet"
    for strip in plan.strips:
        for other in (s for s in strip.streams if not lead(s)):
            left.append({"strip": strip.name, "channel": plain(other.channel), "why": NO_LEAD})
        leads = narrowed(strip)
        try:
            if leads is not None:
                check(archive, leads)
                taken.append(leads)
        except RefusedError as error:
            left.append({"strip": strip.name, "channel": "", "why": str(error)})
            why, hint = str(error), error.hint
    if not taken:
        raise RefusedError(why or (NO_LEAD if left else "no ECG is there for this time"), hint)
    for strip in taken:
        for piece in pieces(archive, strip):
            yield from write(piece)
        yield from context.beside(archive, strip)
    if left:
        yield Member("left-out.json", [json.dumps(left, indent=1).encode() + b"\n"])


def pieces(archive: Archive, strip: Strip) -> Iterator[Piece]:
    length = max(1, int(strip.streams[0].rate * PIECE_SECONDS))
    for segment in strip.segments:
        at = segment.first
        for values in samples.chunks(archive, strip, segment, length):
            yield Piece(strip, segment.rows, at, values)
            at += values.shape[1]


def narrowed(strip: Strip) -> Strip | None:
    """The strip with its leads alone; None where there are none."""
    kept = [row for row, stream in enumerate(strip.streams) if lead(stream)]
    if len(kept) == len(strip.streams):
        return strip
    places = {row: place for place, row in enumerate(kept)}
    segments: list[Segment] = []
    for one in strip.segments:
        here = tuple(places[row] for row in one.rows if row in places)
        if segments and segments[-1].last == one.first and segments[-1].rows == here:
            segments[-1] = Segment(segments[-1].first, one.last, here)
        elif here:
            segments.append(Segment(one.first, one.last, here))
    if not segments:
        return None
    holes = tuple((places[row], hole) for row, hole in strip.holes if row in places)
    return replace(strip, streams=tuple(strip.streams[row] for row in kept), segments=tuple(segments), holes=holes)
