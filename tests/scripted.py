"""The far end of a line that is asked: it answers as the device of a capture did, and only to the same requests."""

from __future__ import annotations

from drivers.capture import Capture
from drivers.contract import Serial


class Scripted:
    """Waits for each `>` of the capture, and says the `<` that follow it after the same time. Other requests are not
    answered, nor is anything at another line setting. Times are nanoseconds.
    """

    def __init__(self, story: Capture, line: Serial) -> None:
        self.line = line
        self.got = b""
        self._script = [(entry.at, entry.kind, entry.data) for entry in story.entries if entry.kind in "<>"]
        self._heard = bytearray()
        self._asked_at = 0
        self._began = 0

    def hear(self, data: bytes, now: int, line: Serial) -> None:
        self.got += data
        if str(line) != str(self.line):
            return
        self._heard += data
        while self._script and self._script[0][1] == ">":
            at, _, wanted = self._script[0]
            place = self._heard.find(wanted)
            if place < 0:
                return
            del self._heard[: place + len(wanted)], self._script[0]
            self._asked_at, self._began = at, now

    @property
    def wake_at(self) -> int | None:
        if not self._script or self._script[0][1] == ">":
            return None
        return self._began + self._script[0][0] - self._asked_at

    def say(self, now: int) -> bytes:
        said = b""
        while (wake := self.wake_at) is not None and wake <= now:
            said += self._script.pop(0)[2]
        return said
