"""A device at the far end of the emulated adapter's cable: it replays a capture for as long as it is plugged in."""

from __future__ import annotations

import itertools
import select
import socket
import threading
import time
from pathlib import Path

from tests.vm.far import tale

DIAL_STEP_S = 0.2


class Device:
    """Speaks `story` (`driver/story` of tests/captures) round and round; `said_bytes` counts, `heard_bytes` what came.

    It must read: Linux echoes while a port is being opened (docs/vm.md), and an emulated adapter whose far end does not
    read stops the whole emulated processor.
    """

    def __init__(self, cable: Path, story: str) -> None:
        self._cable, self._tale = cable, tale(story)
        self._off = threading.Event()
        self.said_bytes = self.heard_bytes = 0
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
                except OSError:
                    self._off.wait(DIAL_STEP_S)

    def _speak(self, line: socket.socket) -> None:
        began = time.monotonic()
        for number in itertools.count():
            due = began + self._tale.due_s(number)
            while (left := due - time.monotonic()) > 0:
                if self._off.is_set():
                    return
                self._hear(line, min(left, DIAL_STEP_S))
            if self._off.is_set():
                return
            piece = self._tale.piece(number)
            line.sendall(piece)
            self.said_bytes += len(piece)

    def _hear(self, line: socket.socket, wait_s: float) -> None:
        """Raises OSError once the machine is gone."""
        if select.select([line], [], [], wait_s)[0]:
            heard = line.recv(4096)
            if not heard:
                raise ConnectionResetError
            self.heard_bytes += len(heard)
