"""What a power cut must not take from what we know of time: which boot this is, and how late it surely was.

One small file, replaced as a whole. A disk that refuses costs precision at the next start and nothing else.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from agent import durable
from agent.spool.files import Files

PAST_FILE = "time"  # in the state folder
log = logging.getLogger("wardlink.time")


class Said(msgspec.Struct, frozen=True):
    """`boot` is the kernel's id in hex, `boots` how many different ones were met; `utc` microseconds since 1970 that
    had surely passed. When the battery's clock was last compared it said `rtc`, and was wrong by `rtc_error` at most.
    """

    boot: str = ""
    boots: int = 0
    utc: int = 0
    rtc: int = 0
    rtc_error: int = 0


def read(files: Files, file: Path) -> Said:
    """What is no such file is said, and counts for nothing."""
    try:
        data = durable.read(files, file)
        return msgspec.json.decode(data, type=Said) if data else Said()
    except FileNotFoundError:
        return Said()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("time cannot be read why=%r", str(error))
        return Said()


class Past:
    """Reads and begins the boot on construction. `save` blocks: call it on the spool's thread."""

    def __init__(self, files: Files, file: Path, boot: bytes) -> None:
        self._files = files
        self._file = file
        self.problem = ""
        self.said = read(files, file)
        if boot.hex() != self.said.boot:
            self.said = msgspec.structs.replace(self.said, boot=boot.hex(), boots=self.said.boots + 1)
            self._write()

    def save(self, utc: int, rtc: int = 0, rtc_error: int = 0) -> None:
        """So late it surely is, which only ever grows; and the battery's clock, where it was compared (not 0)."""
        clock = {"rtc": rtc, "rtc_error": rtc_error} if rtc else {}
        said = msgspec.structs.replace(self.said, utc=max(utc, self.said.utc), **clock)
        if said != self.said:
            self.said = said
            self._write()

    def _write(self) -> None:
        try:
            durable.replace(self._files, self._file, msgspec.json.encode(self.said))
            self.problem = ""
        except OSError as error:
            if not self.problem:
                log.warning("time cannot be written why=%r", str(error))
            self.problem = f"what we know of time cannot be written: {error}"
