"""Address translation, for links where a translator forgets: the near side gets another address, old flows find nobody.

Pure. IPv4 only. The near side is `near`; the far side sees 10.78.0.x, where x changes with each `rebind`. Packets to
a forgotten address are dropped, as a translator that lost its table does. Checksums are updated (RFC 1624).
"""

from __future__ import annotations

import struct

_TCP, _UDP = 6, 17
_CHECKSUM_AT = {_TCP: 16, _UDP: 6}


class Translator:
    """`outward` and `inward` return the packet as the other side shall see it, None where it goes nowhere."""

    def __init__(self, near: bytes) -> None:
        self._near = near
        self._generation = 1

    @property
    def outside(self) -> bytes:
        return bytes([10, 78, 0, self._generation])

    def rebind(self) -> None:
        self._generation = self._generation % 250 + 1

    def outward(self, packet: bytes) -> bytes | None:
        return with_address(packet, 12, self.outside) if packet[12:16] == self._near else None

    def inward(self, packet: bytes) -> bytes | None:
        return with_address(packet, 16, self._near) if packet[16:20] == self.outside else None


def with_address(packet: bytes, at: int, address: bytes) -> bytes:
    """The packet with another source (at 12) or destination (at 16)."""
    out = bytearray(packet)
    old = struct.unpack_from(">HH", out, at)
    new = struct.unpack(">HH", address)
    out[at : at + 4] = address
    _update(out, 10, old, new)
    head = (out[0] & 15) * 4
    checksum_at = _CHECKSUM_AT.get(out[9])
    is_first = struct.unpack_from(">H", out, 6)[0] & 0x1FFF == 0
    if checksum_at is not None and is_first and len(out) >= head + checksum_at + 2:
        _update(out, head + checksum_at, old, new)
    return bytes(out)


def _update(out: bytearray, at: int, old: tuple[int, ...], new: tuple[int, ...]) -> None:
    total = ~struct.unpack_from(">H", out, at)[0] & 0xFFFF
    for before, after in zip(old, new, strict=True):
        total += (~before & 0xFFFF) + after
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into(">H", out, at, ~total & 0xFFFF)
