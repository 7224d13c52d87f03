"""The receipt: the centre's signed word that envelopes are in its durable store (docs/formats.md).

    receipt := CBOR [utc, [[epoch, class, [[first, last], ...]], ...]] and a 64-byte Ed25519 signature
               over "wardlink receipt 1", the gateway's id and the CBOR

Receipts are cumulative: an old one replayed says nothing false, a forged one frees nothing.
"""

from __future__ import annotations

import cbor2
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire import cbor
from wire.keys import verifies

SIGNATURE_BYTES = 64
RECEIPT_LIMIT_BYTES = 65536
_LABEL = b"wardlink receipt 1"


class ReceiptError(Exception):
    """The bytes are no receipt of our centre's; says why."""


class Held(msgspec.Struct, frozen=True, array_like=True):
    """The centre holds these seq ranges (both ends included) of (epoch, class)."""

    epoch: int
    cls: int
    ranges: list[tuple[int, int]]


class Receipt(msgspec.Struct, frozen=True, array_like=True):
    """`utc` is the centre's clock in microseconds since 1970 when it said so."""

    utc: int
    held: list[Held]


def sign(signer: Ed25519PrivateKey, gateway: str, receipt: Receipt) -> bytes:
    body = cbor2.dumps(msgspec.to_builtins(receipt))
    return body + signer.sign(_signed(gateway, body))


def read(verifier: Ed25519PublicKey, gateway: str, data: bytes) -> Receipt:
    """Verify and read. Raises ReceiptError."""
    if not SIGNATURE_BYTES < len(data) <= RECEIPT_LIMIT_BYTES:
        raise ReceiptError(f"{len(data)} bytes is no size of a receipt")
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    if not verifies(verifier, signature, _signed(gateway, body)):
        raise ReceiptError("the signature is not our centre's, or the receipt is another gateway's")
    try:
        receipt = msgspec.convert(cbor.loads(body), type=Receipt)
    except (cbor.CBORError, msgspec.ValidationError) as error:
        raise ReceiptError(f"not a receipt: {error}") from error
    if any(not 0 <= first <= last for held in receipt.held for first, last in held.ranges):
        raise ReceiptError("a range that ends before it starts")
    return receipt


def _signed(gateway: str, body: bytes) -> bytes:
    return _LABEL + gateway.encode("ascii") + body
