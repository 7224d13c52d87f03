"""How the setup stands: `setup.json` in the runtime folder, for the page, the LED and `wardlink status`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

STANDING_FILE = "setup.json"
ROLLBACK_S = 300.0  # ENG-06: five minutes without the broker


class Standing(msgspec.Struct, frozen=True):
    """`busy`: it is being tried; `done`: the broker was reached with it; `failed`, with the code a technician reads.

    `inforce` says which setup the machine runs with (`hand`: a gateway.toml that somebody wrote); `notes` what was done
    or left undone beside.
    """

    state: Literal["busy", "done", "failed"]
    code: int = 0
    cause: str = ""
    next: str = ""
    language: str = ""
    inforce: Literal["none", "hand", "trial", "good"] = "none"
    since_ns: int = 0  # monotonic: when it was applied
    notes: list[str] = []


def pack(standing: Standing) -> bytes:
    return msgspec.json.encode(standing)


def read(runtime: Path) -> Standing | None:
    """None where there is none, or none that can be read."""
    try:
        return msgspec.json.decode((runtime / STANDING_FILE).read_bytes(), type=Standing)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


Verdict = Literal["wait", "good", "back", "stay"]


def verdict(elapsed_s: float, connected: bool, has_good: bool) -> Verdict:
    """What becomes of a trial: it waits, is good, goes back to the last good one, or stays for want of one."""
    if connected:
        return "good"
    if elapsed_s < ROLLBACK_S:
        return "wait"
    return "back" if has_good else "stay"
