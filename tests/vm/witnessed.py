"""What a gateway in a guest said by its serial line over all its lives, and whether its spool keeps its word.

Once `kept` was said of an envelope it is accepted: `there` must be said of it, with the same digest, after every later
start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

Name = tuple[int, int, int]  # (epoch, class, seq)


@dataclass(slots=True)
class Witnessed:
    """`lost`, `altered` and `problems` must stay empty."""

    accepted: dict[Name, str] = field(default_factory=dict)
    lost: set[Name] = field(default_factory=set)
    altered: set[Name] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    said: str = ""  # the last word of this life
    _there: dict[Name, str] = field(default_factory=dict)
    _rest: bytes = b""

    def began(self) -> None:
        """Another life: what was cut off in the middle of a line was not said."""
        self.said, self._rest = "", b""
        self._there.clear()

    def hear(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.decode("ascii", "replace").strip())

    def _take(self, line: str) -> None:
        self.said, _, more = line.partition(" ")
        self.counts[self.said] += 1
        known: dict[str, Callable[[str], None]] = {
            "kept": self._kept,
            "there": self._is_there,
            "looked": self._looked,
            "problem": self.problems.append,
        }
        if self.said in known:
            known[self.said](more)

    def _kept(self, words: str) -> None:
        for epoch, cls, seq, digest in zip(*[iter(words.split())] * 4, strict=True):
            self.accepted[int(epoch), int(cls), int(seq)] = digest

    def _is_there(self, words: str) -> None:
        epoch, cls, seq, digest = words.split()
        self._there[int(epoch), int(cls), int(seq)] = digest

    def _looked(self, _: str) -> None:
        self.lost |= self.accepted.keys() - self._there.keys()
        self.altered |= {name for name, digest in self.accepted.items() if self._there.get(name, digest) != digest}
