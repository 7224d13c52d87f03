"""One visit of a device: what its driver asks for is done, and what it says is heard, neither waiting for the other."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from agent.ports.radio.air import AirError, Contact, LackError
from agent.ports.radio.limits import bounded
from agent.ports.radio.policy import Known
from drivers.contract import Read, Send, Subscribe

ASK_LIMIT_S = 5.0
NOTES_LIMIT_COUNT = 4096
Ask = Subscribe | Read | Send


@dataclass(slots=True)
class Tally:
    """Of one device, since the start."""

    connects: int = 0
    failures: int = 0
    notes: int = 0  # notifications heard
    dropped_notes: int = 0
    refused: int = 0  # it did not prove its bond
    missing: int = 0  # what the driver asked for and the device does not have


class Ear(Protocol):
    """Who listens to the device. Times are monotonic nanoseconds; what is returned is what the driver asks for."""

    @property
    def wake_at(self) -> int | None: ...
    def opened(self, now: int) -> Iterable[Ask]: ...
    def heard(self, data: bytes, now: int, source: str) -> Iterable[Ask]: ...
    def woke(self, now: int) -> Iterable[Ask]: ...
    def closed(self, now: int, reason: str) -> None: ...


class Talk:
    """`stirred` is set when anything happened to the contact; `well` is called when the device has said something."""

    def __init__(
        self,
        known: Known,
        contact: Contact,
        now: Callable[[], int],
        stirred: asyncio.Event,
        well: Callable[[], None],
        tally: Tally,
    ) -> None:
        self._tally = tally
        self._known = known
        self._contact = contact
        self._now = now
        self._stirred = stirred
        self._well = well
        self._waiting: deque[tuple[str, bytes, int]] = deque()
        self._asks: asyncio.Queue[Ask] = asyncio.Queue()

    async def listen(self, ear: Ear) -> str:
        """Until the contact is lost; returns why. Raises AirError."""
        async with bounded(ASK_LIMIT_S, "it does not say what it offers"):
            offered = await self._contact.characteristics()
        reason = "fault"
        obeying = asyncio.create_task(self._obey(offered), name=f"ble {self._known.address} asks")
        obeying.add_done_callback(lambda _: self._stirred.set())
        try:
            self._ask(ear.opened(self._now()))
            reason = await self._hear(ear, obeying)
        except AirError as error:
            reason = str(error)
            raise
        except asyncio.CancelledError:
            reason = "stopped"
            raise
        finally:
            obeying.cancel()
            ear.closed(self._now(), reason)
        return reason

    async def _hear(self, ear: Ear, obeying: asyncio.Task[None]) -> str:
        while True:
            self._stirred.clear()
            self._take(ear)
            now = self._now()
            if ear.wake_at is not None and now > ear.wake_at:
                self._ask(ear.woke(now))
            if obeying.done():
                obeying.result()
            if self._contact.lost:
                return self._contact.lost
            limit = None if ear.wake_at is None else max(0.0, (ear.wake_at - self._now()) / 1e9) + 0.001
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    await self._stirred.wait()

    def _take(self, ear: Ear) -> None:
        """Hear what has come; stamped when it came."""
        while self._waiting:
            source, data, at = self._waiting.popleft()
            self._tally.notes += 1
            self._ask(ear.heard(data, at, source))
            self._well()

    def _ask(self, asks: Iterable[Ask]) -> None:
        for ask in asks:
            self._asks.put_nowait(ask)

    async def _obey(self, offered: frozenset[str]) -> None:
        """Do what the driver asks, in order, for as long as the contact lasts. Raises AirError."""
        subscribed = missing = 0
        while True:
            ask = await self._asks.get()
            try:
                if ask.characteristic.lower() not in offered:
                    raise LackError("it does not have it")
                await self._do(ask, ask.characteristic.lower())
                subscribed += isinstance(ask, Subscribe)
            except LackError:
                missing += 1
                self._tally.missing += 1
            if missing and not subscribed and self._asks.empty():
                raise AirError(f"it has nothing of what {self._known.driver} asks for: another device?")

    async def _do(self, ask: Ask, characteristic: str) -> None:
        match ask:
            case Subscribe():
                async with bounded(ASK_LIMIT_S, "it does not let us subscribe"):
                    await self._contact.subscribe(characteristic, self._taker(ask.characteristic))
            case Read():
                async with bounded(ASK_LIMIT_S, "it does not tell what is read"):
                    self._taker(ask.characteristic)(await self._contact.read(characteristic))
            case Send():
                async with bounded(ASK_LIMIT_S, "it does not take what is written"):
                    await self._contact.write(characteristic, ask.data)

    def _taker(self, characteristic: str) -> Callable[[bytes], None]:
        def take(data: bytes) -> None:
            if len(self._waiting) >= NOTES_LIMIT_COUNT:
                self._tally.dropped_notes += 1
                return
            self._waiting.append((characteristic, bytes(data), self._now()))
            self._stirred.set()

        return take
