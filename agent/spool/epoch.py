"""The number of this start: durable before anything is appended, and never twice the same.

Content of the pages: epoch u32, 8 random bytes. Should both copies be lost, the newest epoch seen in
segments and acknowledgements counts, and the random bytes keep apart what the number cannot.
"""

from __future__ import annotations

import struct
from pathlib import Path

from agent.spool.files import Files
from agent.spool.pages import Pages
from agent.spool.terms import BLOCK_BYTES

FILE = "epoch"
NONCE_BYTES = 8
_CONTENT = struct.Struct("<I8s")


class Epoch:
    """`last` is the epoch of the start before this one, 0 where nobody knows of any."""

    def __init__(self, files: Files, folder: Path) -> None:
        self.pages = Pages(files, folder / FILE, b"WLep", BLOCK_BYTES)
        self.last = 0

    def load(self, names: list[str]) -> None:
        self.pages.load(names)
        content = self.pages.content
        if content is not None and len(content) == _CONTENT.size:
            self.last = _CONTENT.unpack(content)[0]

    def take(self, names: list[str], newest_seen: int, nonce: bytes) -> int:
        """Make the next epoch durable and return it."""
        assert len(nonce) == NONCE_BYTES
        epoch = max(self.last, newest_seen) + 1
        self.pages.create(names)
        self.pages.save(_CONTENT.pack(epoch, nonce))
        return epoch
