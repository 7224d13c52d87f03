"""The floor under all clocks is the date of this release: not in the future, and not older than what is released."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from agent.clock import FLOOR_UTC_US
from centre import mapping

ROOT = Path(__file__).parents[2]
FLOOR = datetime.fromtimestamp(FLOOR_UTC_US / 1e6, UTC)


def test_the_floor_is_not_in_the_future() -> None:
    assert datetime.now(UTC) >= FLOOR


def test_the_floor_is_not_before_the_newest_release() -> None:
    said = re.findall(r"^## \[[0-9.]+\] - (\d{4}-\d\d-\d\d)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert all(datetime.fromisoformat(f"{day}T00:00:00+00:00") <= FLOOR for day in said)
    assert datetime(2026, 11, 22, tzinfo=UTC) <= FLOOR


def test_the_reader_dates_nothing_before_the_first_release() -> None:
    """A centre reads gateways of every release: its floor is the first of them, and below that of none."""
    said = re.findall(
        r"^## \[([^]]+)\](?: - (\d{4}-\d\d-\d\d))?", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    first = datetime.fromisoformat(f"{said[-1][1] or FLOOR.date()}T00:00:00+00:00")
    assert datetime.fromtimestamp(mapping.FLOOR_UTC_US / 1e6, UTC) == first <= FLOOR
