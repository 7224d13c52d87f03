"""Row 27: an ADT feed is spoofed, or of another hospital: refused, counted, audited; and nobody is bound by it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent import audit
from agent.adt import BEGIN, END, Listener
from agent.binding.adt import MESSAGE_LIMIT_BYTES
from agent.binding.words import Adt
from agent.config import AdtFeed
from agent.spool.files import Disk
from tests.fuzz.adt import message
from tests.system.bed_rig import Ward
from tests.system.gateway_rig import free_port

NAME = "Doe^Jane"


class Feed:
    """The hospital's end of the line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, data: bytes) -> bytes:
        """The code of the answer."""
        await self.send(BEGIN + data + END)
        return (await self._reader.readuntil(END)).partition(b"\rMSA|")[2][:2]

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def is_let_go(self) -> bool:
        try:
            return await self._reader.read(1) == b""
        except ConnectionError:
            return True


def feed_of(port: int, **given: object) -> AdtFeed:
    told = {"peers": ["127.0.0.1"], "facility": "LOKOSSA", "place": "MED^12^3", "id_type": "MR"} | given
    return AdtFeed(listen=f"127.0.0.1:{port}", **told)  # type: ignore[arg-type]


@asynccontextmanager
async def listening(runtime: Path, **given: object) -> AsyncIterator[tuple[Listener, int]]:
    port = free_port()
    listener = Listener(feed_of(port, **given), "bed 3", runtime, lambda: "20261122101501")
    server = await listener.serve()
    try:
        yield listener, port
    finally:
        server.close()


async def connected(port: int, tls: ssl.SSLContext | None = None) -> Feed:
    return Feed(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="x" if tls else None))


@pytest.fixture
def ward(tmp_path: Path):
    made = Ward(tmp_path, '[patient.adt]\nlisten = "127.0.0.1:1"\npeers = ["127.0.0.1"]\nfacility = "LOKOSSA"')
    yield made
    made.unplug()


def test_row_27_a_message_proposes_and_a_spoof_is_refused_counted_and_audited(ward: Ward) -> None:
    async def story() -> None:
        async with ward.runs() as gateway, ward.page() as page, listening(ward.folder / "run") as (listener, port):
            feed = await connected(port)
            assert await feed.say(message().replace(b"LOKOSSA|", b"ELSEWHERE|")) == b"AR"
            assert await feed.say(message("", NAME, "1")) == b"AA"
            proposal = await page.proposal("adt")
            assert (proposal.person.id, proposal.person.name) == ("4711", "Doe Jane")
            assert await feed.say(message("", NAME, "1")) == b"AA", "it came before"
            assert await feed.say(message("", "Other^Name", "1")) == b"AR", "another with its number"
            late = message("", "Late^Name", "2").replace(b"20261122101500", b"20261122101400")
            assert await feed.say(late) == b"AA"
            bed = await page.until(lambda bed: bed.adt is not None and bed.adt.refused.get("late"))
            assert bed.adt.refused == {"facility": 1, "number used twice": 1, "late": 1}
            assert (bed.adt.taken, bed.episode.method) == (1, "none")
            assert next(one for one in bed.proposals if one.source == "adt").person.name == "Doe Jane"
            assert listener.counts["again"] == 1
            await feed.send(b"GET / HTTP/1.1\r\n\r\n" + END)
            assert await feed.is_let_go()
            await (feed := await connected(port)).send(BEGIN + b"x" * (MESSAGE_LIMIT_BYTES + 100))
            assert await feed.is_let_go()
            await page.until(lambda bed: {"form", "size"} <= bed.adt.refused.keys())
            assert gateway.associating.binding.course.method == "none"

    asyncio.run(story())
    lines = audit.kept(Disk(), ward.folder / "state" / audit.FOLDER)
    for reason in (b"adt facility", b"adt number used twice", b"adt size"):
        assert reason in lines
    assert b"Doe" not in lines
    assert b"4711" not in lines


def test_row_27_who_is_not_on_the_list_is_not_heard(tmp_path: Path) -> None:
    async def story() -> None:
        async with listening(tmp_path, peers=["10.1.0.9", "10.2.0.0/16"]) as (listener, port):
            feed = await connected(port)
            assert await feed.is_let_go()
            assert listener.counts == {"peer": 1}

    asyncio.run(story())


def test_row_27_without_a_gateway_it_is_to_come_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with listening(tmp_path) as (listener, port):
            feed = await connected(port)
            assert [await feed.say(message()), await feed.say(message())] == [b"AE", b"AE"]
            assert listener.counts["gateway"] == 2

    asyncio.run(story())


def test_row_27_with_tls_only_who_has_a_certificate(tmp_path: Path) -> None:
    from agent.lab import keyring

    ring, strangers = keyring.make(tmp_path / "ours"), keyring.make(tmp_path / "theirs")

    def context(folder: Path | None) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
        if folder is not None:
            made.load_cert_chain(folder / "gateway.crt", folder / "gateway.key")
        return made

    async def story() -> None:
        files = {"certificate": "gateway.crt", "key": "gateway.key", "ca": "ca.crt"}
        given = {word: str(ring.gateway / name) for word, name in files.items()}
        async with listening(tmp_path, **given) as (_, port):
            assert await (await connected(port, context(ring.gateway))).say(message()) == b"AE", (
                "heard"
            )
            for wrong in (context(None), context(strangers.gateway)):
                with pytest.raises((OSError, asyncio.IncompleteReadError)):
                    await (await connected(port, wrong)).say(message())

    asyncio.run(story())


def test_row_27_the_word_for_adt_has_no_deed() -> None:
    assert set(Adt.__struct_fields__) == {"n", "trigger", "person", "former", "was_here", "refused", "peer"}
