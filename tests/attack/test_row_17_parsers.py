"""Row 17: every parser of what others wrote, on ruined bytes: its own errors and no other, and no memory kept.

A short `python -m tests.attack.parsers` (ten million runs of each are its campaign). Drivers: `tests/test_fuzz.py`
here, ten million bytes each by `make fuzz`.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.attack import parsers
from tests.attack.long import IS_LONG

RUNS = 100_000 if IS_LONG else 300


@pytest.mark.parametrize("name", [one.name for one in parsers.parsers(Path())])
def test_only_its_own_errors_and_no_growth(name: str, tmp_path: Path) -> None:
    parser = next(one for one in parsers.parsers(tmp_path) if one.name == name)
    logging.disable(logging.CRITICAL)  # each ruined file of marks is a warning
    said = parsers.one(parser, RUNS, 1)
    logging.disable(logging.NOTSET)
    assert not said["failures"]
    assert said["grown_bytes"] < parsers.GROWTH_LIMIT_BYTES
    assert said["taken"] < RUNS or name in ("tape", "marks"), "nothing was ruined"
