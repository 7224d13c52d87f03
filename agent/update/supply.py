"""The bundle's bytes, from what is kept or from the server: slower than live data, and again until they come."""

from __future__ import annotations

import threading
from collections.abc import Callable

from agent import clock
from agent.update.kept import Kept
from agent.update.nearby import PATIENCE_S, NotNowError
from agent.update.pace import Live, Pace, why_not
from agent.update.source import Source, SourceError

AGAIN_LEAST_S, AGAIN_LIMIT_S = 1.0, 30.0


class Supply:
    """Called with [at, end) by several threads, one of which fetches. `live` tells how live data fares."""

    def __init__(
        self,
        source: Source,
        kept: Kept,
        live: Callable[[], Live | None],
        *,
        is_urgent: bool = False,
        pace: Pace | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._source, self._kept, self._live = source, kept, live
        self._is_urgent, self._patience_s = is_urgent, patience_s
        self._pace = pace or Pace()
        self._one = threading.Lock()
        self._ended = threading.Event()
        self.why = ""

    def __call__(self, at: int, end: int) -> bytes:
        """Raises NotNowError."""
        began = clock.now()
        again_s = AGAIN_LEAST_S
        with self._one:
            while (lack := self._kept.lacks(at, end)) is not None:
                try:
                    self._fetch(*lack)
                    again_s = AGAIN_LEAST_S
                except SourceError as error:
                    self.why = str(error)
                    if error.is_final:
                        raise NotNowError(self.why) from error
                    again_s = self._again(again_s)
                except NotNowError as error:
                    self.why = str(error)
                    again_s = self._again(again_s)
                if self._kept.lacks(at, end) and clock.now() - began > self._patience_s * 1e9:
                    raise NotNowError(self.why or "the link is too slow")
            return self._kept.read(at, end)

    def _fetch(self, at: int, end: int) -> None:
        live = self._live()
        if why := why_not(live, is_urgent=self._is_urgent):
            raise NotNowError(why)
        self._pace.look(live)
        end = min(end, at + self._pace.piece_bytes)
        began = clock.now()
        data = self._source.get(at, end)
        self._kept.write(at, data)
        took_s = (clock.now() - began) / 1e9
        self._ended.wait(self._pace.rest_s(len(data), took_s))

    def _again(self, after_s: float) -> float:
        self._ended.wait(min(after_s, self._patience_s))
        return min(after_s * 2, AGAIN_LIMIT_S)
