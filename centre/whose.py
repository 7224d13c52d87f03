"""Whose data these are: the associations of one gateway, laid over each other in the order they were said.

Pure; the rule is in docs/formats.md, section 6. A later one goes before earlier ones for the time it names; `wrong`
takes its time away from the patient it names and gives it to nobody. Moments are (epoch, t): t grows within an epoch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import replace

from centre.rows import Association

Moment = tuple[int, int]
OURS = ("validated", "corrected")  # somebody vouched for it


class Chart:
    """`spans` lie one after the other and overlap nowhere; the last may have no end."""

    def __init__(self, said: Iterable[Association]) -> None:
        spans: list[Association] = []
        for one in said:
            spans = [part for span in spans for part in _without(span, one)] + [one]
        self.spans = sorted(spans, key=lambda span: span.since)
        self._sinces = [span.since for span in self.spans]

    def at(self, moment: Moment) -> Association | None:
        """None where nothing was said of that time."""
        place = bisect_right(self._sinces, moment) - 1
        if place < 0:
            return None
        span = self.spans[place]
        return span if span.until is None or moment < span.until else None

    def has(self, moment: Moment, patient: str, statuses: Collection[str]) -> bool:
        """Whether the data of that moment are in this patient's chart (any, where it is ""), by these statuses."""
        span = self.at(moment)
        if span is None or (patient and (span.status == "wrong" or span.pseudonym != patient)):
            return False
        return span.status in (statuses or (OURS if patient else (span.status,)))


def _without(span: Association, cut: Association) -> Iterable[Association]:
    """What is left of a span around another."""
    if (cut.until is not None and cut.until <= span.since) or (span.until is not None and span.until <= cut.since):
        return (span,)
    left = [replace(span, until=cut.since)] if span.since < cut.since else []
    right = [] if cut.until is None or (span.until is not None and span.until <= cut.until) else [cut.until]
    return [*left, *(replace(span, since=since) for since in right)]
