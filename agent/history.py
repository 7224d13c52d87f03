"""What an engineer asks for afterwards: the last lines of the log, changes of the link, anchors. Bounded, in memory,
and now and then in the runtime folder (no flash), where a diagnostic bundle finds it even if the daemon hangs.

No line may hold what a device or a person said: of an exception only its type and where it came from is kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from agent.health import notify
from agent.supervisor import places
from agent.uplink.account import LinkState
from wire.records import Anchor

HISTORY_FILE = "history.json"
LINES_LIMIT_COUNT = 300
LINE_LIMIT_LETTERS = 400
LINKS_LIMIT_COUNT = 200
ANCHORS_LIMIT_COUNT = 100
WRITE_S = 60.0
ANCHOR_S = 900.0


class LinkChange(msgspec.Struct, frozen=True):
    """`t`: microseconds of the monotonic clock."""

    t: int
    connected: bool
    message: str


class Told(msgspec.Struct, frozen=True):
    """The file: of this start of the daemon, the oldest first. An anchor is [t, utc, error, source]."""

    epoch: int
    log: list[str]
    link: list[LinkChange]
    anchors: list[tuple[int, int, int | None, str]]


class History(logging.Handler):
    """`now` is monotonic nanoseconds."""

    def __init__(
        self, epoch: int, runtime: Path, now: Callable[[], int], anchor: Callable[[int], Anchor | None]
    ) -> None:
        super().__init__(logging.INFO)
        self._epoch = epoch
        self._file = runtime / HISTORY_FILE
        self._now = now
        self._anchor = anchor
        self._log: deque[str] = deque(maxlen=LINES_LIMIT_COUNT)
        self._links: deque[LinkChange] = deque(maxlen=LINKS_LIMIT_COUNT)
        self._anchors: deque[tuple[int, int, int | None, str]] = deque(maxlen=ANCHORS_LIMIT_COUNT)
        self._anchor_at = 0
        self._is_new = False
        self.problem = ""

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            said = f"{said} {places(record.exc_info[1])}"
        line = f"{self._now() // 1000} {record.levelname} {record.name} {said}"
        self._log.append(line[:LINE_LIMIT_LETTERS])
        self._is_new = True

    def link(self, state: LinkState) -> None:
        self._links.append(LinkChange(state.since_ns // 1000, state.connected, state.message))
        self._is_new = True

    async def run(self) -> None:
        """Until cancelled."""
        room = logging.getLogger("wardlink")
        room.addHandler(self)
        try:
            while True:
                self.write()
                await asyncio.sleep(WRITE_S)
        finally:
            room.removeHandler(self)

    def write(self) -> None:
        now = self._now()
        anchor = self._anchor(0) if now >= self._anchor_at else None
        if anchor is not None:
            self._anchor_at = now + int(ANCHOR_S * 1e9)
            self._anchors.append((anchor.t, anchor.utc, anchor.error, anchor.source))
            self._is_new = True
        if not self._is_new:
            return
        told = Told(self._epoch, list(self._log), list(self._links), list(self._anchors))
        try:
            notify.replace(self._file, msgspec.json.encode(told))
        except OSError as error:  # no room in memory: the next time, perhaps
            self.problem = str(error)
            return
        self._is_new, self.problem = False, ""


def read(runtime: Path) -> Told | None:
    """The last that was written; None where nothing can be read."""
    try:
        return msgspec.json.decode((runtime / HISTORY_FILE).read_bytes(), type=Told)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
