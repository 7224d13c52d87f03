"""Frames that wait for a commit. Bounded: a disk that is gone costs the oldest of the last class, counted."""

from __future__ import annotations

from collections import deque

from agent.spool.acks import Acks
from agent.spool.terms import Cause, Lost, Stored


class Buffer:
    """`dropped` are the numbers let go since the spool last looked, in runs."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self.waiting: dict[int, deque[Stored]] = {}
        self.dropped: list[Lost] = []
        self.dropped_frames: dict[int, int] = {}
        self.used_bytes = 0

    def add(self, stored: Stored, acks: Acks) -> None:
        self.waiting.setdefault(stored.cls, deque()).append(stored)
        self.used_bytes += len(stored.data)
        while self.used_bytes > self._limit_bytes:
            self._drop(acks)

    @property
    def has_room(self) -> bool:
        """It is not half full."""
        return 2 * self.used_bytes < self._limit_bytes

    def recount(self) -> None:
        """After a commit took frames out."""
        self.used_bytes = sum(len(stored.data) for waiting in self.waiting.values() for stored in waiting)

    def _drop(self, acks: Acks) -> None:
        """Of the last class that has any; what the centre holds already is no loss."""
        cls = max(cls for cls, waiting in self.waiting.items() if waiting)
        stored = self.waiting[cls].popleft()
        self.used_bytes -= len(stored.data)
        if stored.seq in acks.of(cls, stored.epoch):
            return
        self.dropped_frames[cls] = self.dropped_frames.get(cls, 0) + 1
        first = stored.seq
        last = self.dropped[-1] if self.dropped else None
        if last and (last.cls, last.epoch, last.last + 1) == (cls, stored.epoch, stored.seq):
            first = self.dropped.pop().first
        lost = Lost(cls, stored.epoch, first, stored.seq, Cause.DROPPED)
        self.dropped.append(lost)
        acks.lose([lost])
