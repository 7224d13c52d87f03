"""The diagnostic bundle: what an engineer needs of a gateway, sealed to the recipients, as one file (docs/formats.md).

    file := "WLdg" || version u8 (1) || length of the head u16 || head || ciphertext || signature (64 bytes)
    head := CBOR [public, epoch, utc, [[key id, sealed], ...]]       utc: microseconds since 1970, or null

The plain text is zlib (RFC 1950) of CBOR [[name, bytes], ...], names of a closed list. It is sealed with
ChaCha20-Poly1305 under a random key that is used once (nonce: 12 zero bytes, associated data: all before it), and that
key to each recipient by HPKE (info "wardlink diagnosis 1" || gateway id || key id). The gateway signs "wardlink
diagnosis 1" || all of it.
A reader unpacks at most PLAIN_LIMIT_BYTES, whatever the file promises.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import cbor2
import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from wire import cbor
from wire.keys import Recipient, RecipientSecret, gateway_id, raw, verifies

DIAGNOSIS_LIMIT_BYTES = 5_000_000
PLAIN_LIMIT_BYTES = 32 << 20
SECRET_BYTES = 32
SHARES_LIMIT_COUNT = 16
NAMES = (
    "about.json", "config.json", "status.json", "spool.json", "storage.json", "setup.json", "link.json", "clock.json",
    "log.txt", "audit.jsonl",
)  # fmt: skip
_MAGIC = b"WLdg\x01"
_LABEL = b"wardlink diagnosis 1"
_NONCE = bytes(12)
_SIGNATURE_BYTES = 64


class DiagnosisError(Exception):
    """The file is no diagnostic bundle of that gateway's, or is not for us; says why."""


class Head(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Who made it, in which start, when (None: not known), and the key sealed to each recipient."""

    public: bytes
    epoch: int
    utc: int | None
    shares: list[tuple[bytes, bytes]]


def pack(parts: Mapping[str, bytes]) -> bytes:
    """The plain text, compressed. `parts` by their names."""
    assert set(parts) <= set(NAMES), "the list of names is closed"
    return zlib.compress(cbor2.dumps([[name, data] for name, data in parts.items()]), 9)


def seal(
    signer: Ed25519PrivateKey,
    recipients: Sequence[Recipient],
    secret: bytes,
    epoch: int,
    utc: int | None,
    packed: bytes,
) -> bytes:
    """The file. `secret`: 32 random bytes that were never used before."""
    assert len(secret) == SECRET_BYTES
    gateway = gateway_id(signer.public_key())
    shares = [(one.kid, one.seal(secret, _info(gateway, one.kid))) for one in recipients]
    head = cbor2.dumps(msgspec.to_builtins(Head(raw(signer.public_key()), epoch, utc, shares), builtin_types=(bytes,)))
    before = _MAGIC + len(head).to_bytes(2) + head
    whole = before + ChaCha20Poly1305(secret).encrypt(_NONCE, packed, before)
    return whole + signer.sign(_LABEL + whole)


def open_(data: bytes, secrets: Sequence[RecipientSecret]) -> tuple[str, Head, dict[str, bytes]]:
    """(gateway, head, parts by name). Raises DiagnosisError."""
    if not len(_MAGIC) + 2 + _SIGNATURE_BYTES < len(data) <= DIAGNOSIS_LIMIT_BYTES or data[:5] != _MAGIC:
        raise DiagnosisError("it is no diagnostic bundle")
    whole, signature = data[:-_SIGNATURE_BYTES], data[-_SIGNATURE_BYTES:]
    end = 7 + int.from_bytes(whole[5:7])
    try:
        head = msgspec.convert(cbor.loads(whole[7:end]), type=Head, builtin_types=(bytes,))
        key = Ed25519PublicKey.from_public_bytes(head.public)
    except (cbor.CBORError, msgspec.ValidationError, ValueError) as error:
        raise DiagnosisError(f"its head is none: {error}") from error
    if not verifies(key, signature, _LABEL + whole):
        raise DiagnosisError("the signature does not hold: it was altered, or cut short")
    gateway = gateway_id(key)
    secret = _secret(gateway, head, secrets)
    try:
        packed = ChaCha20Poly1305(secret).decrypt(_NONCE, whole[end:], whole[:end])
    except (InvalidTag, ValueError) as error:
        raise DiagnosisError("it does not open with the key that was sealed to us") from error
    return gateway, head, _unpack(packed)


def _secret(gateway: str, head: Head, secrets: Sequence[RecipientSecret]) -> bytes:
    own = {secret.recipient.kid: secret for secret in secrets}
    for kid, sealed in head.shares[:SHARES_LIMIT_COUNT]:
        if kid in own:
            try:
                return own[kid].open(sealed, _info(gateway, kid))
            except (InvalidTag, ValueError) as error:
                raise DiagnosisError("the share under our key does not open") from error
    raise DiagnosisError("it is sealed to others")


def _unpack(packed: bytes) -> dict[str, bytes]:
    """At most PLAIN_LIMIT_BYTES, so a bomb costs no more than that."""
    unpacking = zlib.decompressobj()
    try:
        plain = unpacking.decompress(packed, PLAIN_LIMIT_BYTES + 1)
        if len(plain) > PLAIN_LIMIT_BYTES or not unpacking.eof or unpacking.unused_data:
            raise DiagnosisError("its content is too large, or cut short")
        parts = msgspec.convert(cbor.loads(plain), type=list[tuple[str, bytes]], builtin_types=(bytes,))
    except (zlib.error, cbor.CBORError, msgspec.ValidationError) as error:
        raise DiagnosisError(f"its content is none: {error}") from error
    if not all(name in NAMES for name, _ in parts):
        raise DiagnosisError("it holds a part that no bundle has")
    return dict(parts)


def _info(gateway: str, kid: bytes) -> bytes:
    return _LABEL + gateway.encode("ascii") + kid
