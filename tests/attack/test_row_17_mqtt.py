"""Row 17, the broker's side: whatever a broker says after its greeting, the link goes on or ends in words.

Packets of every type, whole and damaged: reasons that are none, properties that do not belong there, lengths that lie,
numbers nobody used. Nothing may reach the loop as an exception: it would leave the uplink waiting for ever.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

from agent.uplink.link import Broker, Link, LinkError, Will
from agent.uplink.tls import explain_text
from tests.attack.hostile import length, puback, publish
from tests.system.bell import Bell

CONNACK = b"\x20\x03\x00\x00\x00"
CASES = 100
SEEDS = (
    CONNACK,
    b"\x20\x0b\x00\x00\x08\x21\x00\x05\x27\x00\x00\x10\x00",
    publish("wl/1/a/b/receipt", b"abc"),
    publish("wl/1/a/b/receipt", b"abc", number=7),
    publish("", b"", number=0),
    puback(1),
    puback(1, 0xFF),
    puback(9999, 0x97),
    b"\x50\x02\x00\x01",
    b"\x62\x02\x00\x01",
    b"\x70\x02\x00\x01",
    b"\x90\x04\x00\x01\x00\x00",
    b"\x90\x04\x00\x01\x00\xfe",
    b"\xb0\x04\x00\x01\x00\x00",
    b"\xd0\x00",
    b"\xe0\x02\xfe\x00",
    b"\xe0\x15\x9c\x13\x1f\x00\x10" + b"\x1b[31m\r\nERROR root",
    b"\xf0\x02\x18\x00",
    b"\x10\x00",
    b"\x82\x00",
    b"\x00\x00",
)


def ruined(dice: random.Random) -> bytes:
    """Some packets, one after the other, most of them damaged."""
    out = b""
    for _ in range(dice.randint(1, 4)):
        data = bytearray(dice.choice(SEEDS))
        for _ in range(dice.choice((0, 1, 1, 2, 4))):
            way = dice.randrange(4)
            at = dice.randrange(len(data))
            if way == 0:
                data[at] = dice.randrange(256)
            elif way == 1:
                del data[at]
            elif way == 2:
                data[at:at] = dice.randbytes(dice.randint(1, 6))
            else:
                data = data[:1] + length(dice.choice((0, 1, 127, 1 << 14, (1 << 28) - 1))) + data[2:]
            data = data or bytearray(b"\0")
        out += data
    return out


async def told(said: bytes, greets: bool) -> tuple[Link, LinkError | None]:
    """A link that is told this, until the broker has hung up."""
    over = Bell()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await reader.read(1000)
            writer.write((CONNACK if greets else b"") + said)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    broker = Broker("127.0.0.1", server.sockets[0].getsockname()[1], None, connect_limit_s=5)
    link = Link(broker, "gw-0001", Will("t", b"gone"), over.ring, lambda *_: None)
    failed = None
    try:
        await link.open()
        link.publish("wl/1/a/b/vital", b"x")
        link.subscribe("wl/1/a/b/receipt")
        link.flush()
        await over.until(lambda: link.lost is not None)
        [link.acks.popleft() for _ in range(len(link.acks))]
    except LinkError as error:
        failed = error
    finally:
        link.drop()
        server.close()
    return link, failed


def test_no_packet_breaks_the_uplink() -> None:
    async def story() -> list[dict[str, Any]]:
        escaped: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        for case in range(CASES):
            dice = random.Random(case)
            said = ruined(dice)
            loop.set_exception_handler(lambda _, wrong, said=said: escaped.append({**wrong, "said": said}))
            link, failed = await told(said, dice.random() < 0.8)
            error = failed or link.lost
            assert error is not None
            assert error.hint
        return escaped

    assert asyncio.run(asyncio.wait_for(story(), 60)) == []


def test_what_a_broker_says_of_itself_is_not_repeated() -> None:
    """Its reason string is never taken over; the library's own words are."""
    _, failed = asyncio.run(told(b"\xe0\x15\x9c\x13\x1f\x00\x10" + b"\x1b[31m\r\nERROR root", True))
    link, _ = asyncio.run(told(b"\xe0\x15\x9c\x13\x1f\x00\x10" + b"\x1b[31m\r\nERROR root", True))
    assert failed is None
    assert link.lost is not None
    assert link.lost.message.isprintable()
    assert "ERROR root" not in link.lost.message
    assert explain_text("EOF occurred", "h", 1).message.isprintable()
