"""How the command talks: `error:` and `hint:` on stderr, and what each kind of failure exits with."""

from __future__ import annotations

import argparse
import sys
from functools import partial

HELP_LETTERS = 100  # of a line, where a parser may not look how wide the terminal is: that loads shutil, 0.5 MiB
Help = partial(argparse.HelpFormatter, width=HELP_LETTERS)
EX_CONFIG = 78
PLAIN_LIMIT_LETTERS = 4096


class CommandError(Exception):
    """The command cannot do what was asked: says why, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def plain(text: str, limit_letters: int = PLAIN_LIMIT_LETTERS) -> str:
    """One line of somebody else's text: a name of a device or a file must not move a cursor or look like another line.

    What is not printable (control characters, ends of lines, marks that turn the direction) is shown by its number.
    """
    kept = text[:limit_letters]
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in kept)
    return shown + "..." if len(text) > limit_letters else shown


def fail(error: Exception) -> None:
    """Tell a person. Lower case, no full stop, readable without colour."""
    print(f"error: {_indented(str(error))}", file=sys.stderr)
    hint = getattr(error, "hint", "")
    if hint:
        print(f"\nhint: {_indented(hint)}", file=sys.stderr)


def _indented(text: str) -> str:
    return "\n  ".join(map(plain, text.split("\n")))
