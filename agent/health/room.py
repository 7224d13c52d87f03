"""Hours left: how long the spool has room before what the centre does not hold must give way. Pure.

The rate is what each class took of the disk over the last ten minutes, padding and all, by the spool's own counters.
Room is what the files have for new frames, what they may still grow within the quota, and no more than the disk has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

WINDOW_S = 600.0
LEAST_S = 60.0  # over less a rate would be a guess
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Volume:
    """One class: bytes taken since the start, bytes for new frames in files that are there, bytes of files to come."""

    taken_bytes: int
    free_bytes: int
    growth_bytes: int


class Rooms:
    """Looked at every few seconds; keeps the looks of the last ten minutes."""

    def __init__(self) -> None:
        self._looks: deque[tuple[int, dict[int, int]]] = deque()  # (monotonic ns, bytes taken by class)

    def look(self, now: int, volumes: Mapping[int, Volume], disk_bytes: int | None) -> dict[int, int | None]:
        """Seconds by class; None where nobody knows: too early to tell, or nothing is being written.

        `disk_bytes` is what the disk has left, None where it does not say; classes share it by their rates.
        """
        self._looks.append((now, {cls: volume.taken_bytes for cls, volume in volumes.items()}))
        while len(self._looks) > 2 and now - self._looks[1][0] >= WINDOW_S * SECOND_NS:
            self._looks.popleft()
        since, before = self._looks[0]
        span_s = (now - since) / SECOND_NS
        if span_s < LEAST_S:
            return dict.fromkeys(volumes)
        rates = {cls: (volume.taken_bytes - before.get(cls, 0)) / span_s for cls, volume in volumes.items()}
        total = sum(rates.values())
        out: dict[int, int | None] = {}
        for cls, volume in volumes.items():
            rate = rates[cls]
            if rate <= 0:
                out[cls] = None
                continue
            growth = volume.growth_bytes if disk_bytes is None else min(volume.growth_bytes, disk_bytes * rate / total)
            out[cls] = int((volume.free_bytes + growth) / rate)
        return out
