"""What a thief with the key file can do: open a LUKS2 partition of a card, without a kernel.

Source: LUKS2 On-Disk Format Specification 1.1.1 (header, keyslots, segments) and LUKS1 1.2.3 (AFsplit). Only what the
gateway's own partitions have: one keyslot with PBKDF2, aes-xts-plain64.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_JSON_AT, _AREA_SECTOR_BYTES, _IV_UNIT_BYTES = 4096, 512, 512
STEP_BYTES = 16 << 20


def opened(card: Path, at: int, size: int, passphrase: bytes) -> Iterator[bytes]:
    """The partition in the clear, in pieces of STEP_BYTES; zeros where nothing was written. Raises AssertionError."""
    with card.open("rb") as file:
        file.seek(at)
        head = file.read(64 << 10)
        length = struct.unpack(">Q", head[8:16])[0]
        said: dict[str, Any] = json.loads(head[_JSON_AT:length].split(b"\0")[0])
        slot, segment = said["keyslots"]["0"], said["segments"]["0"]
        file.seek(at + int(slot["area"]["offset"]))
        key = volume_key(slot, file.read(int(slot["area"]["size"])), passphrase)
        digest = said["digests"]["0"]
        salt = base64.b64decode(digest["salt"])
        proof = hashlib.pbkdf2_hmac(digest["hash"], key, salt, digest["iterations"])
        assert proof == base64.b64decode(digest["digest"]), "this passphrase does not open it"
        start, sector = int(segment["offset"]), int(segment["sector_size"])
        for place in range(start, size, STEP_BYTES):
            file.seek(at + place)
            data = file.read(min(STEP_BYTES, size - place))
            yield b"".join(_sectors(key, data, (place - start) // _IV_UNIT_BYTES, sector))


def volume_key(slot: dict[str, Any], area: bytes, passphrase: bytes) -> bytes:
    kdf = slot["kdf"]
    salt = base64.b64decode(kdf["salt"])
    key = hashlib.pbkdf2_hmac(kdf["hash"], passphrase, salt, kdf["iterations"], slot["area"]["key_size"])
    stripes, size = slot["af"]["stripes"], slot["key_size"]
    return merged(b"".join(_sectors(key, area, 0, _AREA_SECTOR_BYTES)), stripes, size)


def merged(split: bytes, stripes: int, size: int) -> bytes:
    """AFmerge with SHA-256."""
    mixed = bytes(size)
    for number in range(stripes - 1):
        mixed = _diffused(_xor(mixed, split[number * size : (number + 1) * size]))
    return _xor(mixed, split[(stripes - 1) * size : stripes * size])


def _diffused(block: bytes) -> bytes:
    parts = (block[at : at + 32] for at in range(0, len(block), 32))
    return b"".join(hashlib.sha256(struct.pack(">I", n) + part).digest()[: len(part)] for n, part in enumerate(parts))


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _sectors(key: bytes, data: bytes, first: int, sector: int) -> Iterator[bytes]:
    """Decrypted, each with its own number, counted in 512 bytes (plain64)."""
    empty = bytes(sector)
    for at in range(0, len(data) // sector * sector, sector):
        piece = data[at : at + sector]
        if piece == empty:
            yield empty
            continue
        tweak = struct.pack("<QQ", first + at // _IV_UNIT_BYTES, 0)
        yield Cipher(algorithms.AES(key), modes.XTS(tweak)).decryptor().update(piece)


def found(pieces: Iterable[bytes], wanted: dict[str, bytes]) -> set[str]:
    """Which of these are in there, by name."""
    seen: set[str] = set()
    rest = b""
    overlap = max(map(len, wanted.values()))
    for piece in pieces:
        whole = rest + piece
        seen |= {name for name, text in wanted.items() if text in whole}
        rest = whole[-overlap:]
    return seen


def raw(card: Path) -> Iterator[bytes]:
    """The card as it is, from its first byte to its last."""
    with card.open("rb") as file:
        while piece := file.read(STEP_BYTES):
            yield piece
