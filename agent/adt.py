"""`wardlink adt`: hears the hospital's system, in a process of its own, and tells the gateway what is of its bed.

    MLLP (HL7 v2, Minimal Lower Layer Protocol, release 1): 0x0B message 0x1C 0x0D, and the answer in the same way

What comes from the network is parsed here and nowhere else: this process can propose a patient to the gateway, by
`adt.sock`, and nothing more. AA is said once the gateway has what it must keep; where it does not answer, AE, so that
the message comes again. One that came before gets its answer again and is not told twice; one that was made before
another of this bed that was told already is late, and says nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import ssl
from collections import Counter, OrderedDict
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path

import msgspec

from agent.binding.adt import MESSAGE_LIMIT_BYTES, Judged, Rules, acknowledgement, judge
from agent.binding.terms import ADT_SOCKET, LINE_LIMIT_BYTES
from agent.binding.words import Adt, Answer
from agent.config import AdtFeed

BEGIN, END = b"\x0b", b"\x1c\r"
CALLERS_LIMIT_COUNT = 4
IDLE_LIMIT_S = 900.0
ANSWER_LIMIT_S = 10.0
KNOWN_LIMIT_COUNT = 4096
log = logging.getLogger("wardlink.adt")


class Listener:
    """`stamp` is the time as HL7 writes it, 14 digits."""

    def __init__(self, feed: AdtFeed, bed: str, runtime: Path, stamp: Callable[[], str]) -> None:
        self._feed = feed
        self._rules = Rules(feed.facility, bed, feed.place, feed.id_type)
        self._peers = [ip_network(peer) for peer in feed.peers]
        self._socket = runtime / ADT_SOCKET
        self._stamp = stamp
        self._known: OrderedDict[str, tuple[bytes, bytes]] = OrderedDict()  # (digest, answer) by control id
        self._latest = ""  # when the last one of this bed that was told was made
        self._callers = 0
        self._turn = asyncio.Lock()
        self.counts: Counter[str] = Counter()

    async def serve(self) -> asyncio.Server:
        """Raises OSError, ssl.SSLError."""
        host, _, port = self._feed.listen.rpartition(":")
        limit = MESSAGE_LIMIT_BYTES + len(BEGIN + END)
        return await asyncio.start_server(self._call, host.strip("[]"), int(port), limit=limit, ssl=_tls(self._feed))

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str(writer.get_extra_info("peername", ("?",))[0])
        self._callers += 1
        try:
            if not self._is_allowed(peer):
                await self._refuse("peer", peer)
            elif self._callers > CALLERS_LIMIT_COUNT:
                await self._refuse("too many", peer)
            else:
                with contextlib.suppress(TimeoutError, ConnectionError):
                    await self._talk(reader, writer, peer)
        finally:
            self._callers -= 1
            writer.close()

    def _is_allowed(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._peers)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        """Message by message; whoever sends no frame is let go. Raises TimeoutError, ConnectionError."""
        while True:
            try:
                async with asyncio.timeout(IDLE_LIMIT_S):
                    frame = await reader.readuntil(END)
            except asyncio.IncompleteReadError:
                return
            except asyncio.LimitOverrunError:
                await self._refuse("size", peer)
                return
            if not frame.startswith(BEGIN):
                await self._refuse("form", peer)
                return
            async with self._turn:
                answer = await self._answer(frame[len(BEGIN) : -len(END)], peer)
            writer.write(BEGIN + answer + END)
            await writer.drain()

    async def _answer(self, data: bytes, peer: str) -> bytes:
        judged = judge(data, self._rules)
        digest, known = hashlib.sha256(data).digest(), self._known.get(judged.control)
        if judged.control and known is not None:
            if known[0] == digest:
                self.counts["again"] += 1
                return known[1]
            judged = Judged("AR", judged.control, "number used twice")
        if judged.code == "AA" and judged.said is not None:
            judged = await self._tell(judged, peer)
        elif judged.code == "AA":
            self.counts[judged.why] += 1
        else:
            await self._refuse(judged.why, peer)
        answer = acknowledgement(judged, ("WARDLINK", self._feed.facility), self._stamp())
        if judged.control and judged.code == "AA":
            self._known[judged.control] = digest, answer
            while len(self._known) > KNOWN_LIMIT_COUNT:
                self._known.popitem(last=False)
        return answer

    async def _tell(self, judged: Judged, peer: str) -> Judged:
        """As it is once the gateway knows."""
        assert judged.said is not None
        if judged.at and judged.at < self._latest and judged.trigger != "A40":
            await self._refuse("late", peer)
            return msgspec.structs.replace(judged, why="late")
        answer = await self._ask(judged.said)
        if answer is None or not answer.done:
            self.counts["gateway"] += 1
            return msgspec.structs.replace(judged, code="AE", why="gateway")
        self._latest = self._latest if judged.trigger == "A40" else max(self._latest, judged.at)
        self.counts["taken"] += 1
        return judged

    async def _refuse(self, why: str, peer: str) -> None:
        """Counted here, and in the gateway's audit log."""
        self.counts[why] += 1
        if self.counts[why] == 1:
            log.warning("refused why=%r peer=%r", why, peer)
        await self._ask(Adt(0, refused=why, peer=peer))

    async def _ask(self, said: Adt) -> Answer | None:
        """The gateway's answer; None where it gives none."""
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                reader, writer = await asyncio.open_unix_connection(str(self._socket), limit=LINE_LIMIT_BYTES)
                try:
                    writer.write(msgspec.json.encode(said) + b"\n")
                    return msgspec.json.decode(await reader.readline(), type=Answer)
                finally:
                    writer.close()
        except (OSError, ValueError, TimeoutError) as error:
            log.warning("the gateway does not answer error=%s", type(error).__name__)
            return None


def _tls(feed: AdtFeed) -> ssl.SSLContext | None:
    """Only who has a certificate of the hospital's own authority; None: the feed is in the clear. Raises OSError."""
    if not feed.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(feed.certificate, feed.key)
    context.load_verify_locations(feed.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context
