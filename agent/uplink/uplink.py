"""The uplink as one organ: keeps a connection, lets the flow decide, asks the spool, takes receipts.

Two tasks: one lives with the connection and never waits for the disk, so a dying card cannot silence live; the other
does the errands to the spool (backlog, held). The gateway starts `run` under its supervisor.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.uplink.account import UNHEARD, LinkState, Stat
from agent.uplink.commands import Commands
from agent.uplink.errands import Errands, Spool
from agent.uplink.flow import Flow, Limits
from agent.uplink.lanes import Lane, Parcel
from agent.uplink.link import Broker, Link, Will
from agent.uplink.pace import SECOND_NS, Backoff, Terms
from agent.uplink.receipts import Places, Receipts
from agent.uplink.replies import Replies
from agent.uplink.seams import Dial, Origin, Seams
from agent.uplink.times import ask
from agent.uplink.tls import LinkError
from wire.command import Command
from wire.envelope import Header
from wire.presence import Presence
from wire.topics import Class

__all__ = ["Dial", "Origin", "Seams", "Uplink"]

TICK_S = 1.0
log = logging.getLogger("wardlink.uplink")


class Uplink:
    """Envelopes out, receipts and commands in. `centres` are the keys that sign them; none: a PUBACK counts as held.

    `broker` may be changed: the next connection goes there. `relayed`: gateways whose envelopes the spool gives us too,
    see `relay.py`.
    """

    def __init__(
        self,
        origin: Origin,
        broker: Broker,
        centres: Sequence[Ed25519PublicKey],
        spool: Spool,
        seams: Seams,
        limits: Limits | None = None,
        relayed: Places = dict,
    ) -> None:
        self._origin = origin
        self.broker = broker
        self._seams = seams
        self._limits = limits or Limits()
        self._flow = Flow(self._limits, seams.shut)
        self._wake = asyncio.Event()
        gateway = origin.address.gateway
        self._receipts = Receipts(centres, gateway, spool, relayed) if centres else None
        self._commands = Commands(centres, gateway, origin.epoch, origin.start) if centres else None
        self._errands = Errands(
            spool, self._flow, self._receipts, self._commands, seams.clock, seams.utc, self._wake.set
        )
        self._errands.on_time = seams.times.answered
        self.replies = Replies(self._wake.set)
        self._backoff = Backoff(seams.uniform)
        self._topics = {cls: origin.address.topic(cls.word) for cls in Class}
        self._state = LinkState(False, seams.clock(), "not connected yet", "", seams.clock())
        self._link: Link | None = None
        self._stop = asyncio.Event()
        self._ended = asyncio.Event()
        self._tick_due = False
        self._stop_ns = 0
        self._farewell: int | None = None
        self._unheard = False

    def offer(self, header: Header, data: bytes) -> None:
        """A live envelope was sealed. Never blocks; what cannot go at once is left to the backlog and counted."""
        parcel = Parcel(Lane.LIVE, header.cls, header.epoch, header.hour, header.seq, data)
        self._flow.offer(parcel, self._seams.clock())
        self._wake.set()

    def believe(self, centres: Sequence[Ed25519PublicKey]) -> None:
        """From now on these keys sign receipts and commands."""
        if self._receipts is not None and self._commands is not None and centres:
            self._receipts.centres = self._commands.centres = centres

    def obey(self, on_command: Callable[[Command, str], None], on_refused: Callable[[str, str, bytes], None]) -> None:
        """Who is told of each command that is taken (with what came of a resend), and of each that is refused."""
        self._errands.on_command = on_command
        if self._commands is not None:
            self._commands.on_refused = on_refused

    def let_waves(self, wait: bool) -> None:
        """Whether waves that did not go live wait until the centre names them."""
        self._flow.let_waves(wait, self._seams.clock())

    async def run(self) -> None:
        """Connect, send, reconnect, until cancelled or closed."""
        self._ended.clear()
        self._errands.begin()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._stay_connected(), name="uplink link")
                group.create_task(self._errands.run(), name="uplink errands")
        finally:
            self._ended.set()

    async def close(self) -> None:
        """Let outstanding envelopes be acknowledged, say offline; within seconds. Then cancel `run`."""
        self._stop_ns = self._seams.clock() + int(self._limits.close_limit_s * SECOND_NS)
        self._flow.stop()
        self._stop.set()
        self._wake.set()
        if self._flow.is_up:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.close_limit_s + 2 * TICK_S):
                    await self._ended.wait()

    def stat(self) -> Stat:
        flow, account = self._flow, self._flow.account
        sent, acked = account.tallies()
        receipts, commands = self._receipts, self._commands
        return Stat(
            state=self._state,
            last_ack_ns=account.last_ack_ns,
            oldest_ns=flow.oldest_ns(),
            sent=sent,
            acked=acked,
            held=dict(account.held),
            live_left=account.live_left,
            unanswered=account.unanswered,
            refused=dict(account.refused),
            reconnects=max(0, account.connects - 1),
            rtt_ns=flow.trip.rtt_ns,
            outstanding_bytes=flow.outstanding_bytes,
            receipts_good=0 if receipts is None else receipts.good,
            receipts_copies=0 if receipts is None else receipts.copies,
            receipts_refused=dict(self._errands.dropped + (Counter() if receipts is None else receipts.refused)),
            patience_ns=flow.patience.ns,
            rests_cut=flow.rests_cut,
            spool_errors=account.spool_errors,
            commands_taken=0 if commands is None else commands.taken,
            commands_refused={} if commands is None else dict(commands.refused),
            sent_again=0 if commands is None else commands.again,
            absent=0 if commands is None else commands.absent,
        )

    async def _stay_connected(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    await self._connection()
                except LinkError as error:
                    self._say(False, error.message, error.hint)
                await self._rest(self._backoff.next_ns(self._unheard))
        finally:
            self._errands.finish()

    async def _rest(self, wait_ns: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_ns / SECOND_NS):
                await self._stop.wait()

    async def _connection(self) -> None:
        """One connection, from dialling to its end. Raises LinkError."""
        address = self._origin.address
        will = Will(address.topic("state"), self._presence("offline"))
        await self._seams.times.before_dial()
        link = self._seams.dial(self.broker, address.gateway, will, self._wake.set, self._errands.receive)
        try:
            terms = await link.open()
            self._begin(link, terms)
            await self._steady(link)
            link.leave()
            self._say(False, "closed", "")
        finally:
            link.drop()
            self._link = None
            self._unheard = link.unheard
            if link.taken_over:
                self._backoff.exhaust()
            if self._flow.is_up:
                self._flow.down(self._seams.clock())
            self.replies.down()
            self._errands.tick()  # what was acknowledged is held, however long the next link takes

    def _begin(self, link: Link, terms: Terms) -> None:
        address, now = self._origin.address, self._seams.clock()
        if self._receipts is not None:
            link.subscribe(address.topic("receipt"))
            link.subscribe(address.topic("command"))
        link.subscribe(address.topic("time"), 0)
        self._seams.times.connected()
        self._link = link
        self._farewell = None
        self._flow.up(terms, now)
        self._flow.aside(link.publish(address.topic("state"), self._presence("online"), retain=True), now)
        self._say_connected()
        self._seams.on_connect()
        self._wake.set()
        asyncio.get_running_loop().call_later(TICK_S, self._tick, link)

    def _tick(self, link: Link) -> None:
        if self._link is link:
            self._tick_due = True
            self._wake.set()
            asyncio.get_running_loop().call_later(TICK_S, self._tick, link)

    async def _steady(self, link: Link) -> None:
        """Turn by turn until the link is lost (LinkError) or closed."""
        reply_topic = self._origin.address.topic("reply")
        while True:
            await self._wake.wait()
            self._wake.clear()
            now = self._seams.clock()
            self._settle(link, now)
            if self._tick_due:
                self._on_tick(link, now)
            if link.lost is not None:
                raise link.lost
            while self._flow.step(now, partial(self._publish, link), link.unsent_bytes):
                link.flush()
            if self._flow.may_reply(link.unsent_bytes):
                mid = self.replies.step(partial(link.publish, reply_topic))
                if mid is not None:
                    self._flow.aside(mid, now)
            is_over = self._stop.is_set() and self._has_left(link, now)
            link.flush()
            if is_over:
                return
            if self._flow.wants_backlog(now):
                self._errands.poke()

    def _publish(self, link: Link, parcel: Parcel) -> int:
        """Ours under its class; what is relayed (an epoch below zero) under one word."""
        topic = self._origin.address.topic("relay") if parcel.epoch < 0 else self._topics[parcel.cls]
        return link.publish(topic, parcel.data)

    def _settle(self, link: Link, now: int) -> None:
        while link.acks:
            mid, failure = link.acks.popleft()
            self.replies.settle(mid, failure)
            parcel = self._flow.settle(mid, failure, now)
            if parcel is not None:
                self._backoff.progress()
                self._errands.confirm(parcel)
        self._say_connected()

    def _say_connected(self) -> None:
        complaint = self._flow.complaint
        if complaint == UNHEARD:
            hint = "nothing is lost, it waits here; is the centre running, and subscribed at this broker?"
            self._say(True, "nobody listens: the broker has no subscriber for our envelopes", hint)
        elif complaint:
            hint = "check the ACL, quota and packet size at the broker for this gateway's topics, and its log"
            self._say(True, f"the broker refuses our envelopes: {complaint}", hint)
        else:
            self._say(True, "", "")

    def _on_tick(self, link: Link, now: int) -> None:
        """Once a second. Raises LinkError."""
        self._tick_due = False
        link.tend()
        ask(self._seams.times, link, self._origin.address.topic("clock"))
        self._errands.tick()
        if self._flow.stalled(now):
            hint = "the network lost the connection without saying so; the gateway connects again"
            raise LinkError("the broker has stopped answering", hint)

    def _has_left(self, link: Link, now: int) -> bool:
        """Closing: wait for what is outstanding, then for the presence, but not for ever."""
        late = now >= self._stop_ns
        if self._farewell is not None:
            return late or self._flow.is_answered(self._farewell)
        if late or self._flow.is_empty:
            topic = self._origin.address.topic("state")
            self._farewell = link.publish(topic, self._presence("offline"), retain=True)
            self._flow.aside(self._farewell, now)
        return False

    def _presence(self, word: str) -> bytes:
        return Presence(word, self._origin.epoch, start=self._origin.start.hex()).pack()

    def _say(self, connected: bool, message: str, hint: str) -> None:
        """A change of state: one line, one call."""
        if (connected, message) == (self._state.connected, self._state.message):
            return
        self._state = self._state.then(connected, self._seams.clock(), message, hint)
        level = logging.WARNING if message else logging.INFO
        word = "connected" if connected else "disconnected"
        where = f"{self.broker.host}:{self.broker.port}"
        log.log(level, "uplink state=%s broker=%s message=%r hint=%r", word, where, message, hint)
        self._seams.on_state(self._state)
