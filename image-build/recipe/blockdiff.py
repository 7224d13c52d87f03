"""What an update has to move: the blocks of 4096 bytes of the new file that the old one has nowhere.

So RAUC's block-hash-index counts: a block that lies elsewhere in the running slot is read from there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Difference:
    """In bytes. `moved`: what must come over the line, before compression. `shifted`: what is only elsewhere."""

    size: int
    moved: int
    shifted: int

    def __str__(self) -> str:
        share = self.moved / max(self.size, 1)
        return f"{self.moved} bytes of {self.size} are new ({share:.1%}), {self.shifted} are elsewhere"


def difference(old: Path, new: Path) -> Difference:
    places = _digests(old)
    known = set(places)
    now = _digests(new)
    moved = sum(one not in known for one in dict.fromkeys(now))
    shifted = sum(one in known and (at >= len(places) or places[at] != one) for at, one in enumerate(now))
    return Difference(len(now) * BLOCK, moved * BLOCK, shifted * BLOCK)


def _digests(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return [hashlib.sha256(block).digest() for block in iter(lambda: file.read(BLOCK), b"")]
