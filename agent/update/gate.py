"""The health gate: a system on trial stays if it captures and delivers, or stores durably for five minutes.

Pure: it is shown what the gateway says of itself, and when. Whatever it was never shown is not well.
"""

from __future__ import annotations

from dataclasses import dataclass

DURABLE_S = 300.0
LIMIT_S = 900.0
SILENT_S = 300.0  # by then every board has loaded the program
STARTS_LIMIT_COUNT = 5
GROWTH_S = 120.0  # a manifest is sealed each minute, whether or not a device is heard


@dataclass(frozen=True, slots=True)
class Seen:
    """`epoch` is the number of the gateway's start; `frames` what devices said since then, `held` what the centre has
    confirmed, `commits` what went to the disk. `problem`: the disk's. `is_fresh`: the gateway still writes.
    """

    epoch: int
    frames: int
    held: int
    commits: int
    problem: str = ""
    is_fresh: bool = True


class Gate:
    """`look` answers "" while nothing is decided, "good", or why it is not."""

    def __init__(self, began_s: float, durable_s: float = DURABLE_S, limit_s: float = LIMIT_S) -> None:
        self._began_s, self._durable_s, self._limit_s = began_s, durable_s, limit_s
        self._epochs: set[int] = set()
        self._since_s: float | None = None
        self._grew_s = 0.0
        self._last: Seen | None = None

    def look(self, seen: Seen | None, now_s: float) -> str:
        """`seen` None: the gateway has said nothing yet."""
        if seen is not None and seen.is_fresh:
            self._epochs.add(seen.epoch)
            if self._is_good(seen, now_s):
                return "good"
        else:
            self._since_s = None
        if len(self._epochs) > STARTS_LIMIT_COUNT:
            return f"the gateway started {len(self._epochs)} times"
        waited_s = now_s - self._began_s
        silent = seen is None and waited_s >= SILENT_S
        return self._why(seen) if silent or waited_s >= self._limit_s else ""

    def _is_good(self, seen: Seen, now_s: float) -> bool:
        last, self._last = self._last, seen
        if seen.problem:
            self._since_s = None
            return False
        if seen.frames and seen.held:
            return True
        if last is None or last.epoch != seen.epoch or self._since_s is None:
            self._since_s, self._grew_s = now_s, now_s
        elif seen.commits > last.commits:
            self._grew_s = now_s
        if now_s - self._grew_s > GROWTH_S:
            self._since_s = None
            return False
        return seen.commits > 0 and now_s - self._since_s >= self._durable_s

    def _why(self, seen: Seen | None) -> str:
        if seen is None:
            return "the gateway says nothing"
        if not seen.is_fresh:
            return "the gateway has stopped"
        if seen.problem:
            return f"storage: {seen.problem}"
        return "nothing was delivered, and not enough was stored"
