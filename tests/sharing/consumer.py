"""A consumer that shares, as a process: forked from one that has everything imported, so that it is there at once."""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.connection import Connection

from centre.config import Config
from centre.run import run

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.sharing.consumer", "psycopg", "sqlalchemy.dialects.postgresql.psycopg"])


class Process:
    """To be killed, and started again."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.start()

    def start(self) -> None:
        theirs, self._end = PROCESSES.Pipe(duplex=False)
        self._process = PROCESSES.Process(target=_consume, args=(self._config, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.join()
        self._end.close()

    def stop(self) -> int | None:
        """Its exit code."""
        self._end.close()
        self._process.join(60)
        return self._process.exitcode


def _consume(config: Config, told: Connection) -> None:
    """Until the other end of `told` is closed."""
    ending = threading.Event()

    def watch() -> None:
        told.poll(None)
        ending.set()

    threading.Thread(target=watch, daemon=True).start()
    code = run(config, ending)
    if code:
        raise SystemExit(code)
