"""Speaks to an ASGI application in the same loop: HTTP through httpx, a WebSocket by hand (slowly, if wanted)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.types import ASGIApp

ANSWER_SECONDS = 10.0


async def get(app: ASGIApp, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(method, path, headers=headers)


def ask(app: ASGIApp, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    return asyncio.run(get(app, path, method, **headers))


class Reader:
    """The browser's end of a socket. `room` is how many frames fit between the two."""

    def __init__(self, room: int = 10_000) -> None:
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue(room)
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.told.put_nowait({"type": "websocket.connect"})

    async def frame(self) -> dict[str, Any]:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await self.said.get()

    async def next(self, kind: str) -> dict[str, Any]:
        """The next object of this kind; others are passed over."""
        while True:
            frame = await self.frame()
            if frame["type"] == "websocket.send":
                said = json.loads(frame["text"])
                if said["kind"] == kind:
                    return dict(said)


@asynccontextmanager
async def socket(app: ASGIApp, gateway: str, room: int = 10_000, **headers: str) -> AsyncIterator[Reader]:
    reader = Reader(room)
    named = {"host": "localhost", **headers}
    path = f"/api/beds/{gateway}/live"
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "subprotocols": [],
    }
    task = asyncio.ensure_future(app(scope, reader.told.get, reader.said.put))  # type: ignore[arg-type]
    try:
        yield reader
    finally:
        reader.told.put_nowait({"type": "websocket.disconnect", "code": 1001})
        while not task.done():
            while not reader.said.empty():
                reader.said.get_nowait()
            await asyncio.wait([task], timeout=0.01)
        await task
