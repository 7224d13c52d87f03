"""One device that may be connected: one task, from its first advertisement to the end.

It is connected as soon as it is heard, for some advertise for five seconds only; what its driver asks for is subscribed
and written, what it says is heard, and when it is gone it is waited for. A failure is followed by a pause that grows.
A device that does not prove its bond is left alone for a minute, and never bonded again without a person.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from agent.ports.radio.air import Air, AirError, BondError, Contact
from agent.ports.radio.limits import bounded
from agent.ports.radio.policy import Known
from agent.ports.radio.talk import Ear, Talk, Tally

CONNECT_LIMIT_S = 8.0
PROVE_LIMIT_S = 5.0
PAIR_LIMIT_S = 30.0
LEAVE_LIMIT_S = 5.0
PAUSE_FIRST_S = 0.5
PAUSE_LIMIT_S = 15.0
REFUSED_PAUSE_S = 60.0
UNPROVEN_LIMIT_COUNT = 3
FRESH_NS = 2_000_000_000  # an advertisement older than this is no reason to connect
LOST_BOND = "does not prove its bond: it lost it, or another device shows its address; bond it again (wardlink bond)"
log = logging.getLogger("wardlink.radio")


class Seams(Protocol):
    """What a peer needs of its host."""

    @property
    def air(self) -> Air: ...
    @property
    def connecting(self) -> asyncio.Lock: ...
    def now(self) -> int: ...
    def keeps(self, peer: Peer) -> bool: ...
    def wants_bond(self, peer: Peer) -> bool: ...
    def was_bonded(self, peer: Peer, address: str) -> None: ...
    def went_well(self, peer: Peer) -> None: ...
    def went_wrong(self, peer: Peer, error: AirError) -> None: ...


@dataclass(slots=True, eq=False)
class Peer:
    """`state` is for people: waiting, connecting, open, or what is wrong. `meet` gives the ear when it is needed."""

    known: Known
    host: Seams
    meet: Callable[[Known], Ear]
    state: str = "waiting"
    tally: Tally = field(default_factory=Tally)
    seen_ns: int | None = None
    rssi: int | None = None
    is_open: bool = False
    is_refused: bool = False
    _failures: int = 0
    _unproven: int = 0
    _is_hurried: bool = False
    _told: str = ""
    _stirred: asyncio.Event = field(default_factory=asyncio.Event)

    def seen(self, now: int, rssi: int | None) -> None:
        """It advertised."""
        self.seen_ns, self.rssi = now, rssi
        self._stirred.set()

    def hurry(self) -> None:
        """A person waits for it: no pause."""
        self._is_hurried = True
        self._stirred.set()

    def begin_anew(self) -> None:
        """Its old bond is gone, and what was heard before that is no reason to connect: the stack forgot it, too."""
        self.seen_ns, self.is_refused, self._failures = None, False, 0
        self.hurry()

    def stumble(self, words: str) -> None:
        """Its task failed; the next one begins with a pause."""
        self.tally.failures += 1
        self._failures += 1
        self.state = f"failed: {words}"

    async def run(self) -> None:
        """Until cancelled, or kept no more."""
        if self._failures:
            await self._pause()
        while self.host.keeps(self):
            await self._advertised()
            self._is_hurried = False
            try:
                words = await self._visit()
            except AirError as error:
                words = self._fail(error)
            if words:
                self._failures += 1
                await self._pause()
            else:
                self._failures = 0

    async def _advertised(self) -> None:
        while not self._is_fresh():
            self._stirred.clear()
            await self._stirred.wait()

    def _is_fresh(self) -> bool:
        return self.seen_ns is not None and self.host.now() - self.seen_ns <= FRESH_NS

    def _fail(self, error: AirError) -> str:
        self.tally.failures += 1
        if isinstance(error, BondError) and self.known.bonded:
            self.is_refused = True
            self.tally.refused += 1
        words = LOST_BOND if self.is_refused else str(error)
        if str(error) != self._told:
            self._told = str(error)
            log.warning("device fails address=%s driver=%s why=%r", self.known.address, self.known.driver, str(error))
        self.state = words
        self.host.went_wrong(self, error)
        return words

    async def _pause(self) -> None:
        growing = min(PAUSE_FIRST_S * 2 ** min(self._failures - 1, 8), PAUSE_LIMIT_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REFUSED_PAUSE_S if self.is_refused else growing):
                while not self._is_hurried:
                    self._stirred.clear()
                    await self._stirred.wait()

    async def _visit(self) -> str:
        """From connecting to the loss. Returns why there must be a pause, if so. Raises AirError."""
        contact = await self._connect()
        if contact is None:
            return ""
        before, well = self.tally.notes, partial(self.host.went_well, self)
        talk = Talk(self.known, contact, self.host.now, self._stirred, well, self.tally)
        try:
            self.is_open, self.is_refused, self.state, self._told = True, False, "open", ""
            log.info("device open address=%s driver=%s", self.known.address, self.known.driver)
            reason = await talk.listen(self.meet(self.known))
        finally:
            self.is_open = False
            self.state = "waiting" if self.state == "open" else self.state
            self.seen_ns = None
            await self._leave(contact)
        log.info("device gone address=%s why=%r", self.known.address, reason)
        return "" if self.tally.notes > before else reason

    async def _connect(self) -> Contact | None:
        """Connected, and proven or bonded where it must be; one device at a time, adapters are bad at more.

        None: until it was its turn it had gone.
        """
        async with self.host.connecting:
            if not self._is_fresh():
                return None
            if not (self.known.allowed or self.known.bonded or self.host.wants_bond(self)):
                raise BondError("nobody opened the window")
            if not self.is_refused:
                self.state = "connecting"
            self.seen_ns = None
            async with bounded(CONNECT_LIMIT_S, "it does not answer"):
                contact = await self.host.air.connect(self.known.address, self._stirred.set)
            self.tally.connects += 1
            is_secure = False
            try:
                await self._secure(contact)
                is_secure = True
            finally:
                if not is_secure:
                    await self._leave(contact)
        return contact

    async def _secure(self, contact: Contact) -> None:
        if self.host.wants_bond(self):
            async with bounded(PAIR_LIMIT_S, "it was not bonded in time"):
                await contact.pair(self.known.passkey)
            self.host.was_bonded(self, contact.address)
        elif self.known.bonded:
            await self._prove(contact)
        elif not self.known.allowed:
            raise BondError("nobody opened the window")

    async def _prove(self, contact: Contact) -> None:
        """Who does not answer has not proven anything. Who is gone meanwhile may, once or twice, just have gone."""
        is_proven = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PROVE_LIMIT_S):
                is_proven = await contact.prove()
        self._unproven = 0 if is_proven else self._unproven + 1
        if not is_proven and contact.lost and self._unproven < UNPROVEN_LIMIT_COUNT:
            raise AirError("it was gone before it proved its bond")
        if not is_proven:
            raise BondError("not encrypted with its bond")

    async def _leave(self, contact: Contact) -> None:
        try:
            async with bounded(LEAVE_LIMIT_S, "it could not be disconnected"):
                await contact.disconnect()
        except AirError as error:
            self.host.went_wrong(self, error)
