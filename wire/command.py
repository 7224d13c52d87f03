"""The command: what the centre asks of one gateway, signed (docs/formats.md). There is one: `resend`.

    command := CBOR [issued, expires, epoch, resend] and a 64-byte Ed25519 signature
               over "wardlink command 1", the gateway's id and the CBOR
    resend  := [1, [[epoch, class, [[first, last], ...]], ...]]

It holds for one start of the gateway (`epoch`, a number that no two starts share) and `issued` only grows. So a gateway
that remembers the greatest `issued` of this start refuses every copy, with no clock and nothing to keep on its disk.
"""

from __future__ import annotations

import cbor2
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire import cbor
from wire.keys import verifies
from wire.topics import Class

SIGNATURE_BYTES = 64
COMMAND_LIMIT_BYTES = 8192
RANGES_LIMIT_COUNT = 256
_NUMBERS = 1 << 32
_LABEL = b"wardlink command 1"


class CommandError(Exception):
    """The bytes are no command of our centre's; `reason` is the counter's name."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """The centre lacks these seq ranges (both ends included) of (epoch, class)."""

    epoch: int
    cls: int
    ranges: list[tuple[int, int]]


class Resend(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Send these again; what is not there any more is to be declared lost."""

    wanted: list[Wanted]


class Command(msgspec.Struct, frozen=True, array_like=True):
    """`issued` and `expires` are microseconds since 1970 by the centre's clock; `epoch` is the gateway's present one.

    `issued` is greater than in every command before it to this gateway.
    """

    issued: int
    expires: int
    epoch: int
    said: Resend


def sign(signer: Ed25519PrivateKey, gateway: str, command: Command) -> bytes:
    body = cbor2.dumps(msgspec.to_builtins(command))
    return body + signer.sign(_signed(gateway, body))


def read(verifier: Ed25519PublicKey, gateway: str, data: bytes) -> Command:
    """Verify and read. Raises CommandError: `size`, `signature` or `malformed`."""
    if not SIGNATURE_BYTES < len(data) <= COMMAND_LIMIT_BYTES:
        raise CommandError("size", f"{len(data)} bytes is no size of a command")
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    if not verifies(verifier, signature, _signed(gateway, body)):
        raise CommandError("signature", "the signature is not our centre's, or the command is another gateway's")
    try:
        command = msgspec.convert(cbor.loads(body), type=Command)
    except (cbor.CBORError, msgspec.ValidationError) as error:
        raise CommandError("malformed", f"not a command: {error}") from error
    if not all(map(_is_sound, command.said.wanted)) or _runs(command) > RANGES_LIMIT_COUNT:
        raise CommandError("malformed", "ranges that are none, of no class, or too many")
    return command


def _is_sound(wanted: Wanted) -> bool:
    ranges = all(0 <= first <= last < _NUMBERS for first, last in wanted.ranges)
    return ranges and 0 <= wanted.epoch < _NUMBERS and wanted.cls in Class.__members__.values()


def _runs(command: Command) -> int:
    return sum(len(wanted.ranges) for wanted in command.said.wanted)


def _signed(gateway: str, body: bytes) -> bytes:
    return _LABEL + gateway.encode("ascii") + body
