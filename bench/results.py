"""What the harness of the side-by-side reports, as figures: which number is called what, and how large it may be.

A figure is a name, a number, a unit and the command that measures it again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

WORKLOADS = ("A", "B", "C", "D")
STEADY = ("A", "B")  # the ones that peers run too, for the ratio
REAL = "REAL"  # workload A, but the ECG is a patient's
NOUNS = {"A": "frame", "B": "packet", "C": "frame", "D": "frame", REAL: "frame"}  # what the harness calls a sample

# name -> (where in the harness's answer, unit); {} is the noun
USE = {
    "cpu": ("use.cpu_us", "us/{}"),
    "cpu_normalised": ("use.cpu_us_norm", "us/{}"),
    "wire": ("use.wire_all", "B/{}"),
    "disk": ("use.disk", "B/{}"),
    "rss_peak": ("use.rss_peak_mb", "MiB"),
    "load": ("load1", "1"),
}
COUNTS = {
    "lost": ("lost", "{}s"),
    "overrun": ("overrun", "{}s"),
    "duplicates": ("duplicates", "{}s"),
    "corrupt": ("corrupt", "{}s"),
}
LATENCY = {"latency_p50": ("lat_p50_ms", "ms"), "latency_p99": ("lat_p99_ms", "ms")}
RETURN = {"first_data_after": ("resume_s", "s"), "drained_after": ("drained_s", "s")}
KILL = {
    "lost_of_read": ("lost-overrun", "{}s"),  # what the line took was read, or will be
    "lost_before_outage": ("before.lost", "{}s"),
    "lost_before_kill": ("out_pre_kill.lost", "{}s"),
    "overrun_before_kill": ("out_pre_kill.overrun", "{}s"),
    "lost_while_down": ("down.lost", "{}s"),
    "overrun_while_down": ("down.overrun", "{}s"),
    "lost_after_restart": ("out_post_kill.lost", "{}s"),
    "overrun_after_restart": ("out_post_kill.overrun", "{}s"),  # while it starts
    "lost_after_outage": ("after.lost", "{}s"),
    "duplicates": ("duplicates", "{}s"),
    "corrupt": ("corrupt", "{}s"),
}
SHOWN = {
    REAL: COUNTS | USE | LATENCY,
    "A": COUNTS | USE | LATENCY,
    "B": COUNTS | USE | LATENCY,
    "C": COUNTS | RETURN | USE,
    "D": KILL | RETURN | USE,
}
OF_PEERS = ("cpu", "wire", "disk", "rss_peak", "load")

# The largest value that is still good.
STEADY_BARS = {"cpu": 30.0, "wire": 8.0, "disk": 20.0, "lost": 0, "overrun": 0, "duplicates": 0, "corrupt": 0}
BARS: dict[str, float] = {
    **{f"{workload.lower()}.{name}": limit for workload in STEADY for name, limit in STEADY_BARS.items()},
    **{f"real.{name}": limit for name, limit in (STEADY_BARS | {"wire": 6.0}).items()},
    **dict.fromkeys(("c.lost", "c.overrun", "c.duplicates", "c.corrupt"), 0),
    "d.lost_before_outage": 0,
    "d.lost_of_read": 500,  # the last second, which was not yet durable
    "d.lost_before_kill": 500,
    "d.overrun_before_kill": 0,
    "d.overrun_after_restart": 500,  # a second in which Python starts and nothing reads the line
    "d.lost_after_outage": 0,
    "d.duplicates": 0,
    "d.corrupt": 0,
    "rss8": 59.9,
    "rss8.overrun": 0,
    "start_to_first_envelope": 1.0,
    "links.p4.first_live_vital_after_connack": 2.0,
    "links.p1.drain.live_age_p95": 10.0,
}
LEAST: dict[str, float] = {"links.p1.drain.used": 80.0, "codec.12x500.encode": 40.0, "codec.12x500.decode": 40.0}


@dataclass(frozen=True, slots=True)
class Figure:
    """`command` is what a reader types, from the top of the tree, to measure it again."""

    name: str
    value: float
    unit: str
    command: str

    def line(self) -> str:
        return f"{self.name} {number(self.value)} {self.unit}"


def number(value: float) -> str:
    """Four digits are more than any measurement here is worth; large counts are whole."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def at(answer: Mapping[str, Any], path: str) -> float | None:
    """The number at `path` ("use.cpu_us", or a difference, "lost-overrun"); None where the answer has none."""
    whole, minus, part = path.partition("-")
    if minus:
        first, second = at(answer, whole), at(answer, part)
        return None if first is None or second is None else first - second
    found: Any = answer
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, int | float) else None


