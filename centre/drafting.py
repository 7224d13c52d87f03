"""Makes outlines of what came to rest, in a thread of its own: pages of hours then read kilobytes, not every sample."""

from __future__ import annotations

import logging
import threading

from centre import clock
from centre.counts import Counts
from centre.store import Store, StoreError
from centre.store.drawn import DRAFT_LIMIT_ROWS, DRAFT_LIMIT_TRENDS

PAUSE_S = 5.0
_LOG = logging.getLogger("wardlink.centre")


class Drafting:
    """A store that fails is tried again; until then whoever draws reads the blocks themselves."""

    def __init__(self, store: Store, counts: Counts) -> None:
        self._store = store
        self._counts = counts
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drafting")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        is_well = True
        while not self._ending.is_set():
            is_more = False
            try:
                made = self._store.outlines.draft(clock.utc_us())
                trends = self._store.outlines.draft_trends(clock.utc_us())
                self._counts.add("outlines", made + trends)
                is_more = made == DRAFT_LIMIT_ROWS or trends == DRAFT_LIMIT_TRENDS
                is_well = True
            except StoreError as error:
                if is_well:
                    _LOG.warning("outlines wait: %s", error)
                is_well = False
            if not is_more:
                self._ending.wait(PAUSE_S)
