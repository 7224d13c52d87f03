"""A web server for one folder that sends parts of files, counts what it sent, and has a bad link if told so."""

from __future__ import annotations

import random
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_RANGE = re.compile(r"bytes=(\d+)-(\d*)\Z")


class Ranges:
    """`sent_bytes` of bodies, `headers_bytes` of what is said around them, both ways.

    `drop`: how often, of 1, an answer ends in the middle; `is_down`: no answer at all.
    """

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.folder, self.sent_bytes, self.headers_bytes = folder, 0, 0
        self.drop, self.is_down = 0.0, False
        self.asked: list[tuple[int, int]] = []
        self.has_ranges = True
        self._chance = random.Random(seed)
        outer = self

        class Asked(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.answer(self)

            def flush_headers(self) -> None:
                outer.headers_bytes += len(self.requestline) + len(bytes(self.headers)) + 2
                outer.headers_bytes += sum(map(len, getattr(self, "_headers_buffer", ())))
                super().flush_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, asked: BaseHTTPRequestHandler) -> None:
        asked.close_connection = self.is_down
        file = self.folder / asked.path.lstrip("/")
        if self.is_down:
            return
        if not file.is_file():
            asked.send_error(404)
            return
        size = file.stat().st_size
        wanted = _RANGE.match(asked.headers.get("Range", "")) if self.has_ranges else None
        at, end = (int(wanted[1]), min(int(wanted[2] or size) + 1, size)) if wanted else (0, size)
        with file.open("rb") as opened:
            opened.seek(at)
            data = opened.read(end - at)
        asked.send_response(206 if wanted else 200)
        asked.send_header("Content-Length", str(len(data)))
        asked.send_header("ETag", f'"{size}-{file.stat().st_mtime_ns}"')
        if wanted:
            asked.send_header("Content-Range", f"bytes {at}-{end - 1}/{size}")
        asked.end_headers()
        if self._chance.random() < self.drop:
            data, asked.close_connection = data[: len(data) // 2], True
        self.sent_bytes += len(data)  # before the client can have it
        self.asked.append((at, end))
        asked.wfile.write(data)
