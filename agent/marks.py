"""How far each device came in its own memory (`Reached`, ADR 16), exactly as durable as what was said before it.

With each mark stands which envelopes hold what was said up to it. The file is written before they are; when it is read
back a mark counts only if its envelopes are durable, else the one before it. So a kill or a power cut in between, on
either side, neither loses a stored measurement nor says it twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import msgspec

from agent import durable
from agent.spool.files import Files
from wire.envelope import Header
from wire.topics import Class

PENDING_LIMIT_COUNT = 64  # of a device, while the disk refuses: an older mark is only asked for again
MARK_LIMIT_LETTERS = 200
MARKS_FILE = "marks.json"
Sealed = tuple[int, int, int]  # epoch, class, seq
log = logging.getLogger("wardlink.marks")


class Step(msgspec.Struct, frozen=True):
    """A mark, and the envelopes that must be durable for it to count: one of each class, the last."""

    mark: str
    sealed: list[Sealed]


class Marks:
    """`files` and `file` are used on the spool's thread only, but for the reading at the start."""

    def __init__(self, files: Files, file: Path, was_durable: Callable[[Sealed], bool]) -> None:
        self._files = files
        self._file = file
        found = _read(files, file)
        self._steps = {key: [_reached(steps, was_durable)] for key, steps in found.items()}
        self._is_new = any(step.sealed for steps in found.values() for step in steps)  # old epochs are forgotten
        self._said: dict[str, str] = {}
        self._last: dict[Class, Sealed] = {}
        self.problem = ""

    def of(self, key: str) -> str:
        """How far a device came: what this process heard itself, else what is durable."""
        steps = self._steps.get(key)
        return self._said.get(key) or (steps[-1].mark if steps else "")

    def reach(self, key: str) -> Callable[..., str]:
        """For one device's ear: the mark, or say the next one."""
        return partial(self._reach, key)

    def _reach(self, key: str, mark: str | None = None) -> str:
        if mark is not None and mark != self.of(key):
            assert len(mark) <= MARK_LIMIT_LETTERS, f"{key}: a mark of {len(mark)} letters"
            self._said[key] = mark
        return self.of(key)

    def sealed(self, headers: Iterable[Header]) -> bytes | None:
        """A beat was sealed: what must be written before its envelopes are; None where nothing was reached.

        To be called with each beat, before anything else is heard.
        """
        for header in headers:
            if header.cls is not Class.KEY:
                self._last[header.cls] = header.epoch, int(header.cls), header.seq
        if not (self._is_new or self._said) or not self._last:
            return None
        self._is_new = False
        for key, mark in self._said.items():
            steps = self._steps.setdefault(key, [Step("", [])])
            steps.append(Step(mark, list(self._last.values())))
            del steps[1:-PENDING_LIMIT_COUNT]
        self._said.clear()
        return msgspec.json.encode(self._steps)

    def write(self, data: bytes) -> None:
        """A disk that refuses must not hold up what is live: then the old marks stand, and records are asked again."""
        try:
            durable.replace(self._files, self._file, data)
            self.problem = ""
        except OSError as error:
            if not self.problem:
                log.warning("marks cannot be written why=%r", str(error))
            self.problem = f"marks cannot be written: {error}"

    def durable(self) -> None:
        """Everything sealed so far is in the spool: only the last marks are needed."""
        for steps in self._steps.values():
            if len(steps) > 2:
                del steps[:-2]


def _reached(steps: list[Step], was_durable: Callable[[Sealed], bool]) -> Step:
    good = [step for step in steps if all(map(was_durable, step.sealed))]
    return Step(good[-1].mark, []) if good else Step("", [])


def _read(files: Files, file: Path) -> dict[str, list[Step]]:
    """Nothing where nothing was written; what is no such file is said, and devices are asked anew."""
    try:
        data = durable.read(files, file)
        return msgspec.json.decode(data, type=dict[str, list[Step]]) if data else {}
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("marks cannot be read why=%r", str(error))
        return {}
