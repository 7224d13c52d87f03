"""The receipt: the centre's signed word that envelopes are in its durable store (docs/formats.md).

    receipt := CBOR [utc, expires, nonce, [[epoch, start, class, [[first, last], ...]], ...]] and a 64-byte Ed25519
               signature over "wardlink receipt 1", the gateway's id and the CBOR

Receipts are cumulative: an old one says nothing false of the start it names. Each field is against something else:

- the label in the signature: it is the type. No command, moment or directory reads as a receipt, nor the other way;
- the gateway's id in the signature: what one gateway was told frees nothing at another;
- `start`, the 8 random bytes of the epoch as its statements carry them: a card that is put back begins the same epoch
  again, and what was said of the first start would free what the centre never got of the second;
- `expires`: a receipt that somebody kept is worth nothing after seven days, to whoever knows the time. It bounds what a
  centre may still say that has lost its store since;
- `nonce`: no two receipts are alike, not even of one microsecond, so the same bytes again are a copy: what a broker
  retains comes again with each connection, and an older one is a replay. Copies are counted, and change nothing.
"""

from __future__ import annotations

import cbor2
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire import cbor
from wire.keys import verifies

SIGNATURE_BYTES = 64
START_BYTES = 8
NONCE_BYTES = 8
RECEIPT_LIMIT_BYTES = 65536
LIFETIME_LIMIT_S = 7 * 86_400  # a broker may keep one over a long weekend for a gateway without a link
_LIFETIME_US = LIFETIME_LIMIT_S * 1_000_000
_NUMBERS = 1 << 32
_LABEL = b"wardlink receipt 1"


class ReceiptError(Exception):
    """The bytes are no receipt of our centre's; says why. `reason` is the counter's name."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Held(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The centre holds these seq ranges (both ends included) of (epoch, class), as the start `start` sealed them."""

    epoch: int
    start: bytes
    cls: int
    ranges: list[tuple[int, int]]


class Receipt(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`utc` is the centre's clock in microseconds since 1970 when it said so; after `expires` it says nothing more."""

    utc: int
    expires: int
    nonce: bytes
    held: list[Held]


def made(utc: int, nonce: bytes, held: list[Held]) -> Receipt:
    """A receipt that lives as long as one may."""
    return Receipt(utc, utc + _LIFETIME_US, nonce, held)


def sign(signer: Ed25519PrivateKey, gateway: str, receipt: Receipt) -> bytes:
    body = cbor2.dumps(msgspec.to_builtins(receipt, builtin_types=(bytes,)))
    return body + signer.sign(_signed(gateway, body))


def read(verifier: Ed25519PublicKey, gateway: str, data: bytes) -> Receipt:
    """Verify and read; who knows the time looks at `expires`. Raises ReceiptError: size, signature or malformed."""
    if not SIGNATURE_BYTES < len(data) <= RECEIPT_LIMIT_BYTES:
        raise ReceiptError("size", f"{len(data)} bytes is no size of a receipt")
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    if not verifies(verifier, signature, _signed(gateway, body)):
        raise ReceiptError("signature", "the signature is not our centre's, or the receipt is another gateway's")
    try:
        receipt = msgspec.convert(cbor.loads(body), type=Receipt, builtin_types=(bytes,))
    except (cbor.CBORError, msgspec.ValidationError) as error:
        raise ReceiptError("malformed", f"not a receipt: {error}") from error
    why = _wrong(receipt)
    if why:
        raise ReceiptError("malformed", why)
    return receipt


def _wrong(receipt: Receipt) -> str:
    """What the shape alone does not forbid; empty where nothing is wrong."""
    if not 0 < receipt.expires - receipt.utc <= _LIFETIME_US:
        return "it expires before it was said, or lives longer than a receipt may"
    if len(receipt.nonce) != NONCE_BYTES:
        return "a nonce has 8 bytes"
    for held in receipt.held:
        if len(held.start) != START_BYTES or not 0 <= held.epoch < _NUMBERS:
            return "an epoch or a start that is none"
        for first, last in held.ranges:
            if not 0 <= first <= last < _NUMBERS:
                return "a range that is none"
    return ""


def _signed(gateway: str, body: bytes) -> bytes:
    return _LABEL + gateway.encode("ascii") + body
