"""The signed time port: a datagram, or one small HTTP request where those are blocked. For gateways without a clock.

Anybody may ask, so an answer is never longer than its question by datagram, and a connection is open for seconds only.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import cast

from centre.counts import Counts
from centre.timing import Timing
from wire import moment
from wire.moment import MomentError
from wire.topics import is_name

REQUEST_LIMIT_BYTES = 2048
REQUEST_LIMIT_S = 5.0
OPEN_LIMIT_COUNT = 256
log = logging.getLogger("wardlink.centre")


class TimePort:
    """In a thread with an asyncio loop of its own. `start` raises OSError where the address is taken."""

    def __init__(self, address: tuple[str, int], timing: Timing, counts: Counts) -> None:
        self._address = address
        self._timing = timing
        self._counts = counts
        self._open = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="time port", daemon=True)

    def start(self) -> None:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        except OSError:
            self._end()
            raise

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._end()

    async def _listen(self) -> None:
        host, port = self._address
        self._server = await asyncio.start_server(self._serve, host, port, limit=REQUEST_LIMIT_BYTES)
        try:
            made = await self._loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=(host, port))
        except OSError:
            self._server.close()
            raise
        self._datagrams = made[0]

    async def _close(self) -> None:
        self._server.close()
        self._datagrams.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def by_datagram(self, data: bytes, received: int) -> bytes | None:
        """The answer; None to what is no question."""
        try:
            gateway, nonce = moment.asked(data)
        except MomentError:
            self._counts.add("time_port_refused")
            return None
        return self._timing.answer(gateway, nonce, received)

    @property
    def utc_us(self) -> int:
        return self._timing.utc_us()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        self._open += 1
        try:
            if self._open <= OPEN_LIMIT_COUNT:
                async with asyncio.timeout(REQUEST_LIMIT_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._by_http(head, self.utc_us))
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):  # TimeoutError is one of the first
            self._counts.add("time_port_refused")
        finally:
            self._open -= 1
            writer.close()

    def _by_http(self, head: bytes, received: int) -> bytes:
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        parts = words[1].split("/") if len(words) == 3 and words[0] == "GET" else []
        try:
            _, word, gateway, letters = parts
            nonce = bytes.fromhex(letters)
            if word != "time" or not is_name(gateway) or len(nonce) != moment.NONCE_BYTES:
                raise ValueError("not our path")
        except ValueError:
            self._counts.add("time_port_refused")
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        answer = self._timing.answer(gateway, nonce, received)
        lines = (
            "HTTP/1.1 200 OK",
            "Content-Type: application/octet-stream",
            f"Content-Length: {len(answer)}",
            "Cache-Control: no-store",
            "Connection: close",
        )
        return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + answer


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, port: TimePort) -> None:
        self._port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._port.by_datagram(data, self._port.utc_us)
        if answer is not None:
            self._transport.sendto(answer, addr)
