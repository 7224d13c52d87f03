"""What hospital B's people try against hospital A, each with what must come of it and what the log must say."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from centre.fleet import certify
from centre.fleet.broker import ANSWERS, CONTROL, FROM_CENTRE, FROM_GATEWAY, PACKET_LIMIT_BYTES
from centre.fleet.certify import DAY_US, Authority
from centre.fleet.refusals import TEXT_LIMIT_CHARACTERS
from tests.attack.hospitals import Party, Trust
from tests.attack.speaker import DISCONNECT, NOT_AUTHORIZED, Pass, Speaker

LOOKALIKE = "\u0430lfa"  # a Cyrillic letter in front
ALIAS, RESPONSE, IDENTIFIER = b"\x23\0\x01", b"\x08", b"\x0b\x07"
CREATE = b'{"commands":[{"command":"deleteClient","username":"centre-alfa"}]}'


@dataclass(frozen=True)
class Scene:
    """A's gateway and site, the attacker of B, and the broker's port."""

    port: int
    trust: Trust
    other: Trust
    victim: str
    attacker: Party
    desk: Party


@dataclass(frozen=True)
class Try:
    """`act` returns how it was refused, or raises GoneError. The log must tell `what` of `who` and `topic`."""

    name: str
    act: Callable[[Scene], str]
    what: str
    topic: str = ""
    who: str | None = None  # None: the attacker


def tries(scene: Scene) -> Iterator[Try]:
    yield from _subscriptions(scene)
    yield from _publications(scene)
    yield from _wills(scene)
    yield from _packets(scene)
    yield from _certificates(scene)


def _subscriptions(scene: Scene) -> Iterator[Try]:
    a, b = scene.victim, scene.attacker.name
    filters = {
        "everything": "#",
        "everything, level by level": "+/+/+/+/+",
        "everything of ours": "wl/1/#",
        "a foreign word": "wl/1/alfa/+/vital",
        "a foreign gateway at any site": f"wl/1/+/{a}/vital",
        "a foreign gateway's commands": f"wl/1/alfa/{a}/command",
        "a foreign gateway's receipts": f"wl/1/alfa/{a}/receipt",
        "a foreign gateway's time": f"wl/1/alfa/{a}/time",
        "a share of everything": "$share/x/#",
        "a share of a foreign site": "$share/x/wl/1/alfa/+/vital",
        "a share, with a leading slash": "$share/x//wl/1/alfa/+/vital",
        "a share of one's own": f"$share/x/wl/1/bravo/{b}/command",
        "a share with a wildcard for its name": "$share/+/wl/1/alfa/+/vital",
        "a leading slash": f"/wl/1/alfa/{a}/vital",
        "the broker's figures": "$SYS/#",
        "the broker's control": "$CONTROL/#",
        "the control's answers": ANSWERS,
        "own id under a foreign site": f"wl/1/alfa/{b}/command",
        "foreign id under the own site": f"wl/1/bravo/{a}/command",
        "a look-alike of a foreign site": f"wl/1/{LOOKALIKE}/+/vital",
        "a line separator in the topic": f"wl/1/alfa/\u2028{a}/vital",
        "one's neighbours": "wl/1/bravo/+/command",
    }
    for name, topic in filters.items():
        yield Try(f"subscribe: {name}", _subscribe(topic), "subscribe", topic)
    numbered = f"wl/1/alfa/{a}/state"
    yield Try("subscribe: with an identifier", _subscribe(numbered, IDENTIFIER), "subscribe", numbered)
    for name, topic in {"a foreign site": "wl/1/alfa/+/vital", "any site": "wl/1/+/+/vital"}.items():
        yield Try(
            f"subscribe: the other centre, {name}", _subscribe(topic, desk=True), "subscribe", topic, scene.desk.name
        )


def _publications(scene: Scene) -> Iterator[Try]:
    a, b = scene.victim, scene.attacker.name
    topics = {f"as the foreign gateway, {word}": f"wl/1/alfa/{a}/{word}" for word in FROM_GATEWAY}
    topics |= {f"as the foreign centre, {word}": f"wl/1/alfa/{a}/{word}" for word in FROM_CENTRE}
    topics |= {
        "own id under a foreign site": f"wl/1/alfa/{b}/vital",
        "foreign id under the own site": f"wl/1/bravo/{a}/vital",
        "as the own centre": f"wl/1/bravo/{b}/command",
        "a broker's figure": "$SYS/broker/version",
        "a bridge's notice": f"$SYS/broker/connection/{a}/state",
        "a word that is none of ours": f"wl/1/bravo/{b}/firmware",
        "a look-alike of a foreign site": f"wl/1/{LOOKALIKE}/{a}/vital",
        "an overlong topic": f"wl/1/alfa/{a}/" + "x" * 60_000,
    }
    for name, topic in topics.items():
        yield Try(f"publish: {name}", _publish(topic), "publish", topic)
    state, vital = f"wl/1/alfa/{a}/state", f"wl/1/alfa/{a}/vital"
    yield Try("publish: retained", _publish(vital, retain=True), "publish", vital)
    yield Try("publish: erase presence", _publish(state, b"", retain=True), "publish", state)
    yield Try("publish: order the broker about", _publish(CONTROL, CREATE), "publish", CONTROL)
    yield Try("publish: an alias for a foreign topic", _publish(vital, properties=ALIAS), "publish", vital)
    yield Try("publish: that alias again", _alias_again(vital), "publish", vital)
    respond = RESPONSE + len(vital).to_bytes(2, "big") + vital.encode()
    yield Try("publish: a foreign topic to answer to", _publish(vital, properties=respond), "publish", vital)
    for word in FROM_CENTRE:
        topic = f"wl/1/alfa/{a}/{word}"
        yield Try(f"publish: the other centre, {word}", _publish(topic, desk=True), "publish", topic, scene.desk.name)


def _wills(scene: Scene) -> Iterator[Try]:
    a, b = scene.victim, scene.attacker.name
    topics = {
        "on a foreign presence": f"wl/1/alfa/{a}/state",
        "own id under a foreign site": f"wl/1/alfa/{b}/state",
        "on the control": CONTROL,
    }
    for name, topic in topics.items():
        yield Try(f"Will: {name}", _will(topic), "will", topic)
    for name, topic in {"with a wildcard": f"wl/1/+/{a}/state", "with a NUL": f"wl/1/alfa/{a}\0/state"}.items():
        yield Try(f"Will: {name}", _will(topic), "connect", who="")


def _packets(scene: Scene) -> Iterator[Try]:
    topic = f"wl/1/alfa/{scene.victim}/vital"
    bad: dict[str, str | bytes] = {
        "a wildcard": "wl/1/alfa/+/vital",
        "a NUL": topic + "\0",
        "no UTF-8": topic.encode() + b"\xc0\xaf",
        "a line break": f"{topic}\n2026-01-01T00:00:00: Denied PUBLISH from x",
        "no topic": "",
    }
    for name, bytes_ in bad.items():
        yield Try(f"publish: {name}", _publish(bytes_), "packet")
    never = b"\x23\0\x09"
    yield Try("publish: an alias that was never set", _publish("", properties=never), "packet")
    large = f"wl/1/bravo/{scene.attacker.name}/vital"
    yield Try("publish: larger than any envelope", _publish(large, bytes(PACKET_LIMIT_BYTES)), "packet")
    yield Try("subscribe: a NUL", _subscribe(f"{topic}\0"), "packet")


def _certificates(scene: Scene) -> Iterator[Try]:
    trust, other, victim = scene.trust, scene.other, scene.victim
    key = Ed25519PrivateKey.generate()
    issued = x509.load_pem_x509_certificate(scene.attacker.shown.certificate.read_bytes())
    forger = Authority(issued, load_pem_private_key(scene.attacker.shown.key.read_bytes(), None))
    forged = certify.client(victim, key.public_key(), forger, trust.now, DAY_US)
    server = certify.server([victim], key.public_key(), trust.by, trust.now, DAY_US)
    own = certify.root(key, trust.now)
    named = certify.client(victim, key.public_key(), Authority(own, key), trust.now, DAY_US)
    revoked = trust.party("revoked")
    trust.revoke(revoked)  # the broker is told before the campaign
    shown = {
        "of another authority": other.party(victim).shown,
        "expired": trust.party("expired", begins=-2).shown,
        "not valid yet": trust.party("early", begins=2).shown,
        "revoked": revoked.shown,
        "signed by itself": trust.keep("self", named, key),
        "signed with a gateway's certificate": trust.keep("forged", forged, key),
        "of a server": trust.keep("server", server, key),
        "none": Pass(trust.folder / "ca.crt"),
    }
    for name, one in shown.items():
        yield Try(
            f"certificate: {name}", _dial(Pass(trust.folder / "ca.crt", one.certificate, one.key)), "connect", who=""
        )
    yield Try("TLS 1.2", _dial(scene.attacker.shown, ssl.TLSVersion.TLSv1_2), "connect", who="")
    yield Try("no TLS", _dial(None), "connect", who="")
    for number, name in enumerate(("+", "#", f"alfa/{victim}", "stranger")):
        party = trust.party(name, file=f"named-{number}")
        yield Try(f"certificate: CN {name[:5]}", _stranger(party, "#"), "subscribe", "#", name)


def logged(topic: str) -> str:
    """As a refusal shows it."""
    return topic if len(topic) <= TEXT_LIMIT_CHARACTERS else topic[:TEXT_LIMIT_CHARACTERS] + "..."


def _subscribe(topic: str, properties: bytes = b"", *, desk: bool = False) -> Callable[[Scene], str]:
    def act(scene: Scene) -> str:
        with (scene.desk if desk else scene.attacker).dial(scene.port) as speaker:
            return _refused(speaker.subscribe(topic, properties))

    return act


def _publish(
    topic: str | bytes, data: bytes = b"x", properties: bytes = b"", *, retain: bool = False, desk: bool = False
) -> Callable[[Scene], str]:
    def act(scene: Scene) -> str:
        with (scene.desk if desk else scene.attacker).dial(scene.port) as speaker:
            return _refused(speaker.publish(topic, data, properties, retain=retain))

    return act


def _alias_again(topic: str) -> Callable[[Scene], str]:
    """Set by a refused publication, on the same connection."""

    def act(scene: Scene) -> str:
        with scene.attacker.dial(scene.port) as speaker:
            _refused(speaker.publish(topic, properties=ALIAS))
            return _refused(speaker.publish("", properties=ALIAS))

    return act


def _will(topic: str) -> Callable[[Scene], str]:
    def act(scene: Scene) -> str:
        with Speaker.dial(scene.port, scene.attacker.shown) as speaker:
            assert speaker.connect(scene.attacker.name, will=(topic, b"{}")).reason == 0
            speaker.leave(with_will=True)
            return "taken, never published"

    return act


def _dial(shown: Pass | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Callable[[Scene], str]:
    def act(scene: Scene) -> str:
        with Speaker.dial(scene.port, shown, version) as speaker:
            raise AssertionError(f"let in: {speaker.connect(scene.victim)}")

    return act


def _stranger(party: Party, topic: str) -> Callable[[Scene], str]:
    """The authority would not sign such a name; if one did, it may do nothing."""

    def act(scene: Scene) -> str:
        with party.dial(scene.port, scene.victim) as speaker:
            assert speaker.publish(f"wl/1/alfa/{scene.victim}/vital").reason == NOT_AUTHORIZED
            return _refused(speaker.subscribe(topic))

    return act


def _refused(answer: object) -> str:
    assert answer.reason >= 0x80, f"not refused: {answer}"
    return ("disconnected, " if answer.kind == DISCONNECT else "") + f"reason {answer.reason}"
