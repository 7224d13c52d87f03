"""Counters of what happened, each with a reason in its name: what /metrics shows. Names are [a-z_]+."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping


class Counts:
    """Thread-safe; values never fall while the process lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str, by: int = 1) -> None:
        with self._lock:
            self._counts[name] += by

    def snapshot(self) -> Mapping[str, int]:
        with self._lock:
            return dict(self._counts)
