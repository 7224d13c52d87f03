"""Counters of what happened, each with a reason in its name, and how it stands now: what /metrics shows.

Names of counters are [a-z_]+; those that stand may have labels, as Prometheus writes them.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping


class Counts:
    """Thread-safe; counters never fall while the process lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._stands: dict[str, float] = {}

    def add(self, name: str, by: int = 1) -> None:
        with self._lock:
            self._counts[name] += by

    def tell(self, name: str, value: float) -> None:
        """How it stands now; this may fall."""
        with self._lock:
            self._stands[name] = value

    def forget(self, name: str) -> None:
        """Nothing stands under this name any more."""
        with self._lock:
            self._stands.pop(name, None)

    def snapshot(self) -> Mapping[str, int]:
        with self._lock:
            return dict(self._counts)

    def standing(self) -> Mapping[str, float]:
        with self._lock:
            return dict(self._stands)
