"""What is known of the bed, on the disk: one small file, encrypted under a key of the gateway's own, replaced whole.

nonce (12 bytes) || ChaCha20-Poly1305 of the JSON of `Kept`, associated data "wardlink bed 1"
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from agent import durable
from agent.binding.kept import BED_FILE, Kept
from agent.spool.files import Files

NONCE_BYTES = 12
PURPOSE = b"wardlink bed 1"
log = logging.getLogger("wardlink.patient")


class BedFile:
    """`key` is 32 bytes."""

    def __init__(self, files: Files, state: Path, key: bytes) -> None:
        self._files = files
        self._file = state / BED_FILE
        self._cipher = ChaCha20Poly1305(key)

    def read(self) -> Kept | None:
        """None where there is none, or none that can be read: then nobody is bound."""
        try:
            self._files.make_folder(self._file.parent)
            data = durable.read(self._files, self._file)
            plain = self._cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], PURPOSE) if data else b""
            return msgspec.json.decode(plain, type=Kept) if plain else None
        except (OSError, InvalidTag, ValueError) as error:
            log.error("what was known of the bed cannot be read, nobody is bound error=%s", type(error).__name__)
            return None

    def write(self, plain: bytes, nonce: bytes) -> None:
        """Durable when this returns. Raises OSError."""
        durable.replace(self._files, self._file, nonce + self._cipher.encrypt(nonce, plain, PURPOSE))
