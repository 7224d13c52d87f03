"""One life of the real gateway, which tells a witness outside of it what it does.

The witness is a pipe: what was written to it stays when the writer is killed. One line for each thing:

    opening · opened EPOCH · commit · kept EPOCH CLASS SEQ DIGEST ... · refused · spare · spared

`kept` is written after the spool said "durable", as early as anybody outside can know.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import random
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path

from agent import config, gateway
from agent.cli.run import listen, set_up_log
from agent.keeping import Keeping, Kept
from agent.spool import Limits, Lost
from agent.spool.spool import Spool
from agent.world import World
from wire.envelope import Header

SMALL_LIMITS = Limits(segment_bytes=64 * 1024)
SMALL_QUOTAS = {0: 256 * 1024, 1: 256 * 1024, 2: 256 * 1024}
Sealed = tuple[Header, bytes]


def digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


class Watched(Keeping):
    """The gateway's own, with a witness."""

    witness = -1

    def __init__(self, thread: Executor, open_spool: Callable[[], Spool]) -> None:
        self._fresh: list[str] = []
        self._tell("opening")
        super().__init__(thread, open_spool)
        self._tell(f"opened {self.spool.epoch}")

    def append(self, header: Header, data: bytes) -> None:
        super().append(header, data)
        self._fresh.append(f"{header.epoch} {int(header.cls)} {header.seq} {digest(data)}")

    def _keep(self, envelopes: Sequence[Sealed], told: Sequence[Lost], now: int) -> Kept:
        self._tell("commit")
        kept = super()._keep(envelopes, told, now)
        if kept.durable:
            self._tell(" ".join(["kept", *self._fresh]))
            self._fresh.clear()
        else:
            self._tell("refused")
        return kept

    async def make_spare(self) -> None:
        if self.spool.wants_spare:
            self._tell("spare")
            await super().make_spare()
            self._tell("spared")

    def _tell(self, line: str) -> None:
        os.write(self.witness, line.encode() + b"\n")


def live(file: Path, witness: int, is_small: bool) -> None:
    """Run the gateway until SIGTERM, as `wardlink run` does. Small: segments of 64 KiB, used again all the time."""
    Watched.witness = witness
    gateway.Keeping = Watched  # type: ignore[misc]
    if is_small:
        gateway._quotas = lambda config: SMALL_QUOTAS
    random.seed()  # a fork of a fork would wait as long as its brothers
    set_up_log(as_json=False)
    loaded = config.load(file)
    limits = SMALL_LIMITS if is_small else Limits()
    asyncio.run(gateway.run(loaded, World(open_line=listen(loaded).open_line, limits=lambda: limits)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--witness", type=int, required=True, help="descriptor to write to")
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    live(args.config, args.witness, args.small)


if __name__ == "__main__":
    sys.exit(main())
