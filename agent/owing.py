"""Losses that the centre is owed a word about. The envelope that carries the word may get lost too.

So a loss is settled when the centre holds the envelopes that declare it, and declared anew where those were lost
themselves. Over a restart the spool keeps what is not settled, and all of it is declared again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.spool.terms import Cause, Lost
from wire.envelope import Header
from wire.ranges import Ranges
from wire.topics import Class

Kind = tuple[int, int, Cause]  # class, epoch, cause


@dataclass(frozen=True, slots=True)
class Word:
    """Vital envelopes `left` of an epoch, of which the centre holds none yet, and the losses that they declare."""

    epoch: int
    left: Ranges
    losses: tuple[Lost, ...]


class Owing:
    """What was said and is not settled yet."""

    def __init__(self) -> None:
        self._words: list[Word] = []

    def said(self, headers: Iterable[Header], losses: Sequence[Lost]) -> None:
        """These envelopes are durable; among them the vital ones declare the losses."""
        vital = [header for header in headers if header.cls is Class.VITAL]
        if losses and vital:
            self._words.append(Word(vital[0].epoch, Ranges((h.seq, h.seq) for h in vital), tuple(losses)))

    def due(self, undeclared: Sequence[Lost]) -> list[Lost]:
        """The parts of what is not settled that no envelope on its way declares."""
        gone = [lost for lost in undeclared if lost.cls == Class.VITAL]
        self._words = [word for word in self._words if not any(_hits(word, lost) for lost in gone)]
        under_way: dict[Kind, Ranges] = {}
        for word in self._words:
            for lost in word.losses:
                under_way.setdefault((lost.cls, lost.epoch, lost.cause), Ranges()).add(lost.first, lost.last)
        return [part for lost in undeclared for part in _without(lost, under_way)]

    def held(self, cls: int, epoch: int, ranges: Iterable[tuple[int, int]]) -> list[Lost]:
        """The centre holds these; returns the losses that are settled by that."""
        if cls != Class.VITAL or not self._words:
            return []
        for word in self._words:
            if word.epoch == epoch:
                for first, last in ranges:
                    word.left.remove(first, last)
        settled = [lost for word in self._words if not word.left for lost in word.losses]
        self._words = [word for word in self._words if word.left]
        return settled


def _without(lost: Lost, said: Mapping[Kind, Ranges]) -> list[Lost]:
    known = said.get((lost.cls, lost.epoch, lost.cause), Ranges())
    return [replace(lost, first=first, last=last) for first, last in known.missing(lost.first, lost.last)]


def _hits(word: Word, lost: Lost) -> bool:
    return word.epoch == lost.epoch and word.left.missing(lost.first, lost.last) != [(lost.first, lost.last)]
