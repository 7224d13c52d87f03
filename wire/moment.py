"""The time, asked and answered: four stamps, of which the centre's two are signed (docs/formats.md, section 19).

    question := "WLq1", nonce of 8 bytes, the gateway's id, zeros up to 96 bytes (by MQTT the nonce alone)
    answer   := nonce, received u64, sent u64, error u32 (microseconds; the last one: nobody knows), and a 64-byte
                Ed25519 signature over "wardlink time 1", the gateway's id and what stands before

A question says nothing of the gateway's clocks: when it was asked is remembered by its nonce. The answer is never the
longer one, so a port that anybody may ask multiplies nobody's traffic.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire.keys import verifies
from wire.topics import is_name

NONCE_BYTES = 8
QUESTION_BYTES = 96
SIGNATURE_BYTES = 64
_MAGIC = b"WLq1"
_LABEL = b"wardlink time 1"
_STAMPS = struct.Struct(">8sQQI")
ANSWER_BYTES = _STAMPS.size + SIGNATURE_BYTES
_UNKNOWN = 0xFFFF_FFFF
_UTC_LIMIT_US = 1 << 62


class MomentError(Exception):
    """The bytes are no question or no answer; `reason` is the counter's name."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Moment(msgspec.Struct, frozen=True):
    """The question came at `received` and the answer left at `sent`: microseconds since 1970 by the centre's clock.

    `error`: by how much that clock may be wrong, in microseconds; None where the centre does not know.
    """

    nonce: bytes
    received: int
    sent: int
    error: int | None


def question(gateway: str, nonce: bytes) -> bytes:
    """For the time port; by MQTT the nonce goes alone."""
    assert len(nonce) == NONCE_BYTES
    return (_MAGIC + nonce + gateway.encode("ascii")).ljust(QUESTION_BYTES, b"\0")


def asked(data: bytes) -> tuple[str, bytes]:
    """(gateway, nonce) of a question that came to the time port. Raises MomentError."""
    at = len(_MAGIC) + NONCE_BYTES
    if len(data) != QUESTION_BYTES or not data.startswith(_MAGIC):
        raise MomentError("malformed", "not a question")
    gateway = data[at:].rstrip(b"\0").decode("latin-1")
    if not is_name(gateway):
        raise MomentError("malformed", "not the name of a gateway")
    return gateway, data[len(_MAGIC) : at]


def sign(signer: Ed25519PrivateKey, gateway: str, moment: Moment) -> bytes:
    error = _UNKNOWN if moment.error is None else min(max(moment.error, 0), _UNKNOWN - 1)
    body = _STAMPS.pack(moment.nonce, moment.received, moment.sent, error)
    return body + signer.sign(_signed(gateway, body))


def read(verifiers: Iterable[Ed25519PublicKey], gateway: str, data: bytes) -> Moment:
    """Verify with any of the centre's keys, and read. Raises MomentError: `size`, `signature` or `malformed`."""
    if len(data) != ANSWER_BYTES:
        raise MomentError("size", f"{len(data)} bytes is no size of an answer")
    body, signature = data[: _STAMPS.size], data[_STAMPS.size :]
    if not any(verifies(key, signature, _signed(gateway, body)) for key in verifiers):
        raise MomentError("signature", "the signature is not our centre's, or the answer is another gateway's")
    nonce, received, sent, error = _STAMPS.unpack(body)
    if not received <= sent < _UTC_LIMIT_US:
        raise MomentError("malformed", "it left before the question came")
    return Moment(nonce, received, sent, None if error == _UNKNOWN else error)


def _signed(gateway: str, body: bytes) -> bytes:
    return _LABEL + gateway.encode("ascii") + body
