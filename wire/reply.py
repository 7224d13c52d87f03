"""The reply: what a gateway says to a command, signed with its own key (docs/formats.md).

    reply := CBOR [public, nonce, said] and a 64-byte Ed25519 signature over "wardlink reply 1", the id and the CBOR
    said  := [1, outcome, text]                     what came of the command with this nonce
           | [2, number, pieces, bytes]             a piece of the diagnostic bundle it asked for; numbers from 0

Like a statement it carries the key, and the id is the key's hash: whoever reads it needs no directory.
"""

from __future__ import annotations

from typing import Literal

import cbor2
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire import cbor
from wire.command import NONCE_BYTES, SIGNATURE_BYTES
from wire.keys import gateway_id, raw, verifies

PIECE_LIMIT_BYTES = 8192  # what an alarm may have to wait behind: two seconds at 32 kbit/s
PIECES_LIMIT_COUNT = 640
TEXT_LIMIT_LETTERS = 300
REPLY_LIMIT_BYTES = PIECE_LIMIT_BYTES + 512
_LABEL = b"wardlink reply 1"

Outcome = Literal["done", "refused", "failed", "begun"]


class ReplyError(Exception):
    """The bytes are no reply of that gateway's; says why."""


class Answer(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """`refused`: it was not done, and will not be. `failed`: it was tried, or may be possible at another time.

    `begun`: it takes hours, and another answer follows.
    """

    outcome: Outcome
    text: str


class Piece(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """Bytes `number` * PIECE_LIMIT_BYTES ... of a file of `pieces` pieces."""

    number: int
    pieces: int
    data: bytes


class Reply(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`public`: the gateway's Ed25519 key, raw; `nonce`: that of the command."""

    public: bytes
    nonce: bytes
    said: Answer | Piece


def sign(signer: Ed25519PrivateKey, nonce: bytes, said: Answer | Piece) -> bytes:
    if isinstance(said, Answer):
        said = Answer(said.outcome, said.text[:TEXT_LIMIT_LETTERS])
    public = signer.public_key()
    body = cbor2.dumps(msgspec.to_builtins(Reply(raw(public), nonce, said), builtin_types=(bytes,)))
    return body + signer.sign(_LABEL + gateway_id(public).encode("ascii") + body)


def read(gateway: str, data: bytes) -> Reply:
    """Verify and read. Raises ReplyError."""
    if not SIGNATURE_BYTES < len(data) <= REPLY_LIMIT_BYTES:
        raise ReplyError(f"{len(data)} bytes is no size of a reply")
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    try:
        reply = msgspec.convert(cbor.loads(body), type=Reply, builtin_types=(bytes,))
        key = Ed25519PublicKey.from_public_bytes(reply.public)
    except (cbor.CBORError, msgspec.ValidationError, ValueError) as error:
        raise ReplyError(f"not a reply: {error}") from error
    if gateway_id(key) != gateway or not verifies(key, signature, _LABEL + gateway.encode("ascii") + body):
        raise ReplyError("it is not signed by this gateway")
    said = reply.said
    if len(reply.nonce) != NONCE_BYTES:
        raise ReplyError("a nonce has 8 bytes")
    if isinstance(said, Answer) and len(said.text) > TEXT_LIMIT_LETTERS:
        raise ReplyError("a text that is too long")
    if isinstance(said, Piece) and not _is_sound(said):
        raise ReplyError("a piece that is none")
    return reply


def _is_sound(piece: Piece) -> bool:
    is_last = piece.number == piece.pieces - 1
    whole = len(piece.data) == PIECE_LIMIT_BYTES or (is_last and 0 < len(piece.data) < PIECE_LIMIT_BYTES)
    return 0 <= piece.number < piece.pieces <= PIECES_LIMIT_COUNT and whole
