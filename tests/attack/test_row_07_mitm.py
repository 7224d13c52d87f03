"""Row 7: somebody stands between gateway and broker. He is refused in words, hears nothing of MQTT, and all is kept."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path

import pytest

from agent.uplink.link import Broker, Link, LinkError, Will
from agent.uplink.tls import context
from tests.attack.falsebroker import CONNECT, PERSONAS, FalseBroker, Persona, certificate
from tests.system.bell import Bell
from tests.system.broker_rig import Authority
from tests.system.gateway_rig import Gateway, Oximeter

WORDS = {
    "another authority": "authority we do not trust",
    "signed by itself": "authority we do not trust",
    "expired": "expired",
    "not valid yet": "not valid yet",
    "for another host": "not for 127.0.0.1",
    "a client's certificate": "certificate is refused",
    "TLS 1.2 at most": "TLS 1.3",
    "TLS 1.1 at most": "TLS 1.3",
    "no TLS": "does not speak TLS",
}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


def called(authority: Authority, false: FalseBroker, limit_s: float = 5.0) -> LinkError:
    """What a link says of it; TLS is set up as the gateway does."""
    tls = context(authority.path, *authority.issue("gw-0001"))
    broker = Broker("127.0.0.1", false.port, tls, connect_limit_s=limit_s)
    link = Link(broker, "gw-0001", Will("wl/1/a/gw-0001/state", b"{}"), lambda: None, lambda *_: None)
    with pytest.raises(LinkError) as caught:
        asyncio.run(link.open())
    return caught.value


@pytest.mark.parametrize("name", PERSONAS)
def test_a_false_broker_is_refused_in_words_and_hears_nothing_of_mqtt(name: str, authority: Authority) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that he speaks TLS 1.1 is the point
        files = certificate(authority.folder, authority, PERSONAS[name])
        with FalseBroker(PERSONAS[name], files, b"HTTP/1.1 400 \r\n\r\n") as false:
            said = called(authority, false)
    assert WORDS[name] in said.message
    assert said.hint
    assert false.calls == 1
    assert not false.said
    assert false.raw[:1] in (b"", b"\x16"), "what is no TLS handshake left the gateway"


def test_who_speaks_another_protocol_on_a_good_certificate_gets_the_greeting_and_no_more(authority: Authority) -> None:
    """Mosquitto answers no ALPN, so none is asked for: what it would protect from is refused by the first answer."""
    files = certificate(authority.folder, authority, Persona())
    with FalseBroker(Persona(), files, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as false:
        called(authority, false, 1.0)
    assert false.handshakes == 1
    assert false.said[0] == CONNECT
    assert false.said[1] + 2 == len(false.said), "more than the one packet of greeting"


def test_what_the_bed_says_meanwhile_is_kept(tmp_path: Path, authority: Authority) -> None:
    """The whole gateway: every sample is in its spool, and none is held or sent."""
    files = certificate(tmp_path, authority, PERSONAS["another authority"])

    async def story(false: FalseBroker) -> tuple[list[int], list[int], str]:
        oximeter = Oximeter(tmp_path / "oximeter")
        gateway = Gateway(tmp_path, f"mqtts://127.0.0.1:{false.port}", [oximeter.path])
        (gateway.ring.gateway / "ca.crt").write_bytes(authority.path.read_bytes())
        try:
            await gateway.start()
            await Bell().until(lambda: len(oximeter.said) > 60 and "state=disconnected" in gateway.log.read_text())
            await oximeter.fall_silent()
            await gateway.end()
        finally:
            gateway.close()
            await oximeter.hush()
        return gateway.stored().heard("pleth", str(oximeter.path)), oximeter.said, gateway.log.read_text()

    with FalseBroker(PERSONAS["another authority"], files) as false:
        stored, said, log = asyncio.run(story(false))
    assert stored == said
    assert "authority we do not trust" in log
    assert not false.said
