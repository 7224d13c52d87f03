"""The diagnostic bundle as a file: only its recipients open it, and what is altered, cut or a bomb does not."""

from __future__ import annotations

import zlib

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wire import diagnosis, keys
from wire.diagnosis import DIAGNOSIS_LIMIT_BYTES, PLAIN_LIMIT_BYTES, DiagnosisError, open_, pack, seal
from wire.keys import RecipientSecret

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OURS, SECOND, STRANGER = (RecipientSecret("x25519", bytes([n]) * 32) for n in (1, 2, 3))
PARTS = {"about.json": b"{}", "log.txt": b"one\ntwo"}


def sealed(packed: bytes) -> bytes:
    return seal(KEY, [OURS.recipient, SECOND.recipient], bytes(32), 7, 9, packed)


def test_each_recipient_opens_it_and_nobody_else() -> None:
    data = sealed(pack(PARTS))
    for secret in (OURS, SECOND):
        gateway, head, parts = open_(data, [STRANGER, secret])
        assert (gateway, head.epoch, head.utc, parts) == (keys.gateway_id(KEY.public_key()), 7, 9, PARTS)
    with pytest.raises(DiagnosisError, match="sealed to others"):
        open_(data, [STRANGER])


def test_every_cut_and_flip_is_refused() -> None:
    data = sealed(pack(PARTS))
    broken = [data[:at] for at in range(0, len(data), 3)]
    broken += [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in range(len(data))]
    for one in [*broken, bytes(DIAGNOSIS_LIMIT_BYTES + 1)]:
        with pytest.raises(DiagnosisError):
            open_(one, [OURS])


@pytest.mark.parametrize(
    ("packed", "why"),
    [
        (zlib.compress(bytes(PLAIN_LIMIT_BYTES + 1), 9), "too large"),
        (zlib.compress(cbor2.dumps([]))[:-1], "cut short"),
        (zlib.compress(cbor2.dumps([])) + b"x", "cut short"),
        (b"nonsense", "content is none"),
        (zlib.compress(cbor2.dumps([["../../etc/passwd", b""]])), "a part that no bundle has"),
        (zlib.compress(cbor2.dumps({"log.txt": b""})), "content is none"),
    ],
)
def test_a_genuine_one_with_contents_that_are_none(packed: bytes, why: str) -> None:
    assert len(packed) < DIAGNOSIS_LIMIT_BYTES
    with pytest.raises(DiagnosisError, match=why):
        open_(sealed(packed), [OURS])


def test_its_parts_are_a_closed_list() -> None:
    with pytest.raises(AssertionError):
        pack({"spool.bin": b""})
    assert not any("/" in name or name.startswith(".") for name in diagnosis.NAMES)
