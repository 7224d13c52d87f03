"""The tapes of all ports, turned at each beat and dropped once the beat's envelopes are durable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from agent.ports.tape import Tape
from wire.envelope import Header
from wire.topics import Class

PIECES_LIMIT = 600


class Heard(Protocol):
    """Whoever hears what is on a tape."""

    def half_frame(self) -> bytes: ...


class Tapes:
    def __init__(self) -> None:
        self._pairs: list[tuple[Tape, Heard]] = []
        self._waiting: list[Path] = []

    def add(self, tape: Tape, hearing: Heard) -> None:
        self._pairs.append((tape, hearing))

    def turn(self, now: int) -> list[tuple[Tape, Path]]:
        """What was read until now goes into the bundle that is being closed."""
        turned = [(tape, tape.turn(hearing.half_frame(), now)) for tape, hearing in self._pairs]
        return [(tape, piece) for tape, piece in turned if piece is not None]

    def sealed(self, pieces: Sequence[tuple[Tape, Path]], headers: Sequence[Header]) -> None:
        """Note which envelopes say whether the pieces are durable: the last one of each class."""
        last = {header.cls: (header.epoch, int(header.cls), header.seq) for header in headers}
        last.pop(Class.KEY, None)
        for tape, piece in pieces:
            if last:
                self._waiting.append(tape.label(piece, *last.values()))
            else:
                piece.unlink()

    def durable(self) -> None:
        """Everything sealed so far is in the spool."""
        for piece in self._waiting:
            piece.unlink(missing_ok=True)
        self._waiting.clear()

    def not_durable(self) -> None:
        """The disk fails: keep what a restart could use, within bounds."""
        for piece in self._waiting[:-PIECES_LIMIT]:
            piece.unlink(missing_ok=True)
        del self._waiting[:-PIECES_LIMIT]

    def close(self) -> None:
        for tape, _ in self._pairs:
            tape.close()
