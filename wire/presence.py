"""Presence: the retained JSON on `state`, and the Will. A hint for pages, unsigned, and never about a patient."""

from __future__ import annotations

import re

import msgspec

PRESENCE_LIMIT_BYTES = 1024
_START = re.compile(r"([0-9a-f]{16})?\Z")


class PresenceError(Exception):
    """The bytes are no presence."""


class Presence(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """`state` is online or offline (the Will, or a clean end); `epoch` is the gateway's at that time.

    `start`: the 8 random bytes in the epoch's statements, in hex; empty of gateways before commands named it.
    """

    state: str
    epoch: int
    version: int = 1
    start: str = ""

    def pack(self) -> bytes:
        return msgspec.json.encode(self)


def read(data: bytes) -> Presence:
    """Raises PresenceError."""
    if len(data) > PRESENCE_LIMIT_BYTES:
        raise PresenceError(f"{len(data)} bytes")
    try:
        presence = msgspec.json.decode(data, type=Presence)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PresenceError(str(error)) from error
    if not _START.match(presence.start):
        raise PresenceError(f"start {presence.start[:20]!r}")
    if presence.state not in ("online", "offline"):
        raise PresenceError(f"state {presence.state[:20]!r}")
    return presence
