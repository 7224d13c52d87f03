"""A device at the far end of the emulated adapter's cable: it replays a capture for as long as it is plugged in."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tests.vm.far import tale

DIAL_STEP_S = 0.2


class Device:
    """Speaks `story` (`driver/story` of tests/captures) round and round; `said_bytes` counts.

    `told`: words of it that this device says otherwise, (there, here).
    """

    def __init__(self, cable: Path, story: str, told: Sequence[tuple[str, str]] = ()) -> None:
        self._cable, self._tale = cable, tale(story, told)
        self._off = threading.Event()
        self.said_bytes = 0
        self.heard = b""  # what the gateway said to it
        self._thread = threading.Thread(target=self._life, daemon=True)
        self._thread.start()

    def off(self) -> None:
        self._off.set()
        self._thread.join()

    def _life(self) -> None:
        """A machine that was started again has the cable's other end anew."""
        while not self._off.is_set():
            with socket.socket(socket.AF_UNIX) as line:
                try:
                    line.connect(str(self._cable))
                    self._speak(line)
                    line.shutdown(socket.SHUT_RDWR)  # whoever hears it holds it open
                except OSError:
                    self._off.wait(DIAL_STEP_S)

    def _hear(self, line: socket.socket) -> None:
        """Whatever comes: an emulator stands still for good where nobody takes what its serial port says."""
        while not self._off.is_set():
            try:
                data = line.recv(4096)
            except OSError:
                return
            if not data:
                return
            self.heard += data

    def _speak(self, line: socket.socket) -> None:
        threading.Thread(target=self._hear, args=(line,), daemon=True).start()
        began = time.monotonic()
        for number in itertools.count():
            if self._off.wait(max(0.0, self._tale.due_s(number) - (time.monotonic() - began))):
                return
            piece = self._tale.piece(number)
            line.sendall(piece)
            self.said_bytes += len(piece)
