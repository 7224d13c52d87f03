"""Who this gateway is, and who may open what it seals: the files of the keys folder (docs/keys.md).

gateway.key        PEM, Ed25519 private key; made on the gateway, never leaves it. As a systemd credential of that name
                   it is read first; sealed, it lies in gateway.key.cred
gateway.crt        PEM, certificate of that key; CN is the gateway's id
ca.crt             PEM, who signs the broker
centre.pub         `ed25519:...`, who signs receipts and commands: one line for each key, at most 4
recipients/*.pub   `xwing:...` or `x25519:...`, who may open
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.enrol import places, standing
from agent.enrol.places import ENROLLED_FILE, KEY_FILE, SEALED_FILE, WIPED_FILE, WIPING_FILE
from agent.enrol.standing import Enrolled
from config.load import ConfigError
from wire import keys

RECIPIENTS_LIMIT = 16
CENTRES_LIMIT = 4
PEM = (b"-----BEGIN PRIVATE KEY-----\n", b"\n-----END PRIVATE KEY-----\n")
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")  # RFC 8410, 7: version 0, Ed25519, 32 bytes follow
SEED_BYTES = 32
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Identity:
    """What the keys folder holds. `centres` is empty where no receipts are asked for."""

    signer: Ed25519PrivateKey
    recipients: tuple[keys.Recipient, ...]
    centres: tuple[Ed25519PublicKey, ...]

    @property
    def gateway(self) -> str:
        return keys.gateway_id(self.signer.public_key())


def load(folder: Path, *, receipts: bool) -> Identity:
    """Read the keys folder; with `receipts` a key of the centre must be there. Raises ConfigError."""
    _settle(folder)
    return Identity(signer(folder), recipients(folder), centres(folder) if receipts else ())


def recipients(folder: Path) -> tuple[keys.Recipient, ...]:
    """Who may open. Raises ConfigError."""
    files = sorted((folder / "recipients").glob("*.pub"))
    if not files:
        raise ConfigError(f"{folder}/recipients holds no .pub file", "nobody could open what is sealed: wardlink enrol")
    if len(files) > RECIPIENTS_LIMIT:
        raise ConfigError(f"{folder}/recipients holds {len(files)} keys", f"at most {RECIPIENTS_LIMIT}")
    return tuple(_parsed(file, keys.recipient) for file in files)


def centres(folder: Path) -> tuple[Ed25519PublicKey, ...]:
    """The keys that receipts and commands are signed with, any of them. Raises ConfigError."""
    return _parsed(folder / "centre.pub", _verifiers)


def _verifiers(text: str) -> tuple[Ed25519PublicKey, ...]:
    lines = text.split()
    if not 0 < len(lines) <= CENTRES_LIMIT:
        raise keys.KeyFormatError(f"it holds {len(lines)} keys, and needs 1 to {CENTRES_LIMIT}")
    return tuple(map(keys.verifier, lines))


def signer(folder: Path) -> Ed25519PrivateKey:
    """The gateway's own key. Raises ConfigError."""
    file = key_file(folder)
    pem = _bytes(file)
    return _plain(pem) or _other(file, pem)


def _plain(pem: bytes) -> Ed25519PrivateKey | None:
    """A key as everybody writes it, so that a gateway need not load what reads all others: 0.9 MiB."""
    if not (pem.startswith(PEM[0]) and pem.endswith(PEM[1])):
        return None
    try:
        der = base64.b64decode(pem[len(PEM[0]) : -len(PEM[1])], validate=True)
    except ValueError:
        return None
    if len(der) != len(PKCS8) + SEED_BYTES or not der.startswith(PKCS8):
        return None
    return Ed25519PrivateKey.from_private_bytes(der[len(PKCS8) :])


def _other(file: Path, pem: bytes) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  see above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{file} is not a private key", "it must be PEM, Ed25519, without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{file} is not an Ed25519 key", "the gateway's id is the hash of its Ed25519 key")
    return key


def key_file(folder: Path) -> Path:
    """Where the key can be read now: the unit's credential, the file, or (for root, outside of the unit) what is
    opened of the sealed one, which is in memory and no file on a disk. Raises ConfigError.
    """
    given = places.credential()
    if given is not None:
        return given
    sealed = folder / SEALED_FILE
    if (folder / KEY_FILE).exists() or not sealed.exists():
        return folder / KEY_FILE
    from agent.enrol import protection  # noqa: PLC0415  a gateway's unit never comes here

    try:
        key = protection.unseal(_bytes(sealed), os.environ.get(protection.TPM_VARIABLE, ""))
    except protection.ProtectionError as error:
        raise ConfigError(f"{sealed}: {error}", error.hint) from error
    held = os.memfd_create(KEY_FILE, os.MFD_CLOEXEC)
    os.write(held, key)
    return Path(f"/proc/self/fd/{held}")


def enrolled(folder: Path) -> Enrolled | None:
    """None where nobody enrolled: never, or the files were made by hand."""
    try:
        return standing.read((folder / ENROLLED_FILE).read_bytes())
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _settle(folder: Path) -> None:
    """A wiped folder is said to be one; what a power cut left half done is done. Raises ConfigError."""
    if (folder / WIPED_FILE).exists():
        raise ConfigError(f"this gateway was wiped: {folder / WIPED_FILE} is its receipt", "wardlink enrol begins anew")
    if (folder / WIPING_FILE).exists():
        raise ConfigError("a wipe of this gateway was begun", "`wardlink wipe` goes on with it; it cannot be undone")
    from agent import applying  # noqa: PLC0415

    if (folder / applying.CHANGE_FILE).exists():
        try:
            applying.finish(applying.Owned(), folder)
        except OSError as error:
            raise ConfigError(f"{folder}: {error}", "a change of the keys folder must be finished: as root") from error


def _parsed(file: Path, parse: Callable[[str], T]) -> T:
    try:
        return parse(_bytes(file).decode("ascii"))
    except (keys.KeyFormatError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}", "one line, as the centre gave it") from error


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", "the keys folder is made by `wardlink enrol`") from error
