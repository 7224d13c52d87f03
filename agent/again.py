"""This program once more, as a process of its own: wherever it is installed, and whatever the environment says."""

from __future__ import annotations

import sys
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
_START = f"import sys; sys.path.insert(0, {str(TREE)!r}); from agent.cli.entry import main; sys.exit(main())"


def words(*verb: str) -> list[str]:
    """The command. The package knows its own place: the interpreter that runs it need not."""
    return [sys.executable, "-I", "-c", _START, *verb]
