"""What is to be installed, as `update.request` has it, what came of it, and what is told of it (`update.trial`)."""

from __future__ import annotations

from typing import Literal

import msgspec

UPDATE_FILE, TRIAL_FILE = "update.request", "update.trial"


class Wish(msgspec.Struct, frozen=True):
    """`update.request`: `version` from `url`, whose signed end has this SHA-256 (hex), never below `floor`.

    `command` is the nonce of the command, in hex. Empty: nothing is said of it.
    """

    version: str
    url: str
    sha256: str
    floor: str
    command: str


class Trial(msgspec.Struct, frozen=True):
    """`update.trial`, for whichever system runs then: `version` is to be tried, or why it was `refused` for good."""

    command: str
    version: str
    refused: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """`installed`: it waits for its trial. `refused` is final. `later`: what was fetched is kept."""

    kind: Literal["installed", "refused", "later"]
    words: str
    hint: str = ""
    version: str = ""
    fetched_bytes: int = 0
