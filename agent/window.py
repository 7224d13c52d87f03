"""What a person says to the running gateway: files in the runtime folder that it heeds, and answers in.

bond.json  {"until_ns": monotonic, "said": ""}    open; the gateway replaces it with {"until_ns": 0, "said": "..."}
time.json  {"utc": microseconds, "within_us": 60000000, "at_ns": monotonic, "said": ""}    said is the answer
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from agent.health import notify

BOND_FILE = "bond.json"  # in the runtime folder
ADOPTED_FILE = "radio.json"  # in the state folder: who was bonded here
TIME_FILE = "time.json"  # in the runtime folder
OPEN_LIMIT_S = 600.0


class Window(msgspec.Struct, frozen=True):
    """`until_ns` is monotonic; 0 once the gateway has shut it and said how it ended."""

    until_ns: int = 0
    said: str = ""
    forget: str = ""


def read(runtime: Path) -> Window:
    """Shut, where nobody opened one or the file is none of ours."""
    try:
        return msgspec.json.decode((runtime / BOND_FILE).read_bytes(), type=Window)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Window()


def write(runtime: Path, window: Window) -> None:
    """Raises OSError."""
    notify.replace(runtime / BOND_FILE, msgspec.json.encode(window))


class TimeSaid(msgspec.Struct, frozen=True):
    """At `at_ns` (monotonic) UTC was `utc`, within `within_us`, as a person says; `said` is the gateway's answer."""

    utc: int
    within_us: int
    at_ns: int
    said: str = ""


def read_time(runtime: Path) -> TimeSaid | None:
    """None where nobody said anything, or the file is none of ours."""
    try:
        return msgspec.json.decode((runtime / TIME_FILE).read_bytes(), type=TimeSaid)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def write_time(runtime: Path, said: TimeSaid) -> None:
    """Raises OSError."""
    notify.replace(runtime / TIME_FILE, msgspec.json.encode(said))
