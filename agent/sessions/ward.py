"""All sessions of this epoch, and the bundle contents of an interval.

Runs of neighbouring streams with the same index, length and time become one block, coded in one call: framing, tag,
TLS and MQTT are paid once, and one codec call sees all leads together (DATA 2).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from agent.sessions.session import Session
from agent.sessions.track import Run
from drivers.contract import Driver
from wire.bundle import CHANNELS_LIMIT
from wire.records import Block, MarkAt, Record

BLOCK_LIMIT_SAMPLES = 131_072  # of all its channels: even uncoded, half of what an envelope may have
Encode = Callable[["np.typing.NDArray[np.int32]"], bytes]


class Ward:
    """Opens sessions and gathers what they heard."""

    def __init__(self, encoder: Callable[[], Encode]) -> None:
        self.sessions: list[Session] = []
        self._encoder = encoder
        self._encoders: dict[int, Encode] = {}
        self._ended: list[Session] = []
        self._session_numbers = itertools.count()
        self._stream_numbers = itertools.count()

    def open(self, driver: Driver, port: str, t: int) -> Session:
        session = Session(next(self._session_numbers), driver, port, self._stream_numbers.__next__, t)
        self.sessions.append(session)
        return session

    def close(self, session: Session, t: int, reason: str) -> None:
        session.close(t, reason)
        self.sessions.remove(session)
        self._ended.append(session)
        self._encoders.clear()

    @property
    def urgent(self) -> bool:
        """An alarm waits: the bundle is closed at once."""
        return any(session.urgent for session in self.sessions)

    def take(self, t: int) -> tuple[list[Record], list[Block]]:
        """The records and blocks of the interval that ends at `t` microseconds; catalogues come first."""
        records: list[Record] = []
        blocks: list[Block] = []
        catalogues: list[Record] = []
        for session in [*self._ended, *self.sessions]:
            said, runs = session.take(t)
            if session.changed:
                catalogues.append(session.catalogue(t))
            records += said
            blocks += self._blocks(runs)
        self._ended.clear()
        return catalogues + records, blocks

    def catalogues(self, t: int) -> list[Record]:
        """Every open session's catalogue, for a reader that may not have it."""
        return [session.catalogue(t) for session in self.sessions]

    def lines(self, t: int) -> list[Record]:
        return [record for session in self.sessions for record in session.line(t)]

    def _blocks(self, runs: list[Run]) -> Iterator[Block]:
        for rows in _together(runs):
            first = rows[0]
            samples = np.array([run.samples for run in rows], dtype=np.int32)
            marks = [MarkAt(row, m.at, m.kind, m.count) for row, run in enumerate(rows) for m in run.marks]
            yield Block(
                first.t,
                first.stream,
                len(rows),
                first.first,
                len(first.samples),
                self._coded(first.stream, samples),
                marks,
            )

    def _coded(self, stream: int, samples: np.typing.NDArray[np.int32]) -> bytes:
        """Each group of streams has an encoder that remembers what suits it."""
        encode = self._encoders.get(stream)
        if encode is None:
            encode = self._encoders[stream] = self._encoder()
        return encode(samples)


def _together(runs: list[Run]) -> Iterator[list[Run]]:
    """Split runs into groups that one block can hold."""
    group: list[Run] = []
    for run in sorted(runs, key=lambda run: (run.first, run.t, len(run.samples), run.stream)):
        if group and not (_alike(group[-1], run) and _has_room(group)):
            yield group
            group = []
        group.append(run)
    if group:
        yield group


def _has_room(group: list[Run]) -> bool:
    return len(group) < CHANNELS_LIMIT and (len(group) + 1) * len(group[0].samples) <= BLOCK_LIMIT_SAMPLES


def _alike(one: Run, other: Run) -> bool:
    return (
        other.stream == one.stream + 1
        and other.first == one.first
        and other.t == one.t
        and len(other.samples) == len(one.samples)
    )
