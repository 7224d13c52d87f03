"""`python -m tests.vm.lasting`, in the guest: the gateway as the unit runs it, with a witness outside of the machine.

The witness is stdout, a serial line of the guest: what left by it stays when the power is cut. As tests/crash/life.py,
and after each opening what is there: `there EPOCH CLASS SEQ DIGEST ...`, `problem WORDS`, `looked`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from agent import config, gateway
from agent.cli.run import listen, set_up_log
from agent.spool import Stored
from agent.spool.spool import Spool
from agent.world import World
from tests.crash.life import Watched, digest


class Lasting(Watched):
    """Says what its spool holds before anything is added to it."""

    witness = 1

    def __init__(self, thread: Executor, open_spool: Callable[[], Spool]) -> None:
        super().__init__(thread, open_spool)
        thread.submit(self._look).result()

    def _look(self) -> None:
        found: list[Stored] = []
        self.spool.export(found.append)
        for one in found:
            self._tell(f"there {one.epoch} {one.cls} {one.seq} {digest(one.data)}")
        for problem in self.spool.check():
            self._tell(f"problem {problem}")
        self._tell("looked")


def main() -> None:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gateway.Keeping = Lasting
    set_up_log(as_json=False)
    file = Path(sys.argv[1])
    loaded = config.load(file)
    asyncio.run(gateway.run(loaded, World(open_line=listen(loaded).open_line, config_file=str(file))))


if __name__ == "__main__":
    main()
