"""Names and text forms of keys: gateways that sign, centres that sign, recipients that open.

A gateway's id is the hash of its public key, so a signature proves the id with no directory between.
Recipients: X25519 for the thinnest links, ML-KEM-768 with X25519 (X-Wing) by default, both by HPKE (RFC 9180).
Text form of a public key, one line: `<kind>:<base64url>`; of a private key: `<kind>-secret:<base64url>`.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

GATEWAY_ID_LETTERS = 20
_SUITES = {
    "x25519": Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305),
    "xwing": Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305),
}
_X25519_BYTES = 32
_MLKEM_PUBLIC_BYTES = 1184
_MLKEM_SEED_BYTES = 64


class KeyFormatError(Exception):
    """The text is no key of ours; says why, never what it held."""


def raw(key: Ed25519PublicKey | X25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes_raw()


def gateway_id(key: Ed25519PublicKey) -> str:
    """20 letters of a-z2-7: the first 100 bits of SHA-256 over a label and the key."""
    digest = hashlib.sha256(b"wardlink gateway" + raw(key)).digest()
    return base64.b32encode(digest).decode("ascii").lower()[:GATEWAY_ID_LETTERS]


def verifies(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who may open. `public` is the raw public key (X-Wing: ML-KEM part, then X25519 part)."""

    kind: str
    public: bytes

    @property
    def kid(self) -> bytes:
        """8 bytes that name the key."""
        return hashlib.sha256(b"wardlink recipient" + self.kind.encode("ascii") + self.public).digest()[:8]

    def seal(self, secret: bytes | bytearray, info: bytes) -> bytes:
        return _SUITES[self.kind].encrypt(secret, self._key(), info=info)

    def _key(self) -> X25519PublicKey | MLKEM768X25519PublicKey:
        if self.kind == "x25519":
            return X25519PublicKey.from_public_bytes(self.public)
        return MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(self.public[:_MLKEM_PUBLIC_BYTES]),
            X25519PublicKey.from_public_bytes(self.public[_MLKEM_PUBLIC_BYTES:]),
        )

    def text(self) -> str:
        return f"{self.kind}:{_b64(self.public)}"


@dataclass(frozen=True, slots=True)
class RecipientSecret:
    """A recipient's private key: `seed` is X25519's 32 bytes, or X-Wing's 64 (ML-KEM seed) and 32."""

    kind: str
    seed: bytes

    @property
    def recipient(self) -> Recipient:
        if self.kind == "x25519":
            return Recipient("x25519", raw(X25519PrivateKey.from_private_bytes(self.seed).public_key()))
        mlkem, x25519 = self._parts()
        return Recipient("xwing", mlkem.public_key().public_bytes_raw() + raw(x25519.public_key()))

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Raises cryptography's InvalidTag where it was not sealed to us."""
        if self.kind == "x25519":
            return _SUITES["x25519"].decrypt(sealed, X25519PrivateKey.from_private_bytes(self.seed), info=info)
        return _SUITES["xwing"].decrypt(sealed, MLKEM768X25519PrivateKey(*self._parts()), info=info)

    def _parts(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        return (
            MLKEM768PrivateKey.from_seed_bytes(self.seed[:_MLKEM_SEED_BYTES]),
            X25519PrivateKey.from_private_bytes(self.seed[_MLKEM_SEED_BYTES:]),
        )

    def text(self) -> str:
        return f"{self.kind}-secret:{_b64(self.seed)}"


_PUBLIC_BYTES = {"x25519": _X25519_BYTES, "xwing": _MLKEM_PUBLIC_BYTES + _X25519_BYTES, "ed25519": 32}
_SECRET_BYTES = {"x25519": _X25519_BYTES, "xwing": _MLKEM_SEED_BYTES + _X25519_BYTES, "ed25519": 32}


def recipient(text: str) -> Recipient:
    """Read a recipient's public key. Raises KeyFormatError."""
    kind, data = _split(text, "", _PUBLIC_BYTES)
    if kind not in _SUITES:
        raise KeyFormatError(f"a recipient's key is x25519 or xwing, not {kind}")
    found = Recipient(kind, data)
    try:
        found.seal(b"", b"")
    except ValueError as error:
        raise KeyFormatError(f"nothing can be sealed to this {kind} key") from error
    return found


def recipient_secret(text: str) -> RecipientSecret:
    """Read a recipient's private key. Raises KeyFormatError."""
    kind, data = _split(text, "-secret", _SECRET_BYTES)
    if kind not in _SUITES:
        raise KeyFormatError(f"a recipient's key is x25519 or xwing, not {kind}")
    return RecipientSecret(kind, data)


def signer(text: str) -> Ed25519PrivateKey:
    """Read a signing key (`ed25519-secret:`). Raises KeyFormatError."""
    return Ed25519PrivateKey.from_private_bytes(_expect(text, "-secret", _SECRET_BYTES, "ed25519"))


def verifier(text: str) -> Ed25519PublicKey:
    """Read a key to verify with (`ed25519:`). Raises KeyFormatError."""
    return Ed25519PublicKey.from_public_bytes(_expect(text, "", _PUBLIC_BYTES, "ed25519"))


def signer_text(key: Ed25519PrivateKey) -> str:
    return f"ed25519-secret:{_b64(key.private_bytes_raw())}"


def verifier_text(key: Ed25519PublicKey) -> str:
    return f"ed25519:{_b64(raw(key))}"


def _expect(text: str, suffix: str, sizes: dict[str, int], wanted: str) -> bytes:
    kind, data = _split(text, suffix, sizes)
    if kind != wanted:
        raise KeyFormatError(f"a signing key is {wanted}, not {kind}")
    return data


def _split(text: str, suffix: str, sizes: dict[str, int]) -> tuple[str, bytes]:
    label, colon, body = text.strip().partition(":")
    kind = label.removesuffix(suffix) if suffix else label
    if not colon or kind not in sizes or label != kind + suffix:
        raise KeyFormatError(f"the key does not begin with one of {', '.join(k + suffix + ':' for k in sizes)}")
    try:
        data = base64.b64decode(body.encode("ascii") + b"=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise KeyFormatError("the key is not base64url") from error
    if len(data) != sizes[kind]:
        raise KeyFormatError(f"a {kind} key has {sizes[kind]} bytes, this one {len(data)}")
    return kind, data


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")
