"""The link between gateway and broker, at the level of MQTT packets: what paho does for the product, done here by hand.

It has the methods of `agent.uplink.link.Link`. Packets keep their order and take time; a link may be slow, break, or
go half-open: nothing arrives any more, and nobody is told.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from agent.uplink.pace import Terms
from agent.uplink.tls import LinkError

OPEN_LIMIT_S = 30.0
KEEPALIVE_S = 60.0
HINT = "a simulated link"


@dataclass
class Net:
    """The road between them."""

    is_up: bool = True
    is_half_open: bool = False
    latency_s: float = 0.02
    rate_bytes_s: float = 1e6


class Link:
    """One connection, as long as it lives."""

    def __init__(self, place, will, wake, receive) -> None:
        self._place = place
        self._broker, self._net, self._timeline = place.broker, place.net, place.timeline
        self.will = will
        self._wake = wake
        self._receive = receive
        self.acks: deque[tuple[int, str | None]] = deque()
        self.lost: LinkError | None = None
        self.taken_over = False
        self.unheard = False
        self.resumed = False
        self._out: list[tuple] = []
        self._mid = 0
        self._free_at = 0
        self._is_open = False
        self._is_stuck = False
        self.is_gone = False
        self._heard_ns = place.timeline.now
        self._asked_ns: int | None = None

    async def open(self) -> Terms:
        loop = asyncio.get_running_loop()
        self._loop = loop
        if self._net.is_half_open:
            await _pause(OPEN_LIMIT_S)
            self.unheard = True
            raise LinkError("the broker does not answer", HINT)
        await _pause(3 * self._net.latency_s)
        if self.is_gone or not self._net.is_up or not self._broker.is_up:
            raise LinkError("the broker refuses connections", HINT)
        self._is_open = True
        self._heard_ns = self._timeline.now
        self._place.links.append(self)
        return self._broker.accept(self)

    def publish(self, topic: str, data: bytes, *, retain: bool = False) -> int:
        self._mid = self._mid % 65535 + 1
        self._out.append((self._broker.published, (self, self._mid, topic, data, retain), len(data) + 40))
        return self._mid

    def tell(self, topic: str, data: bytes) -> None:
        self._out.append((self._broker.told, (self, topic, data), len(data) + 40))

    def subscribe(self, topic: str, qos: int = 1) -> None:
        self._out.append((self._broker.subscribed, (self, topic), 40))

    def unsent_bytes(self) -> int:
        """What waits for the road to be free."""
        return max(0, int((self._free_at - self._timeline.now) / 1e9 * self._net.rate_bytes_s))

    def flush(self) -> None:
        out, self._out = self._out, []
        for work, words, size in out:
            self._carry(work, words, size)

    def _carry(self, work, words: tuple, size: int) -> None:
        """Hand a packet to the network, which delivers it in order, or never."""
        if not self._is_open or self.is_gone:
            return
        now = self._timeline.now
        self._free_at = max(now, self._free_at) + int(size / self._net.rate_bytes_s * 1e9)
        self._timeline.at(self._free_at + int(self._net.latency_s * 1e9), self._arrive, work, words)

    def _arrive(self, work, words: tuple) -> None:
        self._is_stuck = self._is_stuck or self._net.is_half_open
        if not self.is_gone and not self._is_stuck:
            work(*words)

    def tend(self) -> None:
        """Keepalive, as paho does it: a question after a silent minute, the end after another."""
        now = self._timeline.now
        if self._asked_ns is not None and now - self._asked_ns > KEEPALIVE_S * 1e9:
            self._lose("the broker does not answer")
        elif self._asked_ns is None and now - self._heard_ns > KEEPALIVE_S * 1e9:
            self._asked_ns = now
            self._carry(self.hear, (lambda: None,), 2)
        self.flush()

    def leave(self) -> None:
        self._carry(self._broker.left, (self,), 2)
        self.flush()
        self.drop()

    def drop(self) -> None:
        if self._is_open and not self.is_gone:
            self._timeline.after(self._net.latency_s + 0.5, self._broker.vanished, self)
        self._is_open = False
        if self in self._place.links:
            self._place.links.remove(self)

    # What the broker's side calls.

    def hear(self, work, *words: object) -> None:
        """Something from the broker, on its way."""
        self._timeline.after(self._net.latency_s, self._heard, work, words)

    def _heard(self, work, words: tuple) -> None:
        self._is_stuck = self._is_stuck or self._net.is_half_open
        if self.is_gone or self._is_stuck or not self._is_open or self._loop.dead:
            return
        self._heard_ns, self._asked_ns = self._timeline.now, None
        with self._loop.running():
            work(*words)

    def acknowledged(self, mid: int, failure: str | None) -> None:
        self.acks.append((mid, failure))
        self._wake()

    def received(self, topic: str, data: bytes) -> None:
        self._receive(topic, data)
        self._wake()

    def cut(self, why: str) -> None:
        """The connection breaks and both sides are told."""
        if self.is_gone:
            return
        self.is_gone = True
        if self in self._place.links:
            self._place.links.remove(self)
        self._timeline.after(0.0, self._broker.vanished, self)
        if self._is_open and not self._loop.dead:
            with self._loop.running():
                self._lose(why)

    def abandoned(self, is_dark: bool) -> None:
        """The process is gone. What the kernel has still goes out, and then the end; in the dark nothing does."""
        self._place.links.remove(self)
        self.is_gone = is_dark
        self._is_open = False
        wait_s = 60.0 if is_dark else self._net.latency_s + max(0, self._free_at - self._timeline.now) / 1e9 + 0.001
        self._timeline.after(wait_s, self._broker.vanished, self)

    def _lose(self, why: str) -> None:
        if self.lost is None:
            self.lost = LinkError(why, HINT)
        self._wake()


async def _pause(seconds: float) -> None:
    """Virtual seconds."""
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, lambda: done.done() or done.set_result(None))
    await done
