"""The words of the spool: what goes in, what comes out, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

BLOCK_BYTES = 4096
SECTOR_BYTES = 512
STRETCH_BYTES = 512 * 1024  # a full spool of 16 GiB costs some 12 MB of index


@dataclass(frozen=True, slots=True)
class Stored:
    """One sealed envelope. `cls` 0..255, `epoch` and `seq` u32, `hour` u16; `data` is opaque here."""

    cls: int
    epoch: int
    hour: int
    seq: int
    data: bytes


class Cause(StrEnum):
    """Why a number is not in the spool any more although nobody is known to hold it."""

    EVICTED = "evicted"  # its segment was needed again
    DROPPED = "dropped"  # the disk failed and the buffer was full
    DAMAGED = "damaged"  # it was on the disk and cannot be read
    ABSENT = "absent"  # the centre asked for it, and it is not here: its space was used again, or it never was here


class Accepted(NamedTuple):
    """`first..last` of one class and epoch are durable."""

    cls: int
    epoch: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Lost:
    """`first..last` are gone, both included; the gateway owes the centre a gap statement."""

    cls: int
    epoch: int
    first: int
    last: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that could not be read as frames. A field is None where the neighbours do not tell.

    `torn`: nothing readable comes after it, as a power cut leaves it. `place` is file+offset.
    """

    cls: int
    epoch: int | None
    first: int | None
    last: int | None
    size_bytes: int
    torn: bool
    place: str


@dataclass(frozen=True, slots=True)
class Commit:
    """What one commit did. `dropped` are frames that never reached the disk."""

    accepted: list[Accepted] = field(default_factory=list)
    evicted: list[Lost] = field(default_factory=list)
    dropped: list[Lost] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one spool. `segment_bytes` is a property of the folder and is never changed in place."""

    segment_bytes: int = 4 * 1024 * 1024
    buffer_bytes: int = 8 * 1024 * 1024
    body_bytes: int = 1024 * 1024
    read_bytes: int = 1024 * 1024
    quarantine_bytes: int = 4 * 1024 * 1024
    damage_entries: int = 1000


@dataclass(frozen=True, slots=True)
class ClassStat:
    """One class. Unheld bytes are exact to one stretch (512 KiB); other bytes of frames count bodies only."""

    used_bytes: int
    quota_bytes: int
    segments: int
    spares: int
    frames: int
    frames_bytes: int
    unheld_frames: int
    unheld_bytes: int
    oldest_unheld: tuple[int, int, int] | None  # (epoch, hour, seq)
    appended_bytes: int  # bodies appended since open
    taken_bytes: int  # of the disk since open: frames, padding, ends of segments that stayed empty
    free_bytes: int  # for new frames in the files there are, before what is not held must give way
    growth_bytes: int  # for frames in files that the quota still allows
    evicted_frames: int
    dropped_frames: int
    buffered_frames: int
    unread_files: int  # the disk refused them at open; what they hold is there again when it can be read at a start


@dataclass(frozen=True, slots=True)
class Stat:
    """The whole spool, counters since open."""

    classes: dict[int, ClassStat]
    commits: int
    written_bytes: int  # everything written, padding, acknowledgements and spares included
    buffered_bytes: int
    damaged: int
    torn: int
    write_errors: int
    read_errors: int
    acks_errors: int
    spares_refused: int
    quarantined_bytes: int
    quarantine_refused: int


class SpoolError(Exception):
    """The folder cannot be used. `hint` is what a person can do about it."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


class StorageError(SpoolError):
    """The disk refused. Nothing buffered was lost; `commit` is what did succeed before it."""

    def __init__(self, text: str, hint: str, commit: Commit | None = None) -> None:
        super().__init__(text, hint)
        self.commit = commit if commit is not None else Commit()
