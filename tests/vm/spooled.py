"""What a running gateway's spool holds, as it grows: read from its files, made durable by our own sync before the time
is taken, opened with the centre's key."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent.spool.frame import HEAD_BYTES, walk
from agent.spool.segment import decode_header
from agent.spool.terms import BLOCK_BYTES
from wire import bundle
from wire.keys import RecipientSecret
from wire.records import Catalogue, NumericAt, PatientIdAt, Record, SessionAt
from wire.seal import Opener
from wire.topics import Class

READ_BYTES = 1 << 20


@dataclass(slots=True)
class Segment:
    generation: int = 0
    end: int = BLOCK_BYTES


class Tail:
    """New frames of one class in a folder."""

    def __init__(self, folder: Path, cls: Class) -> None:
        self._folder = folder
        self._cls = cls
        self._segments: dict[Path, Segment] = {}

    def new(self) -> Iterator[bytes]:
        """The envelopes that came since the last call; they are durable."""
        for path in sorted(self._folder.glob(f"{int(self._cls)}-*.seg")):
            fd = os.open(path, os.O_RDONLY)
            try:
                yield from self._of(fd, self._segments.setdefault(path, Segment()))
            finally:
                os.close(fd)

    def _of(self, fd: int, segment: Segment) -> Iterator[bytes]:
        header = decode_header(os.pread(fd, BLOCK_BYTES, 0))
        if header is None or header.cls != self._cls:
            return
        if header.generation != segment.generation:
            segment.generation, segment.end = header.generation, BLOCK_BYTES
        data = os.pread(fd, READ_BYTES, segment.end)
        at = segment.end
        for number, frame in enumerate(walk(data, int(self._cls), segment.generation)):
            if not frame.sound:
                return
            if number == 0:
                os.fdatasync(fd)
            segment.end = at + frame.end
            yield bytes(data[frame.offset + HEAD_BYTES : frame.end])


@dataclass(slots=True)
class Session:
    """One session as the spool tells it; times are monotonic seconds, of when it was seen to be durable."""

    number: int
    driver: str
    port: str
    serial: str
    seen: float
    first: float | None = None  # its first reading
    readings: int = 0
    closed: str = ""
    values: dict[str, list[object]] = field(default_factory=dict)


class Spooled:
    """Follows one gateway's spool. Call `look` as often as wanted."""

    def __init__(self, folder: Path, gateway: str, secret: RecipientSecret) -> None:
        self._keys = Tail(folder, Class.KEY)
        self._vitals = Tail(folder, Class.VITAL)
        self._opener = Opener(gateway, [secret])
        self._streams: dict[tuple[int, int], tuple[Session, str]] = {}
        self._by_number: dict[tuple[int, int], Session] = {}
        self.sessions: list[Session] = []
        self.patients: list[str] = []  # pseudonyms of what was scanned

    def look(self) -> None:
        for data in self._keys.new():
            self._opener.statement(data)
        for data in self._vitals.new():
            header, plain = self._opener.open(data)
            now = time.monotonic()
            for record in bundle.read_vital(plain):
                self._take(header.epoch, record, now)

    def _take(self, epoch: int, record: Record, now: float) -> None:
        match record:
            case Catalogue():
                self._learn(epoch, record, now)
            case NumericAt() if record.value is not None and (epoch, record.stream) in self._streams:
                session, channel = self._streams[epoch, record.stream]
                session.first = now if session.first is None else session.first
                session.readings += 1
                session.values.setdefault(channel, []).append(record.value)
            case PatientIdAt():
                self.patients.append(record.code)
            case SessionAt(phase="closed") if (epoch, record.session) in self._by_number:
                self._by_number[epoch, record.session].closed = record.reason

    def _learn(self, epoch: int, record: Catalogue, now: float) -> None:
        key = (epoch, record.session)
        session = self._by_number.get(key)
        if session is None:
            session = Session(record.session, record.driver, record.port, record.serial, now)
            self._by_number[key] = session
            self.sessions.append(session)
        session.serial = record.serial or session.serial
        for info in record.streams:
            self._streams[epoch, info.stream] = (session, info.channel)
