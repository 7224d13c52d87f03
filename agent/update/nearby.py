"""A bundle on this machine's loopback, as RAUC streams it: what is not there yet is fetched while RAUC waits.

RAUC asks for ranges through a network block device whose requests the kernel gives up after 300 s (rauc 1.13,
src/nbd.c), and has no memory of what it read. So an answer takes at most PATIENCE_S; then the request is refused, the
installation fails, and the next one finds all of what came so far here.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

PATIENCE_S = 240.0
_RANGE = re.compile(r"bytes=(\d+)-(\d+)\Z")
_NAME = "/bundle.raucb"


class NotNowError(Exception):
    """These bytes do not come for now; says why."""


class Nearby:
    """`url` serves [at, end) as `supply` gives it; `supply` raises NotNowError. Used as a context."""

    def __init__(self, size: int, supply: Callable[[int, int], bytes]) -> None:
        class Asked(_Asked):
            pass

        Asked.size, Asked.supply = size, staticmethod(supply)
        self._server = _Server(("127.0.0.1", 0), Asked)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{_NAME}"

    def __enter__(self) -> Nearby:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """RAUC may end in the middle of a word: nobody is to read a traceback of that."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Asked(BaseHTTPRequestHandler):
    """One request of RAUC's. Keeps no log: the addresses in it are our own."""

    protocol_version = "HTTP/1.1"
    size: int
    supply: Callable[[int, int], bytes]

    def do_GET(self) -> None:
        wanted = _RANGE.match(self.headers.get("Range", ""))
        at, end = (int(wanted[1]), min(int(wanted[2]) + 1, self.size)) if wanted else (0, 0)
        if self.path != _NAME or at >= end:
            self._say(416, b"")
            return
        try:
            self._say(206, type(self).supply(at, end), f"bytes {at}-{end - 1}/{self.size}")
        except NotNowError:
            self._say(404, b"")  # the one answer after which RAUC does not ask again
        except OSError:
            self.close_connection = True  # RAUC has ended, and does not want it any more

    def _say(self, status: int, data: bytes, part: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if part:
            self.send_header("Content-Range", part)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        del format, args
