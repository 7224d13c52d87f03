"""Who keeps this machine's clock, and how well: chronyd, else systemd-timesyncd, else the kernel's own word.

The kernel's maximum error is not believed of timesyncd, which sets it to zero. Blocks for some milliseconds.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from discipline import chrony, kernel, timesyncd

ANSWER_LIMIT_S = 3.0
DRIFT_PPM = 100
Run = Callable[[Sequence[str]], str | None]


@dataclass(frozen=True, slots=True)
class Found:
    """`by` keeps the clock, or nobody does (""); `error_us` is how wrong it may be, None where that is not known."""

    by: str
    error_us: int | None


def run(command: Sequence[str]) -> str | None:
    """What a program says; None where it is not there, fails, or takes too long. No shell."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout if done.returncode == 0 else None


def look(utc_us: Callable[[], int], ask: Run = run, state: Callable[[], kernel.Kernel] = kernel.state) -> Found:
    """What the clock that says `utc_us` is worth now."""
    said = ask(chrony.COMMAND)
    if said is not None:
        return Found("chrony", chrony.error_us(said))
    if timesyncd.RUNS.is_dir():
        said = ask(timesyncd.COMMAND)
        known = state()
        error = None if said is None or known.error_us is None else timesyncd.error_us(said, utc_us(), known.left_us)
        return Found("timesyncd", error)
    error = state().error_us
    return Found("" if error is None else "kernel", error)


def grown(error_us: int, age_us: int) -> int:
    """A clock within `error_us` then is within this after `age_us`: crystals keep 100 ppm."""
    return error_us + abs(age_us) * DRIFT_PPM // 1_000_000 + 1
