"""MQTT 5 byte by byte (OASIS MQTT 5.0, sections 2 and 3): says what a library would refuse to say for us."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ANSWER_LIMIT_S = 5.0
KEEPALIVE_S = 60
CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP, DISCONNECT = 2, 3, 4, 9, 13, 14
NOT_AUTHORIZED = 0x87


class GoneError(Exception):
    """The other side closed, or never let us in; says how."""


class Packet(NamedTuple):
    kind: int
    flags: int
    body: bytes

    @property
    def reason(self) -> int:
        """Of a CONNACK, PUBACK, DISCONNECT, or the last one of a SUBACK; 0 where it is left out."""
        at = {CONNACK: 1, PUBACK: 2, DISCONNECT: 0, SUBACK: -1}[self.kind]
        return self.body[at] if len(self.body) > at else 0

    @property
    def publication(self) -> tuple[str, bytes]:
        """(topic, data) of a PUBLISH at QoS 0."""
        length = int.from_bytes(self.body[:2], "big")
        after = self.body[2 + length :]
        return self.body[2 : 2 + length].decode(), after[1 + after[0] :]


@dataclass(frozen=True)
class Pass:
    """Certificate and key that a client shows, and whom it believes."""

    authority: Path
    certificate: Path | None = None
    key: Path | None = None

    def context(self, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = context.maximum_version = version
        context.load_verify_locations(self.authority)
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key)
        return context


class Speaker:
    """One connection. Everything waits for the broker's answer, at most ANSWER_LIMIT_S."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sock.settimeout(ANSWER_LIMIT_S)

    @classmethod
    def dial(cls, port: int, shown: Pass | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Speaker:
        """`shown` None: in the clear. Raises GoneError."""
        sock = socket.create_connection(("127.0.0.1", port), ANSWER_LIMIT_S)
        if shown is None:
            return cls(sock)
        try:
            return cls(shown.context(version).wrap_socket(sock, server_hostname="localhost"))
        except OSError as error:
            sock.close()
            raise GoneError(f"TLS: {getattr(error, 'reason', None) or error}") from error

    def __enter__(self) -> Speaker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._sock.close()

    def say(self, kind: int, body: bytes, flags: int = 0) -> None:
        try:
            self._sock.sendall(bytes([kind << 4 | flags]) + varint(len(body)) + body)
        except OSError as error:
            raise GoneError(str(error)) from error

    def hear(self) -> Packet:
        """The next packet. Raises GoneError, TimeoutError."""
        first = self._exactly(1)[0]
        length, shift = 0, 0
        while True:
            byte = self._exactly(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return Packet(first >> 4, first & 15, self._exactly(length))

    def until(self, kind: int) -> Packet:
        """The next packet of that kind, or a DISCONNECT."""
        while True:
            packet = self.hear()
            if packet.kind in (kind, DISCONNECT):
                return packet

    def connect(self, name: str, will: tuple[str, bytes] | None = None, lasts_s: int = 0) -> Packet:
        """A clean start, unless the session is to last. Returns the CONNACK."""
        flags, payload = 0 if lasts_s else 0x02, text(name)
        properties = b"\x11" + lasts_s.to_bytes(4, "big")
        if will is not None:
            flags |= 0x04
            payload += b"\0" + text(will[0]) + len(will[1]).to_bytes(2, "big") + will[1]
        head = text("MQTT") + bytes([5, flags]) + KEEPALIVE_S.to_bytes(2, "big")
        self.say(1, head + varint(len(properties)) + properties + payload)
        return self.until(CONNACK)

    def subscribe(self, topic: str | bytes, properties: bytes = b"", qos: int = 1) -> Packet:
        self.ask(topic, properties, qos)
        return self.until(SUBACK)

    def ask(self, topic: str | bytes, properties: bytes = b"", qos: int = 1) -> None:
        """A SUBSCRIBE whose answer, and what is retained there, is yet to be heard."""
        self.say(8, b"\0\x01" + varint(len(properties)) + properties + text(topic) + bytes([qos]), 2)

    def publish(
        self, topic: str | bytes, data: bytes = b"x", properties: bytes = b"", *, retain: bool = False
    ) -> Packet:
        """QoS 1; returns the PUBACK or a DISCONNECT."""
        body = text(topic) + b"\0\x01" + varint(len(properties)) + properties + data
        self.say(PUBLISH, body, 2 | retain)
        return self.until(PUBACK)

    def ping(self) -> Packet:
        self.say(12, b"")
        return self.until(PINGRESP)

    def leave(self, *, with_will: bool = False) -> None:
        """DISCONNECT; `with_will` asks for the Will's publication (reason 4)."""
        self.say(DISCONNECT, b"\x04" if with_will else b"")

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            try:
                more = self._sock.recv(length - len(data))
            except TimeoutError:
                raise
            except OSError as error:
                raise GoneError(f"TLS: {getattr(error, 'reason', None) or error}") from error
            if not more:
                raise GoneError("closed")
            data += more
        return data


def varint(value: int) -> bytes:
    """A variable byte integer (section 1.5.5)."""
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def text(value: str | bytes) -> bytes:
    """A string with its length; bytes go as they are, also where they are no UTF-8."""
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw
