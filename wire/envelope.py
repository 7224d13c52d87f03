"""The envelope: a clear, authenticated 12-byte header and what it protects (DESIGN 6, docs/formats.md).

    0  u8   version, 1
    1  u8   class: 0 key, 1 vital, 2 wave
    2  u16  hour: number of the data key within the epoch, from 0
    4  u32  epoch: one start of the daemon
    8  u32  seq: number within (epoch, class), from 0, without holes
    12      class key: CBOR body and 64-byte Ed25519 signature; else ciphertext and 16-byte tag

All integers big endian. The gateway's id is not in the header; it is bound by the associated data.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from wire.topics import Class

VERSION = 1
HEADER_BYTES = 12
TAG_BYTES = 16
ENVELOPE_LIMIT_BYTES = 1 << 20
_HEADER = struct.Struct(">BBHII")


class EnvelopeError(Exception):
    """The bytes are no envelope that we may open; says why."""


@dataclass(frozen=True, slots=True, order=True)
class Header:
    """Identity of an envelope within its gateway: (epoch, class, seq); `hour` names its key."""

    epoch: int
    cls: Class
    seq: int
    hour: int

    def pack(self) -> bytes:
        return _HEADER.pack(VERSION, self.cls, self.hour, self.epoch, self.seq)

    def nonce(self) -> bytes:
        """12 bytes, unique under one data key: class and seq never repeat within an epoch."""
        return struct.pack(">B3xII", self.cls, 0, self.seq)


def header_of(data: bytes) -> Header:
    """Read the header. Raises EnvelopeError."""
    if not HEADER_BYTES + TAG_BYTES <= len(data) <= ENVELOPE_LIMIT_BYTES:
        raise EnvelopeError(f"{len(data)} bytes is no size of an envelope")
    version, cls, hour, epoch, seq = _HEADER.unpack_from(data)
    if version != VERSION:
        raise EnvelopeError(f"version {version} is not known here")
    if cls not in Class.__members__.values():
        raise EnvelopeError(f"class {cls} is not known here")
    return Header(epoch, Class(cls), seq, hour)


def associated(gateway: str, header: bytes) -> bytes:
    """The associated data of an envelope."""
    return b"wardlink envelope 1" + gateway.encode("ascii") + header
