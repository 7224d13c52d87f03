"""A stranger on the gateway's own network: frames of his own making, to every port.

Sources: RFC 826 (ARP), RFC 791 (IPv4), RFC 9293 (TCP), RFC 768 (UDP), RFC 792 (ICMP), RFC 1071 (the checksum).
"""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass, field

STRANGER, GATEWAY = "10.0.2.77", "10.0.2.15"  # QEMU gives its first guest this address
MAC, BROADCAST = bytes.fromhex("525400aabbcc"), b"\xff" * 6
GUEST = bytes.fromhex("525400123456")  # QEMU's own choice; what else answers on the wire is QEMU itself
ALL = range(1, 65536)
BURST_COUNT, PAUSE_S, LINGER_S, ROUNDS = 128, 0.05, 15.0, 2
KNOCK_S = 1.0
ARP, IPV4, ICMP, TCP, UDP = 0x0806, 0x0800, 1, 6, 17
SYN, RST, SYN_ACK = 0x02, 0x04, 0x12
FROM_PORT = 40_000


@dataclass
class Stranger:
    """`wire`: as Machine has it. `opened`: TCP ports that took a connection; `refused`: that said no; `spoke`: UDP
    ports that answered, or of which it was said that nobody is there; `echoes`: answers to a ping. Used as a context.
    """

    wire: tuple[int, int]
    opened: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    spoke: set[int] = field(default_factory=set)
    echoes: int = 0
    _mac: bytes = b""
    _pace: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Stranger:
        self._line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._line.bind(("127.0.0.1", self.wire[0]))
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def knock(self, ports: set[int]) -> bool:
        """Whether these TCP ports are open by now."""
        self._send(BROADCAST, ARP, _arp(1, b"\0" * 6))
        self._pace.wait(KNOCK_S)
        for port in ports if self._mac else ():
            self._packet(TCP, _syn(port))
        self._pace.wait(KNOCK_S)
        return self.opened >= ports

    def scan(self) -> None:
        """All TCP and all UDP ports, each twice, and a ping. After `knock` has found the gateway."""
        for number in range(ROUNDS):
            self._packet(ICMP, _echo(number))
            for port in ALL:
                self._packet(TCP, _syn(port))
                self._packet(UDP, _datagram(port))
                if port % BURST_COUNT == 0:
                    self._pace.wait(PAUSE_S)
            self._pace.wait(LINGER_S)

    def _packet(self, kind: int, body: bytes) -> None:
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, 64, kind, 0, *_ends())
        head = head[:10] + _sum(head) + head[12:]
        self._send(self._mac, IPV4, head + body)

    def _send(self, to: bytes, kind: int, body: bytes) -> None:
        self._line.sendto(to + MAC + struct.pack(">H", kind) + body, ("127.0.0.1", self.wire[1]))

    def _listen(self) -> None:
        while True:
            try:
                frame = self._line.recv(65536)
            except OSError:
                return
            if frame[6:12] != GUEST:
                continue
            kind, body = int.from_bytes(frame[12:14], "big"), frame[14:]
            if kind == ARP and body[24:28] == socket.inet_aton(STRANGER):
                self._neighbour(body)
            elif kind == IPV4 and body[12:16] == _ends()[1] and body[16:20] == _ends()[0]:
                self._heard(body[9], body[(body[0] & 15) * 4 :])

    def _neighbour(self, body: bytes) -> None:
        if body[6:8] == b"\0\1":
            self._send(body[8:14], ARP, _arp(2, body[8:14]))
        if body[14:18] == socket.inet_aton(GATEWAY):
            self._mac = body[8:14]

    def _heard(self, kind: int, body: bytes) -> None:
        port = int.from_bytes(body[:2], "big")
        if kind == TCP and body[13] & SYN_ACK == SYN_ACK:
            self.opened.add(port)
        elif kind == TCP and body[13] & RST:
            self.refused.add(port)
        elif kind == UDP:
            self.spoke.add(port)
        elif kind == ICMP and body[0] == 0:
            self.echoes += 1
        elif kind == ICMP and body[0] == 3 and len(body) >= 32:  # of a packet that it quotes from byte 8 on
            self.spoke.add(int.from_bytes(body[30:32], "big"))


def _ends() -> tuple[bytes, bytes]:
    return socket.inet_aton(STRANGER), socket.inet_aton(GATEWAY)


def _arp(verb: int, mac: bytes) -> bytes:
    ours, theirs = _ends()
    return struct.pack(">HHBBH6s4s6s4s", 1, IPV4, 6, 4, verb, MAC, ours, mac, theirs)


def _syn(port: int) -> bytes:
    body = struct.pack(">HHIIBBHHH", FROM_PORT, port, port, 0, 0x50, SYN, 64_000, 0, 0)
    return body[:16] + _sum(b"".join(_ends()) + struct.pack(">BBH", 0, TCP, len(body)) + body) + body[18:]


def _datagram(port: int) -> bytes:
    return struct.pack(">HHHH", FROM_PORT, port, 8 + 4, 0) + b"hello"[:4]  # no checksum: RFC 768 allows it


def _echo(number: int) -> bytes:
    body = struct.pack(">BBHHH", 8, 0, 0, 77, number) + b"are you there"
    return body[:2] + _sum(body) + body[4:]


def _sum(data: bytes) -> bytes:
    words = struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", ~total & 0xFFFF)
