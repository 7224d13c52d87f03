"""`wardlink led`: shows on the board's LED what the page says in a word. Small: it loads nothing of the data path."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import msgspec

from agent.binding.words import BED_SOCKET, LINE_LIMIT_BYTES, Bed
from agent.health.led import PATTERNS, Lamp
from agent.page.seen import Seen
from agent.page.state import State, state

LINES_LIMIT_BYTES = 16 * LINE_LIMIT_BYTES


class Ear:
    """What the gateway says of the patient, from its socket: the newest, and nothing once nobody answers there."""

    def __init__(self, runtime: Path) -> None:
        self._path = runtime / BED_SOCKET
        self._socket: socket.socket | None = None
        self._rest = b""
        self.bed: Bed | None = None

    def listen(self) -> None:
        """Takes what came, and connects again where nobody is there. Never waits."""
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._socket.setblocking(False)
                self._socket.connect(str(self._path))
            while data := self._socket.recv(65536):
                self._hear(data)
            raise ConnectionResetError
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._rest, self.bed = None, b"", None

    def _hear(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINES_LIMIT_BYTES:
            raise ConnectionResetError
        for line in lines:
            with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):  # what is no Bed is not for us
                self.bed = msgspec.json.decode(line, type=Bed)


class Light:
    """Looks once a second; writes to the kernel where something changed. `lamp` None: the board has none."""

    def __init__(self, runtime: Path, lamp: Lamp | None) -> None:
        self._seen = Seen(runtime)
        self._lamp = lamp
        self._ear = Ear(runtime)
        self._shown = ""
        self.now: State | None = None

    def look(self, now_ns: int) -> None:
        """Raises OSError where the LED cannot be written."""
        self._ear.listen()
        self.now = state(self._seen.status(), self._seen.setup(), self._ear.bed, now_ns)
        if self.now.word != self._shown:
            if self._lamp is not None:
                self._lamp.show(PATTERNS[self.now.word])
            self._shown = self.now.word
