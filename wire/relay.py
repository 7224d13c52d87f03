"""The relay: an envelope of one gateway, handed in by another (docs/formats.md).

    relay := length of the id u8, the id of the gateway that sealed it, and its envelope as it is

Nothing is signed anew: the envelope proves itself, as it would on its own gateway's topic.
"""

from __future__ import annotations

from wire.envelope import ENVELOPE_LIMIT_BYTES
from wire.topics import is_name

RELAY_LIMIT_BYTES = ENVELOPE_LIMIT_BYTES + 32


class RelayError(Exception):
    """The bytes are no relay; says why."""


def wrap(gateway: str, envelope: bytes) -> bytes:
    """`envelope`, sealed by `gateway`, as the body of a relay."""
    assert is_name(gateway), gateway
    return bytes([len(gateway)]) + gateway.encode("ascii") + envelope


def unwrap(data: bytes) -> tuple[str, bytes]:
    """(gateway, envelope). Raises RelayError; the envelope is still to be verified."""
    if not 0 < len(data) <= RELAY_LIMIT_BYTES:
        raise RelayError(f"{len(data)} bytes is no size of a relay")
    end = 1 + data[0]
    try:
        gateway = data[1:end].decode("ascii")
    except UnicodeDecodeError as error:
        raise RelayError("the id of the gateway is no text") from error
    if len(gateway) != data[0] or not is_name(gateway):
        raise RelayError("the id of the gateway is not 1 to 24 of a-z, 0-9 and '-'")
    return gateway, data[end:]
