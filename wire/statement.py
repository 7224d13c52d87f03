"""Signed statements of a gateway, the envelopes of class key: grants, manifests, ends of epochs (docs/formats.md).

Signature: Ed25519 (RFC 8032) over "wardlink statement 1", the gateway's id, the header and the CBOR body.
Each names its start (8 random bytes), for two starts may wrongly share an epoch: a card that was put back.
Each carries the gateway's public key, whose hash is the gateway's id, so it can be verified alone: 32 bytes a minute
are cheaper than an order of arrival that matters.
"""

from __future__ import annotations

import cbor2
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire import cbor
from wire.envelope import HEADER_BYTES, EnvelopeError, Header, header_of
from wire.keys import gateway_id, verifies
from wire.topics import Class

SIGNATURE_BYTES = 64
_LABEL = b"wardlink statement 1"


class Grant(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The data key of (epoch, hour) for each recipient: shares of (8-byte key id, HPKE ciphertext)."""

    nonce: bytes  # 8 random bytes of the epoch
    previous: bytes  # SHA-256 of the last manifest of this epoch, zeros if none
    shares: list[tuple[bytes, bytes]]


class Sealed(msgspec.Struct, frozen=True, array_like=True):
    """`count` envelopes of a class from `first`; `digest` is SHA-256 over the SHA-256 of each envelope in order."""

    cls: int
    first: int
    count: int
    digest: bytes


class Manifest(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """What was sealed since the manifest whose SHA-256 is `previous`; `nonce` is the start's, as in its grants."""

    previous: bytes
    sealed: list[Sealed]
    nonce: bytes = b""


class Recovered(msgspec.Struct, frozen=True, array_like=True):
    """A manifest made for an earlier epoch: what of it lies in the spool behind its last manifest, `previous`.

    `previous` is the SHA-256 of that manifest, zeros where the spool has none.
    """

    epoch: int
    previous: bytes
    sealed: list[Sealed]


class Ended(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Where earlier epochs end in the spool: (epoch, class, next seq), and what their own manifests do not list."""

    tails: list[tuple[int, int, int]]
    recovered: list[Recovered] = []
    nonce: bytes = b""  # the start's, as in its grants


Statement = Grant | Manifest | Ended


def sign(signer: Ed25519PrivateKey, gateway: str, header: Header, said: Statement) -> bytes:
    """The whole envelope."""
    packed = header.pack()
    public = signer.public_key().public_bytes_raw()
    body = cbor2.dumps([public, msgspec.to_builtins(said, builtin_types=(bytes,))])
    return packed + body + signer.sign(_signed(gateway, packed, body))


def read(gateway: str, data: bytes) -> tuple[Header, Statement]:
    """Verify and read. Raises EnvelopeError."""
    header = header_of(data)
    if header.cls is not Class.KEY or len(data) < HEADER_BYTES + SIGNATURE_BYTES:
        raise EnvelopeError("not a statement")
    packed, body, signature = data[:HEADER_BYTES], data[HEADER_BYTES:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    public, said = _body(body)
    key = Ed25519PublicKey.from_public_bytes(public)
    if gateway_id(key) != gateway:
        raise EnvelopeError(f"signed by another gateway ({gateway_id(key)})")
    if not verifies(key, signature, _signed(gateway, packed, body)):
        raise EnvelopeError("the signature is not the gateway's")
    return header, said


def author(data: bytes) -> str:
    """The gateway that signed this statement, verified. Raises EnvelopeError."""
    gateway = gateway_id(Ed25519PublicKey.from_public_bytes(_body(data[HEADER_BYTES:-SIGNATURE_BYTES])[0]))
    read(gateway, data)
    return gateway


def _body(body: bytes) -> tuple[bytes, Statement]:
    try:
        public, said = msgspec.convert(cbor.loads(body), type=tuple[bytes, Statement], builtin_types=(bytes,))
    except (cbor.CBORError, msgspec.ValidationError) as error:
        raise EnvelopeError(f"not a statement: {error}") from error
    if len(public) != 32:
        raise EnvelopeError("not a public key")
    return public, said


def _signed(gateway: str, header: bytes, body: bytes) -> bytes:
    return _LABEL + gateway.encode("ascii") + header + body
