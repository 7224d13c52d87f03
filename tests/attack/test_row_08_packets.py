"""Row 8, packets: a broker with a good certificate declares 256 MiB, or never lets go of QoS 2. It gets little."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from itertools import islice, repeat
from pathlib import Path

import pytest

from agent.uplink.link import Broker, Link, Will
from agent.uplink.tls import context
from tests.system.broker_rig import Authority, Bell

CONNACK = b"\x20\x03\x00\x00\x00"
TOPIC = b"wl/1/ward-7/gw-0001/receipt"
PIECE_BYTES = 65536
OFFERED_BYTES = 48 << 20
TAKEN_LIMIT_BYTES = 12 << 20  # most of it lies in the kernel's and OpenSSL's buffers, ours and his


def huge() -> Iterator[bytes]:
    """One PUBLISH of 256 MiB, the largest that MQTT can say, and as much of it as anybody takes."""
    yield b"\x30\xff\xff\xff\x7f" + len(TOPIC).to_bytes(2, "big") + TOPIC
    yield from repeat(bytes(PIECE_BYTES))


def never_released(qos: int) -> Iterator[bytes]:
    """PUBLISH after PUBLISH, each of another number, none of them released."""
    for number in range(1, 60_000):
        body = len(TOPIC).to_bytes(2, "big") + TOPIC + number.to_bytes(2, "big") + b"\0" + bytes(2000)
        yield bytes([0x30 | qos << 1, len(body) & 127 | 128, len(body) >> 7]) + body


async def offered(authority: Authority, pieces: Iterator[bytes], is_over: Callable[[Link, int], bool]) -> tuple:
    """(link, how many bytes were taken, messages heard) of a broker that offers these once he was greeted."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue("broker"))
    bell, taken, heard = Bell(), [0], []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(CONNACK)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                taken[0] += len(piece)
                if taken[0] >= OFFERED_BYTES:
                    break
        except OSError:
            bell.ring()
        bell.ring()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    own = context(authority.path, *authority.issue("gw-0001"))
    broker = Broker("127.0.0.1", server.sockets[0].getsockname()[1], own, connect_limit_s=5)
    link = Link(broker, "gw-0001", Will("t", b"gone"), bell.ring, lambda _, data: heard.append(len(data)))
    try:
        await link.open()
        await bell.until(lambda: is_over(link, taken[0]))
    finally:
        link.drop()
        server.close()
    return link, taken[0], heard


@pytest.mark.parametrize(
    ("name", "pieces"), [("256 MiB", huge()), ("QoS 2 that is never released", never_released(2))], ids=lambda one: one
)
def test_what_no_broker_of_ours_says_ends_the_link_at_once(tmp_path: Path, name: str, pieces: Iterator[bytes]) -> None:
    story = offered(
        Authority(tmp_path, "authority"), pieces, lambda link, taken: link.lost is not None or taken >= OFFERED_BYTES
    )
    link, taken, heard = asyncio.run(story)
    assert link.lost is not None, f"{name}: {taken} bytes were taken"
    assert taken < TAKEN_LIMIT_BYTES
    assert not heard
    assert link.lost.hint


def test_what_is_within_the_limit_is_heard(tmp_path: Path) -> None:
    """So that the test above cannot pass because nothing at all is taken."""
    story = offered(Authority(tmp_path, "authority"), islice(never_released(1), 50), lambda link, taken: taken > 0)
    link, _, _ = asyncio.run(story)
    assert link.lost is None
