"""Row 17: every parser of what others wrote, on ruined bytes: its own errors and no other, and no memory kept.

A short `python -m tests.attack.parsers` (ten million runs of each are its campaign). Drivers: `tests/test_fuzz.py`
here, ten million bytes each by `make fuzz`.
"""

from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest

from tests.attack import parsers
from tests.attack.long import IS_LONG
from tests.test_tidy import SOURCES

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


def test_whoever_reads_json_knows_that_text_may_be_no_utf_8() -> None:
    """msgspec raises UnicodeDecodeError then: one flipped bit in a file of marks kept a gateway from starting."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler) and node.type is not None:
                caught = ast.unparse(node.type)
                assert "msgspec.DecodeError" not in caught or "UnicodeDecodeError" in caught, f"{path}:{node.lineno}"
