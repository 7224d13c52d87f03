"""What is to be installed, as `update.request` has it, and what came of it."""

from __future__ import annotations

from typing import Literal

import msgspec

UPDATE_FILE = "update.request"


class Wish(msgspec.Struct, frozen=True):
    """`update.request`: `version` from `url`, whose signed end has this SHA-256 (hex), never below `floor`.

    `command` is the nonce of the command, in hex. Empty: nothing is said of it.
    """

    version: str
    url: str
    sha256: str
    floor: str
    command: str


class Outcome(msgspec.Struct, frozen=True):
    """`installed`: it waits for its trial. `refused` is final. `later`: what was fetched is kept."""

    kind: Literal["installed", "refused", "later"]
    words: str
    hint: str = ""
    version: str = ""
    fetched_bytes: int = 0
