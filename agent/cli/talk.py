"""How the command talks: `error:` and `hint:` on stderr, and what each kind of failure exits with."""

from __future__ import annotations

import sys

EX_CONFIG = 78


class CommandError(Exception):
    """The command cannot do what was asked: says why, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def fail(error: Exception) -> None:
    """Tell a person. Lower case, no full stop, readable without colour."""
    print(f"error: {error}", file=sys.stderr)
    hint = getattr(error, "hint", "")
    if hint:
        print(f"\nhint: {hint}", file=sys.stderr)
