"""What `setup.json` in the runtime folder tells: how the setup from `wardlink.txt` stands. Pure."""

from __future__ import annotations

import msgspec

SETUP_FILE = "setup.json"


class Setup(msgspec.Struct, frozen=True):
    """`state`: `busy`, `done`, or `failed` with the code that a technician reads, its cause and the next step."""

    state: str
    code: int = 0
    cause: str = ""
    next: str = ""


def setup(data: bytes) -> Setup:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(data, type=Setup)
