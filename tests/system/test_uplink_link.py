"""The link against a broker of the test's own, which says over TLS 1.3 what a real one would not."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from agent.uplink.link import Broker, Link, Will
from agent.uplink.tls import LinkError, context
from tests.system.broker_rig import Authority, Bell
from tests.system.uplink_rig import ADDRESS, worlds

CONNACK = b"\x20\x03\x00\x00\x00"
TOPIC = b"wl/1/ward-7/gw-0001/receipt"


def publish(data: bytes) -> bytes:
    """A QoS 0 PUBLISH packet."""
    body = len(TOPIC).to_bytes(2, "big") + TOPIC + b"\x00" + data
    return bytes([0x30, len(body)]) + body


async def hear(authority: Authority, said: list[bytes], condition):
    """Open a link to a broker that answers CONNECT with each of `said` in one TLS record of its own."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue("broker"))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        for record in said:
            writer.write(record)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port, bell, heard = server.sockets[0].getsockname()[1], Bell(), []
    own = context(authority.path, *authority.issue("gw-0001"))
    broker = Broker("127.0.0.1", port, own, connect_limit_s=2)
    link = Link(broker, "gw-0001", Will("t", b"gone"), bell.ring, lambda _topic, data: heard.append(data))
    try:
        terms = await link.open()
        await bell.until(lambda: condition(link, heard), 2)
    finally:
        link.drop()
        server.close()
    return terms, link, heard


def test_packets_that_share_a_tls_record_are_all_read_at_once(tmp_path):
    """The selector is silent about bytes that TLS has already decrypted."""
    five = [bytes([number]) for number in range(5)]
    said = [CONNACK + b"".join(map(publish, five))]
    _, _, heard = asyncio.run(hear(Authority(tmp_path, "authority"), said, lambda _link, heard: len(heard) == 5))
    assert heard == five


def test_more_packets_in_a_record_than_one_turn_reads(tmp_path):
    said = [CONNACK + publish(b"x") * 300]
    _, _, heard = asyncio.run(hear(Authority(tmp_path, "authority"), said, lambda _link, heard: len(heard) == 300))
    assert len(heard) == 300


def test_the_brokers_terms_are_read(tmp_path):
    said = [b"\x20\x0b\x00\x00\x08\x21\x00\x05\x27\x00\x00\x10\x00"]  # Receive Maximum 5, Maximum Packet Size 4096
    terms, _, _ = asyncio.run(hear(Authority(tmp_path, "authority"), said, lambda *_: True))
    assert (terms.receive_limit_count, terms.packet_limit_bytes) == (5, 4096)


def test_a_refused_connection_says_why(tmp_path):
    with pytest.raises(LinkError, match="refuses the connection: Not authorized"):
        asyncio.run(hear(Authority(tmp_path, "authority"), [b"\x20\x03\x00\x87\x00"], lambda *_: True))


def test_a_gateway_that_another_displaces_is_told(tmp_path):
    said = [CONNACK + b"\xe0\x02\x8e\x00"]
    _, link, _ = asyncio.run(hear(Authority(tmp_path, "authority"), said, lambda link, _heard: link.lost is not None))
    assert link.taken_over
    assert "one identity" in link.lost.hint


@pytest.mark.parametrize("noise", [b"\x20\x03\x00", b"\xf0\x00", b"\x31\xff\xff\xff\xff\xff", b"\x40\x01\x00"])
def test_what_is_no_mqtt_ends_the_link(tmp_path, noise):
    said = [CONNACK, noise + b"\x20\x02\x00\x00" * 20]
    _, link, _ = asyncio.run(hear(Authority(tmp_path, "authority"), said, lambda link, _heard: link.lost is not None))
    assert link.lost.hint


def test_silence_instead_of_a_connack_is_an_error(tmp_path):
    with pytest.raises(LinkError, match="does not answer"):
        asyncio.run(hear(Authority(tmp_path, "authority"), [], lambda *_: True))


def test_a_session_is_resumed_once_and_the_broker_still_knows_who_we_are(tmp_path):
    """Against mosquitto, which names its users by their certificates: a ticket must not lose the name."""

    async def story(world):
        broker, bell, resumed = world.at(), Bell(), []
        for _ in range(3):
            link = Link(broker, ADDRESS.gateway, Will(ADDRESS.topic("state"), b"gone"), bell.ring, lambda *_: None)
            await link.open()
            link.publish(ADDRESS.topic("state"), b"here")
            link.flush()
            await bell.until(lambda link=link: link.acks, 5)
            assert link.acks.popleft()[1] == "no-subscriber", "and not refused"
            resumed.append(link.resumed)
            link.drop()
        return resumed

    with worlds(tmp_path) as build:
        acl = tmp_path / "acl"
        acl.write_text("pattern write wl/1/+/%u/state\n")
        acl.chmod(0o600)
        world = build(acl=f"acl_file {acl}")
        assert asyncio.run(story(world)) == [False, True, True]


def test_who_takes_the_call_and_says_nothing_was_heard():
    async def dialled() -> Link:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        broker = Broker("127.0.0.1", port, None, connect_limit_s=0.3)
        link = Link(broker, "gw", Will("t", b""), lambda: None, lambda *_: None)
        with pytest.raises(LinkError):
            await link.open()
        server.close()
        return link

    assert not asyncio.run(dialled()).unheard


def test_a_refused_dial_was_heard_and_a_name_nobody_knows_was_not():
    async def dialled(host: str, port: int) -> Link:
        link = Link(Broker(host, port, None, connect_limit_s=2), "gw", Will("t", b""), lambda: None, lambda *_: None)
        with pytest.raises(LinkError):
            await link.open()
        return link

    assert not asyncio.run(dialled("127.0.0.1", 1)).unheard
    assert asyncio.run(dialled("nowhere.invalid", 8883)).unheard


def test_a_topic_is_said_until_the_broker_has_accepted_a_number_for_it():
    """And never where the broker takes no numbers: here it takes one."""
    topics, bell = [], Bell()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"\x20\x06\x00\x00\x03\x22\x00\x01")  # Topic Alias Maximum 1
        for reason in (b"\x10", b"\x00", b"\x00", b"\x00", b"\x00"):
            size = (await reader.readexactly(2))[1]
            body = await reader.readexactly(size)
            length = int.from_bytes(body[:2], "big")
            topics.append(body[2 : 2 + length])
            writer.write(b"\x40\x03" + body[2 + length : 4 + length] + reason)
        await reader.read()
        writer.close()

    async def story():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        broker = Broker("127.0.0.1", server.sockets[0].getsockname()[1], None)
        link = Link(broker, "gw-0001", Will("t", b"gone"), bell.ring, lambda *_: None)
        await link.open()
        for count, topic in enumerate("aaaba", 1):
            link.publish(topic, b"data")
            link.flush()
            await bell.until(lambda count=count: len(link.acks) == count, 2)
        link.drop()
        server.close()
        return list(link.acks)

    answers = asyncio.run(story())
    assert topics == [b"a", b"a", b"", b"b", b""]
    assert [why for _, why in answers] == ["no-subscriber", None, None, None, None]
