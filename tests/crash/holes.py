"""What a killed gateway may have had in its hand: one read, from the kernel taken and not yet on the tape.

It was never accepted. A hole is one of these only where a kill explains it: one for each kill, not larger than one
read, and ending where the kernel's own queue began when the gateway died. All others are losses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from agent.ports.serial_port import TTY_BYTES


@dataclass(frozen=True, slots=True)
class Death:
    """`written`: frames that the line had taken; the kernel still held the last of them, at most `unread`."""

    written: int
    unread: int


def read_frames(frame_bytes: int) -> int:
    """How many frames one read can touch."""
    return TTY_BYTES // frame_bytes + 1


def in_hand(lost: np.ndarray, deaths: Iterable[Death], limit_frames: int) -> np.ndarray:
    """Which of the lost frames (bool, in the order written) a kill explains."""
    explained = np.zeros(len(lost), bool)
    left = sorted(deaths, key=lambda death: death.written)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], lost.astype(np.int8), [0]))))
    for first, end in edges.reshape(-1, 2).tolist():
        at = first
        while at < end:  # two in a row may have died with their hands full
            found = next((one for one in left if _explains(one, at, end, limit_frames)), None)
            if found is None:
                break
            left.remove(found)
            upto = min(end, found.written, at + limit_frames)
            explained[at:upto] = True
            at = upto
        if at < end:
            explained[first:end] = False
    return explained


def _explains(death: Death, first: int, end: int, limit_frames: int) -> bool:
    return death.written > first and min(end, death.written, first + limit_frames) >= death.written - death.unread
