"""Twelve leads of ten seconds, as a sheet shows them: pure. No lead is ever made from others (REQUIREMENTS ECG-02).

What a device did not send stays empty: III, aVR, aVL and aVF by arithmetic would carry this program's rounding and the
skew of two channels under the name of a measured lead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
SECONDS = 10
MILLIVOLTS = {"mV": 1.0, "uV": 0.001, "V": 1000.0}
DIAGNOSTIC_LOW_HZ, DIAGNOSTIC_HIGH_HZ = 0.05, 150.0
CENTRE_STEP_MV = 0.5
_BAND = re.compile(r"(\d+(?:\.\d+)?)\s*(?:hz)?\s*(?:-|–|to|\.\.)\s*(\d+(?:\.\d+)?)\s*hz", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Run:
    """Samples that follow each other: the first `at_us` after the left edge, one each `step_us`; millivolts."""

    at_us: float
    step_us: float
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """From `begin_us` to `end_us` after the left edge: a hole with its cause, or a mark with its kind."""

    begin_us: float
    end_us: float
    words: str


@dataclass(slots=True)
class Lead:
    """One of `LEADS`. Without runs and holes it was not sent."""

    name: str
    runs: list[Run] = field(default_factory=list)
    holes: list[Part] = field(default_factory=list)
    marks: list[Part] = field(default_factory=list)
    filters: set[str] = field(default_factory=set)

    @property
    def is_sent(self) -> bool:
        return bool(self.runs or self.holes)

    @property
    def centre(self) -> float:
        """Where its strip stands, in millivolts: the median by half millivolts. The samples stay what they are."""
        values = sorted(value for run in self.runs for value in run.values)
        return round(values[len(values) // 2] / CENTRE_STEP_MV) * CENTRE_STEP_MV if values else 0.0


@dataclass(slots=True)
class Sheet:
    """What is printed around the leads, in words that are ready to be read."""

    leads: list[Lead]
    patient: str
    bed: str
    when: str
    error: str
    device: str
    printed: str


def say_what_is_missing(lead: Lead, span_us: float) -> None:
    """Whatever of `span_us` neither a run nor a hole covers becomes a hole: nothing is left blank without a word."""
    if not lead.is_sent:
        return
    step = max((run.step_us for run in lead.runs), default=0.0)
    covered = [(run.at_us, run.at_us + len(run.values) * run.step_us) for run in lead.runs]
    covered += [(hole.begin_us, hole.end_us) for hole in lead.holes]
    position = 0.0
    for begin, end in sorted([*covered, (span_us, span_us)]):
        if begin - position > 2 * step:
            lead.holes.append(Part(position, min(begin, span_us), "nothing recorded"))
        position = max(position, end)


def channel(lead: str) -> str:
    """The channel key of a lead."""
    return f"ecg.{lead.lower()}"


def is_diagnostic(filter_name: str) -> bool:
    """Whether the device says that its band is 0.05 to 150 Hz or wider. What it does not say is not assumed."""
    found = _BAND.search(filter_name)
    if found:
        return float(found[1]) <= DIAGNOSTIC_LOW_HZ and float(found[2]) >= DIAGNOSTIC_HIGH_HZ
    return filter_name.lower().startswith("diag")


def band(filters: set[str]) -> str:
    """What is to be said of the bands of the leads that were sent."""
    said = ", ".join(sorted(filters - {""}))
    if filters and all(is_diagnostic(one) for one in filters):
        return f"diagnostic band (the device says: {said})"
    if not said:
        return "filter not stated: not for ST"
    if all(one.lower().startswith("monitor") for one in filters):
        return "monitor band: not for ST"
    return f"monitor band: not for ST (the device says: {said}{', and of some nothing' if '' in filters else ''})"
