"""Who this gateway is, and who may open what it seals: the files of the keys folder (docs/keys.md).

gateway.key        PEM, Ed25519 private key; made on the gateway, never leaves it
gateway.crt        PEM, certificate of that key; CN is the gateway's id
ca.crt             PEM, who signs the broker
centre.pub         `ed25519:...`, who signs receipts
recipients/*.pub   `xwing:...` or `x25519:...`, who may open
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from config.load import ConfigError
from wire import keys

RECIPIENTS_LIMIT = 16
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Identity:
    """What the keys folder holds. `centre` is None where no receipts are asked for."""

    signer: Ed25519PrivateKey
    recipients: tuple[keys.Recipient, ...]
    centre: Ed25519PublicKey | None

    @property
    def gateway(self) -> str:
        return keys.gateway_id(self.signer.public_key())


def load(folder: Path, *, receipts: bool) -> Identity:
    """Read the keys folder; with `receipts` the centre's key must be there. Raises ConfigError."""
    signer = _signer(folder / "gateway.key")
    files = sorted((folder / "recipients").glob("*.pub"))
    if not files:
        raise ConfigError(f"{folder}/recipients holds no .pub file", "nobody could open what is sealed")
    if len(files) > RECIPIENTS_LIMIT:
        raise ConfigError(f"{folder}/recipients holds {len(files)} keys", f"at most {RECIPIENTS_LIMIT}")
    recipients = tuple(_parsed(file, keys.recipient) for file in files)
    centre = _parsed(folder / "centre.pub", keys.verifier) if receipts else None
    return Identity(signer, recipients, centre)


def _signer(file: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(_bytes(file), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{file} is not a private key", "it must be PEM, Ed25519, without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{file} is not an Ed25519 key", "the gateway's id is the hash of its Ed25519 key")
    return key


def _parsed(file: Path, parse: Callable[[str], T]) -> T:
    try:
        return parse(_bytes(file).decode("ascii"))
    except (keys.KeyFormatError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}", "one line, as the centre gave it") from error


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", "the keys folder is made at enrolment") from error
