"""The few packets of MQTT 5 that a gateway says and hears (OASIS MQTT 5.0, section 3). Pure.

Not a library: a thread a client (paho) is too heavy for 10 000, aiomqtt 2.5 costs 130 us a publication, and gmqtt 0.8
(46 us) tells nobody that a PUBACK came, or with which reason, and sends again by itself: what is measured here.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

CONNACK, PUBLISH, PUBACK, SUBACK = 2, 3, 4, 9
PINGREQ = b"\xc0\x00"
LEAVING = b"\xe0\x00"
RECEIVE_LIMIT_COUNT = 65_535  # where the broker says nothing
_RECEIVE_MAXIMUM, _TOPIC_ALIAS_MAXIMUM, _TOPIC_ALIAS, _MAXIMUM_PACKET, _SESSION_EXPIRY = 0x21, 0x22, 0x23, 0x27, 0x11
_TWO_BYTES = {_RECEIVE_MAXIMUM, _TOPIC_ALIAS_MAXIMUM, _TOPIC_ALIAS, 0x13}
_FOUR_BYTES = {_MAXIMUM_PACKET, _SESSION_EXPIRY, 0x02, 0x18}
_ONE_BYTE = {0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A}


class PacketError(Exception):
    """The broker said what is no MQTT 5."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a CONNACK says: `reason` 0 is yes."""

    reason: int
    receive_limit_count: int
    aliases_limit_count: int


def connect(client_id: str, name: str, keepalive_s: int, limits: bytes, will: tuple[str, bytes] | None) -> bytes:
    """With a retained Will of QoS 1 a gateway: clean start; without one a centre, whose session goes on.

    `name` empty: the certificate's. `limits`: properties, as the functions below make them.
    """
    flags = (0x2E if will else 0) | (0x80 if name else 0)
    body = _text("MQTT") + struct.pack(">BBH", 5, flags, keepalive_s) + _size(len(limits)) + limits + _text(client_id)
    if will is not None:
        body += b"\0" + _text(will[0]) + len(will[1]).to_bytes(2) + will[1]
    return _packet(0x10, body + (_text(name) if name else b""))


def session_limit(seconds: int) -> bytes:
    return bytes([_SESSION_EXPIRY]) + seconds.to_bytes(4)


def packet_limit(count_bytes: int) -> bytes:
    return bytes([_MAXIMUM_PACKET]) + count_bytes.to_bytes(4)


def receive_limit(count: int) -> bytes:
    return bytes([_RECEIVE_MAXIMUM]) + count.to_bytes(2)


def subscribe(mid: int, topic: str, qos: int) -> bytes:
    return _packet(0x82, mid.to_bytes(2) + b"\0" + _text(topic) + bytes([qos]))


def publish(mid: int, topic: bytes, data: bytes, *, alias: int = 0, retain: bool = False) -> bytes:
    """QoS 1; QoS 0 where `mid` is 0. `topic` is empty where the broker knows the `alias`."""
    properties = b"\x03" + bytes([_TOPIC_ALIAS]) + alias.to_bytes(2) if alias else b"\0"
    number = mid.to_bytes(2) if mid else b""
    head = len(topic).to_bytes(2) + topic + number + properties
    first = 0x30 | (2 if mid else 0) | (1 if retain else 0)
    return bytes([first]) + _size(len(head) + len(data)) + head + data


def puback(mid: int) -> bytes:
    return b"\x40\x02" + mid.to_bytes(2)


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Whole packets as (first byte, body), and what is left of the next. Raises PacketError."""
    found, at, end = [], 0, len(data)
    while end - at >= 2:
        size, shift, here = 0, 0, at + 1
        while here < end:
            byte = data[here]
            size |= (byte & 0x7F) << shift
            here, shift = here + 1, shift + 7
            if byte < 0x80:
                break
            if shift > 21:
                raise PacketError("a length of more than four bytes")
        else:
            break
        if here + size > end:
            break
        found.append((data[at], data[here : here + size]))
        at = here + size
    return found, data[at:]


def accepted(body: bytes) -> Terms:
    """A CONNACK. Raises PacketError."""
    said = _properties(body[2:])
    return Terms(body[1], said.get(_RECEIVE_MAXIMUM, RECEIVE_LIMIT_COUNT), said.get(_TOPIC_ALIAS_MAXIMUM, 0))


def answered(body: bytes) -> tuple[int, int]:
    """(packet identifier, reason) of a PUBACK."""
    return body[0] << 8 | body[1], body[2] if len(body) > 2 else 0


def heard(first: int, body: bytes) -> tuple[int, bytes, bytes]:
    """(packet identifier or 0, topic, data) of a PUBLISH that came."""
    at = 2 + int.from_bytes(body[:2])
    topic, mid = body[2:at], 0
    if first & 0x06:
        mid, at = int.from_bytes(body[at : at + 2]), at + 2
    size, at = _read_size(body, at)
    return mid, topic, body[at + size :]


def _properties(data: bytes) -> dict[int, int]:
    """The numbers among them; texts are passed over."""
    size, at = _read_size(data, 0)
    end, found = at + size, {}
    while at < end:
        key, at = data[at], at + 1
        wide = 1 if key in _ONE_BYTE else 2 if key in _TWO_BYTES else 4 if key in _FOUR_BYTES else 0
        if wide:
            found[key] = int.from_bytes(data[at : at + wide])
            at += wide
        else:
            texts = 2 if key == 0x26 else 1
            for _ in range(texts):
                at += 2 + int.from_bytes(data[at : at + 2])
    return found


def _packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + _size(len(body)) + body


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2) + data


def _size(count: int) -> bytes:
    out = bytearray()
    while True:
        count, low = count >> 7, count & 0x7F
        out.append(low | (0x80 if count else 0))
        if not count:
            return bytes(out)


def _read_size(data: Sequence[int], at: int) -> tuple[int, int]:
    """(value, where the next byte is)."""
    size = shift = 0
    while True:
        byte = data[at]
        size, at, shift = size | (byte & 0x7F) << shift, at + 1, shift + 7
        if byte < 0x80:
            return size, at
