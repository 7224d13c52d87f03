"""A story: a storm of faults drawn from the seed, then calm, then the question whether anything is missing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.sim import audited, faults, faults_far, images, oracle, stored
from tests.sim.loop import BORN_NS, SECOND_NS
from tests.sim.stage import Stage

CALM_LIMIT_S = 2 * 3600
LOOK_S = 2.0
LONG_OUTAGES = 0.15  # of all stories: until the calm, so that small spools overflow
UNREADABLE_S = 200  # before which we wait for a grant to come
BEATS = 3  # after which all that was read is sealed, durable and offered


@dataclass(frozen=True)
class Outcome:
    seed: int
    trace: str
    problems: tuple[str, ...]
    counts: Counter
    virtual_s: float
    units: int
    envelopes: int
    steps: int


def play(seed: int, story=None) -> Outcome:
    """Live through one seed."""
    stage = Stage(seed, story)
    try:
        _storm(stage)
        _calm(stage)
        if not stage.problems:
            images.judge(stage)
        if not stage.problems and not stage.is_restored:
            oracle.judge(stage)
            audited.judge(stage)
        units = sum(len(line.truth.units) for line in stage.lines.values())
        stage.tell(f"end: {units} units, {stage.broker.arrived} packets")
        virtual_s = (stage.timeline.now - BORN_NS) / SECOND_NS
        return Outcome(
            seed, stage.trace, tuple(stage.problems), stage.counts, virtual_s, units, stage.broker.arrived,
            stage.timeline.steps,
        )  # fmt: skip
    finally:
        stage.close()


def _storm(stage: Stage) -> None:
    dice = stage.random("story")
    length_s = min(300.0, dice.randint(20, 70) * stage.interval_s)
    stage.centre.start()
    stage.machine.power_on()
    only = [kind for kind in faults.ALL if dice.random() < 0.4] or list(faults.ALL)
    for _ in range(dice.choice((0, 2, 4, 8, 14))):
        kind = dice.choice(only)
        stage.timeline.after(
            dice.uniform(1.0, length_s), _begin, stage, kind, dice.expovariate(3 / length_s) + 0.2, dice
        )
    if dice.random() < LONG_OUTAGES:
        stage.timeline.after(dice.uniform(1.0, 0.3 * length_s), _begin, stage, faults_far.link_down, length_s, dice)
    images.storm(stage, length_s)
    stage.timeline.run(stage.timeline.now + int(length_s * SECOND_NS))


def _begin(stage: Stage, kind, length_s: float, dice) -> None:
    if stage.is_calm:
        return
    stage.count(kind.__name__)
    stage.tell(f"FAULT {kind.__name__} for {length_s:.1f} s: {kind.__doc__ or ''}")
    undo = kind(stage, dice)
    if undo is None:
        return

    def end() -> None:
        if end in stage.ends:
            stage.ends.remove(end)
            stage.tell(f"over: {kind.__name__}")
            undo()

    stage.ends.append(end)
    stage.timeline.after(length_s, end)


def _calm(stage: Stage) -> None:
    """Everything is repaired; devices say a little more and end; then all must drain."""
    stage.is_calm = True
    stage.tell("calm")
    for end in list(stage.ends):
        end()
    stage.machine.card.fatal = None
    timeline = stage.timeline
    stage.devices_end_ns = timeline.now + 4 * SECOND_NS
    end_ns = timeline.now + CALM_LIMIT_S * SECOND_NS
    while timeline.now < end_ns and not stage.problems:
        timeline.run(timeline.now + int(LOOK_S * SECOND_NS))
        if is_drained(stage):
            return
    if not stage.problems:
        stage.problem(f"not drained after {CALM_LIMIT_S} s of calm: {why_not(stage)}")


def is_drained(stage: Stage) -> bool:
    return not why_not(stage)


def why_not(stage: Stage) -> str:
    gateway = stage.machine.gateway
    if gateway is None or not stage.machine.runs:
        return "no gateway runs"
    if stage.machine.watch.late_beats < BEATS:
        return "the data path has not done its beats"
    stat = gateway.keeping.spool.stat()
    if any(chain.unread_files for chain in stat.classes.values()):
        return "files that the disk refused wait for another start"
    unheld = {cls: chain.unheld_frames for cls, chain in stat.classes.items() if chain.unheld_frames}
    if unheld and not _is_all_unreadable(stage, sum(unheld.values())):
        return f"not held: {unheld}"
    if stat.buffered_bytes or gateway.keeping.spool.undeclared() or gateway._owed:
        return f"not durable or not declared: {stat.buffered_bytes} B, {gateway.keeping.spool.undeclared()}"
    if images.number_is_used(stage):
        return "another start has the number of this one, or one above it"
    if not stage.centre.is_idle or not stage.broker.is_idle:
        return "the centre is busy"
    return ""


def _is_all_unreadable(stage: Stage, unheld: int) -> bool:
    """Whether all that is not held waits at the centre for a grant that is declared lost: nobody can ever open it."""
    if stage.timeline.now < stage.devices_end_ns + UNREADABLE_S * SECOND_NS:
        return False
    return len(stored.read(stage.folder / "centre.db").unreadable()) >= unheld
