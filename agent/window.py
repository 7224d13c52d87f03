"""The window that a person opens to bond a device: a file in the runtime folder that the gateway heeds, and answers in.

{"until_ns": monotonic, "said": ""}    open; the gateway replaces it with {"until_ns": 0, "said": "..."}
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from agent.health import notify

BOND_FILE = "bond.json"  # in the runtime folder
ADOPTED_FILE = "radio.json"  # in the state folder: who was bonded here
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
