"""Replies on their way to the centre: one at a time is outstanding, and none while something live waits. Pure but for
the futures that tell when the broker has one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

WAITING_LIMIT_COUNT = 32


@dataclass(slots=True, eq=False)
class _Reply:
    data: bytes
    sent: asyncio.Future[str]


class Replies:
    """`wake` is called when something is there to be sent. What a link loses goes again on the next."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._answers: deque[_Reply] = deque()
        self._pieces: deque[_Reply] = deque()
        self._out: tuple[int, _Reply] | None = None

    async def send(self, data: bytes, *, piece: bool = False) -> str:
        """Until the broker has answered: "" if it took it, else its reason. Answers go before pieces."""
        waiting = self._pieces if piece else self._answers
        if len(waiting) >= WAITING_LIMIT_COUNT:
            return "too many wait here"
        reply = _Reply(data, asyncio.get_running_loop().create_future())
        waiting.append(reply)
        self._wake()
        try:
            return await reply.sent
        finally:
            if reply in waiting:
                waiting.remove(reply)

    def step(self, publish: Callable[[bytes], int]) -> int | None:
        """Hand over the next one, if none is outstanding; its packet identifier."""
        waiting = self._answers or self._pieces
        if self._out is not None or not waiting:
            return None
        reply = waiting.popleft()
        mid = publish(reply.data)
        self._out = mid, reply
        return mid

    def settle(self, mid: int, failure: str | None) -> None:
        """The broker answered something."""
        if self._out is not None and self._out[0] == mid:
            reply, self._out = self._out[1], None
            if not reply.sent.done():
                reply.sent.set_result(failure or "")
            self._wake()

    def down(self) -> None:
        """The link is gone: what was on it waits again."""
        if self._out is not None:
            reply, self._out = self._out[1], None
            if not reply.sent.done():
                self._answers.appendleft(reply)
