"""A person's rollouts: begun, looked at, stopped, gone on with (`wardlink centre rollout`). Touches the store alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from centre import clock, desk
from centre.desk import DeskError
from centre.rolling import STAGES
from centre.store import rollouts
from centre.store.rollouts import Rollout, RolloutError
from wire.command import Update

HOUR_US = 3_600_000_000
T = TypeVar("T")


def start(file: Path, words: Sequence[str], sites: Sequence[str], soak_hours: float) -> None:
    """`words`: VERSION URL SHA256 [FLOOR]. Raises DeskError, ConfigError, StoreError."""
    said = desk.read(["update", *words])
    assert isinstance(said, Update)
    utc, soak = clock.utc_us(), int(soak_hours * HOUR_US)
    _within(file, lambda connection: rollouts.start(connection, said, list(sites), soak, utc))


def stop(file: Path, version: str) -> None:
    """Raises DeskError, ConfigError, StoreError."""
    _within(file, lambda connection: rollouts.stop(connection, version, "by hand"))


def go_on(file: Path, version: str) -> None:
    """Raises DeskError, ConfigError, StoreError."""
    _within(file, lambda connection: rollouts.go_on(connection, version, clock.utc_us()))


def listed(file: Path) -> list[Rollout]:
    """Raises ConfigError, StoreError."""
    return _within(file, lambda connection: rollouts.listed(connection, clock.utc_us()))


def line(one: Rollout) -> str:
    """For people."""
    counts = ", ".join(f"{count} {word}" for word, count in one.counts.items() if count)
    why = f": {one.why}" if one.why else ""
    share = f"{float(STAGES[one.stage] * 100):g} %"
    return f"{one.version:12} {one.state}{why}, at {share} of {one.of}: {counts or 'nobody told yet'}"


def _within(file: Path, work: Callable[[Connection], T]) -> T:
    try:
        return desk.within(file, work)
    except RolloutError as error:
        raise DeskError(str(error), "wardlink centre rollout list") from error
