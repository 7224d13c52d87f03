"""Ports opened and emptied before the rest of the program is loaded: a device does not wait for us to be ready.

Until a port is open nobody keeps what its device says, and then the kernel keeps a second of it at best. What is found
here goes to the tape alone; the gateway hears it like anything an earlier process had read.
"""

from __future__ import annotations

import termios
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.ports.line import Cable, open_line
from agent.ports.tape import keep
from drivers.contract import Serial

READ_LIMIT_BYTES = 65536


class Early:
    """Opens lines; `tapes` is the folder of the tapes, `clock` monotonic nanoseconds."""

    def __init__(self, tapes: Path, clock: Callable[[], int]) -> None:
        self._tapes = tapes
        self._clock = clock
        self._open: dict[str, Cable] = {}

    def listen(self, path: str, line: Serial) -> None:
        """Open the port if that can be had at once; why it cannot is said by whoever opens it later."""
        try:
            port = open_line(path, line)
        except (OSError, termios.error):
            return
        self._open[path] = port
        keep(self._tapes, path, self._said(port))

    def open_line(self, path: str, line: Serial) -> Cable:
        """The port opened by `listen`, once; else it is opened now. Raises OSError, termios.error."""
        return self._open.pop(path, None) or open_line(path, line)

    def _said(self, port: Cable) -> Iterator[tuple[int, bytes]]:
        """What the kernel holds. A port that breaks here breaks again for its reader, who says so."""
        left = READ_LIMIT_BYTES
        while left > 0:
            try:
                data = port.read(left)
            except OSError:
                return
            if not data:
                return
            left -= len(data)
            yield self._clock(), data
