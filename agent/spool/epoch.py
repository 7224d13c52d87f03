"""The number of this start: durable before anything is appended, and never twice the same.

Content of the pages: epoch u32, its 8 random bytes, `above` u32, then (epoch u32, its 8 random bytes) of earlier starts
that have something here, the newest first. Should both copies be lost, the newest epoch seen in segments and
acknowledgements counts, and the random bytes keep apart what the number cannot. They keep apart as well what two
starts sealed under one number because an old image of the card was put back; whoever learns of that says above which
number the next start begins.
"""

from __future__ import annotations

import struct
from collections.abc import Container
from pathlib import Path

from agent.spool.files import Files
from agent.spool.pages import Pages
from agent.spool.terms import BLOCK_BYTES

FILE = "epoch"
NONCE_BYTES = 8
STARTS_LIMIT_COUNT = 256  # of earlier starts; of what is older its statements tell
_START = struct.Struct("<I8s")
_ABOVE = struct.Struct("<I")


class Epoch:
    """`last` is the epoch of the start before this one, 0 where nobody knows of any; `starts` their random bytes."""

    def __init__(self, files: Files, folder: Path) -> None:
        self.pages = Pages(files, folder / FILE, b"WLep", BLOCK_BYTES)
        self.last = 0
        self.above = 0
        self.starts: dict[int, bytes] = {}

    def load(self, names: list[str]) -> None:
        self.pages.load(names)
        content = self.pages.content
        if content is None or len(content) < _START.size:
            return
        self.last, nonce = _START.unpack_from(content)
        rest = content[_START.size :]
        if len(rest) >= _ABOVE.size:
            (self.above,) = _ABOVE.unpack_from(rest)
            whole = len(rest) - (len(rest) - _ABOVE.size) % _START.size
            self.starts = dict(_START.iter_unpack(rest[_ABOVE.size : whole]))
        self.starts[self.last] = nonce

    def take(self, names: list[str], newest_seen: int, nonce: bytes, here: Container[int]) -> int:
        """Make the next epoch durable and return it. `here`: epochs that have something in the spool."""
        assert len(nonce) == NONCE_BYTES
        epoch = max(self.last, self.above, newest_seen) + 1
        earlier = [one for one in sorted(self.starts, reverse=True) if one in here and one < epoch]
        self.starts = {one: self.starts[one] for one in earlier[:STARTS_LIMIT_COUNT]}
        self.pages.create(names)
        self._save(epoch, nonce)
        self.last, self.starts[epoch] = epoch, nonce
        return epoch

    def begin_above(self, epoch: int) -> None:
        """The next start has a greater number than this. OSError: it may not."""
        if epoch > self.above:
            before, self.above = self.above, epoch
            try:
                self._save(self.last, self.starts[self.last])
            except OSError:
                self.above = before
                raise

    def _save(self, epoch: int, nonce: bytes) -> None:
        earlier = [_START.pack(*one) for one in self.starts.items() if one[0] != epoch]
        self.pages.save(b"".join([_START.pack(epoch, nonce), _ABOVE.pack(self.above), *earlier]))
