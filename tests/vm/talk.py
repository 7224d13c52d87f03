"""What is said to whoever waits: on stderr, stdout is for results."""

from __future__ import annotations

import sys


def tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
