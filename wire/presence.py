"""Presence: the retained JSON on `state`, and the Will. A hint for pages, unsigned, and never about a patient."""

from __future__ import annotations

import msgspec

PRESENCE_LIMIT_BYTES = 1024


class PresenceError(Exception):
    """The bytes are no presence."""


class Presence(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """`state` is online or offline (the Will, or a clean end); `epoch` is the gateway's at that time."""

    state: str
    epoch: int
    version: int = 1

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
    if presence.state not in ("online", "offline"):
        raise PresenceError(f"state {presence.state[:20]!r}")
    return presence
