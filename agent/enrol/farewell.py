"""The receipt of a wipe: what was here and is destroyed, signed by the key just before it was. Pure.

two lines: JSON, and `signature:` base64url of Ed25519 over "wardlink wipe 1" and the JSON
"""

from __future__ import annotations

import base64

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wire import keys

RECEIPT_LIMIT_LETTERS = 8192
_LABEL = b"wardlink wipe 1"
_MARK = "signature:"


class FarewellError(Exception):
    """The text is no receipt of a wiped gateway; says why."""


class Wiped(msgspec.Struct, frozen=True):
    """`utc`: microseconds since 1970 by the wall clock; `surely`: that had surely passed, None where nobody knew.

    `key`: the public key, whose hash is `gateway`. `not_held`: by class, envelopes that the centre did not confirm, of
    the gateway's own and of those it relayed; `missing`: ranges of which the disk gave nothing any more.
    """

    gateway: str
    key: str
    site: str
    utc: int
    surely: int | None
    protection: str
    board: str
    not_held: dict[str, int]
    relayed_not_held: int
    missing: int
    unreadable: list[str]  # folders of a spool that gave nothing at all, and were destroyed so
    audit: str = ""  # the head of the audit log, whose last entry is the wipe


def sign(signer: Ed25519PrivateKey, said: Wiped) -> str:
    body = msgspec.json.encode(said)
    signature = base64.urlsafe_b64encode(signer.sign(_LABEL + body)).decode("ascii").rstrip("=")
    return f"{body.decode()}\n{_MARK}{signature}\n"


def read(text: str) -> Wiped:
    """Verify that the gateway it names signed it, and read. Raises FarewellError."""
    body, mark, signature = text.strip().partition(f"\n{_MARK}")
    if not mark or len(text) > RECEIPT_LIMIT_LETTERS:
        raise FarewellError("not a receipt of a wipe")
    try:
        said = msgspec.json.decode(body, type=Wiped)
        key = keys.verifier(said.key)
        signed = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except (ValueError, keys.KeyFormatError) as error:
        raise FarewellError(f"not a receipt of a wipe: {error}") from error
    if keys.gateway_id(key) != said.gateway:
        raise FarewellError("the key in it is not the gateway's")
    if not keys.verifies(key, signed, _LABEL + body.encode()):
        raise FarewellError("the signature is not the gateway's")
    return said