def of_runs(name: str, values: Sequence[float]) -> float:
    """The median of several runs; of what must not happen at all, the worst."""
    never = name.partition("_")[0] in ("lost", "overrun", "duplicates", "corrupt")
    return max(values) if never else median(values)


def of_workload(workload: str, answers: Sequence[Mapping[str, Any]], command: str) -> list[Figure]:
    """Our own figures of one workload, `a.cpu` and so on, from the answers of its runs."""
    return list(_shown(workload.lower(), workload, answers, command, SHOWN[workload]))


def of_peer(peer: str, workload: str, answers: Sequence[Mapping[str, Any]], command: str) -> list[Figure]:
    """What a peer needed in the same run, `a.outbox-enc.cpu` and so on."""
    shown = {name: USE[name] for name in OF_PEERS}
    return list(_shown(f"{workload.lower()}.{peer}", workload, answers, command, shown))


def _shown(
    prefix: str,
    workload: str,
    answers: Sequence[Mapping[str, Any]],
    command: str,
    names: Mapping[str, tuple[str, str]],
) -> Iterable[Figure]:
    for name, (path, unit) in names.items():
        values = [value for answer in answers if (value := at(answer, path)) is not None]
        if values:
            value = round(of_runs(name, values), 3)
            yield Figure(f"{prefix}.{name}", value, unit.format(NOUNS[workload]), command)


def ratio(peer: str, workload: str, figures: Iterable[Figure], command: str) -> list[Figure]:
    """Our CPU by the peer's, `a.ratio_to_outbox-enc`; nothing where either is missing."""
    values = {figure.name: figure.value for figure in figures}
    letter = workload.lower()
    ours, theirs = values.get(f"{letter}.cpu"), values.get(f"{letter}.{peer}.cpu")
    if ours is None or not theirs:
        return []
    return [Figure(f"{letter}.ratio_to_{peer}", round(ours / theirs, 3), "1", command)]


def missed(figures: Iterable[Figure], bars: Mapping[str, float] = BARS) -> list[str]:
    """A line for each bar that was not held."""
    return [line for figure in figures if (line := _missed(figure, bars))]


def verdict(figures: Iterable[Figure], bars: Mapping[str, float] = BARS) -> int:
    """Say on stderr which bars were not held; the exit code: 1 where one was not."""
    lines = missed(figures, bars)
    for line in lines:
        print(line, file=sys.stderr)
    return 1 if lines else 0


def _missed(figure: Figure, bars: Mapping[str, float]) -> str:
    if figure.name in bars and figure.value > bars[figure.name]:
        return f"missed: {figure.line()}, the bar is {number(bars[figure.name])}"
    if figure.name in LEAST and figure.value < LEAST[figure.name]:
        return f"missed: {figure.line()}, the bar is {number(LEAST[figure.name])} or more"
    return ""


def as_json(
    figures: Iterable[Figure], left_out: Sequence[str], before: Mapping[str, Any], **about: str
) -> dict[str, Any]:
    """What bench/figures.json holds: when and where it was measured last, what was not, then every figure by name.

    `before` are figures of an earlier run that were not measured again; each has its own date.
    """
    known = {"date": about.get("date", "")}
    new = {f.name: {"value": f.value, "unit": f.unit, "command": f.command, **known} for f in figures}
    return {**about, "left_out": list(left_out), "figures": {**before, **new}}
