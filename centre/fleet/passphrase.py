"""A private key under a passphrase, as PEM that OpenSSL reads: PKCS#8 (RFC 5958), PBES2 with scrypt (RFC 7914, 8018).

`cryptography` writes PBES2 with 2048 rounds of PBKDF2 only, which is little for a key that lies in a drawer for ten
years; it reads scrypt. So the few bytes of ASN.1 around the ciphertext are made here.
"""

from __future__ import annotations

import base64
import textwrap

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from centre import clock
from centre.fleet.store import FleetError

PASSPHRASE_LEAST_LETTERS = 12
_N, _R, _P = 1 << 14, 8, 8  # 16 MiB, what OpenSSL allows at most, eight times over
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")


def sealed(key: Ed25519PrivateKey, passphrase: str) -> bytes:
    """PEM. Raises FleetError for a passphrase that is too short."""
    if len(passphrase) < PASSPHRASE_LEAST_LETTERS:
        raise FleetError(
            f"the passphrase has less than {PASSPHRASE_LEAST_LETTERS} letters", "six words from a dictionary will do"
        )
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    salt, start = clock.secret(16), clock.secret(16)
    secret = Scrypt(salt, 32, _N, _R, _P).derive(passphrase.encode())
    padder = PKCS7(128).padder()
    cipher = Cipher(AES256(secret), CBC(start)).encryptor()
    hidden = cipher.update(padder.update(plain) + padder.finalize()) + cipher.finalize()
    derived = _row(_SCRYPT, _row(_tag(4, salt), *map(_integer, (_N, _R, _P))))
    der = _row(_row(_PBES2, _row(derived, _row(_AES_256_CBC, _tag(4, start)))), _tag(4, hidden))
    lines = "\n".join(textwrap.wrap(base64.b64encode(der).decode("ascii"), 64))
    return f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{lines}\n-----END ENCRYPTED PRIVATE KEY-----\n".encode()


def opened(pem: bytes, passphrase: str) -> Ed25519PrivateKey:
    """Raises FleetError."""
    try:
        key = load_pem_private_key(pem, passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise FleetError("the root's key does not open", "is it the right file, and the right passphrase?") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise FleetError("the root's key is no Ed25519 key", "it is the file that `wardlink fleet init` made")
    return key


def _row(*parts: bytes) -> bytes:
    return _tag(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _tag(2, value.to_bytes(value.bit_length() // 8 + 1))


def _tag(tag: int, content: bytes) -> bytes:
    assert len(content) < 256
    size = bytes([len(content)]) if len(content) < 128 else bytes([0x81, len(content)])
    return bytes([tag]) + size + content
