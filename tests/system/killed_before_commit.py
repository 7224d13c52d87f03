"""Run by test_store: writes one batch and kills itself once all rows are in, before the commit."""

from __future__ import annotations

import os
import signal
import sys

from sqlalchemy import Connection, Engine, event

from centre.counts import Counts
from centre.gate import Gate
from centre.ingest import Ingest
from centre.store import Store
from tests.sealed import CATALOGUE, CENTRE, Bedside, block, reading


def main() -> None:
    bedside = Bedside()
    grant, _ = bedside.grant(), bedside.vital(CATALOGUE)
    store = Store(sys.argv[1])
    ingest = Ingest(store, Gate({bedside.gateway: "north"}), (CENTRE,), Counts())

    def kill(_connection: Connection) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "commit", kill)
    ingest.take([grant, bedside.vital(reading(5)), bedside.wave(block(0))])


main()
