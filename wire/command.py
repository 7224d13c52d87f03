"""The command: what the centre asks of one gateway, signed (docs/formats.md). The list of verbs is closed.

    command := CBOR [issued, expires, epoch, start, nonce, said] and a 64-byte Ed25519 signature
               over "wardlink command 2", the gateway's id and the CBOR

It holds for one start of the gateway and `issued` only grows. So a gateway that remembers the greatest `issued` of this
start refuses every copy, with no clock and nothing to keep on its disk. What names the start is its 8 random bytes, as
in receipts: a card that is put back begins the same `epoch` again, which is here for people.

Format 1 named the epoch alone. It is refused by that name, so that nobody takes an older centre for a forger.
No verb reaches a device, and none runs what it brings: they move envelopes, keys and words, nothing else.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Literal

import cbor2
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire import cbor
from wire.keys import verifies
from wire.topics import Class

SIGNATURE_BYTES = 64
START_BYTES = 8
NONCE_BYTES = 8
COMMAND_LIMIT_BYTES = 8192  # of every verb but rotate
DIRECTORY_LIMIT_BYTES = 65536
ROTATE_LIMIT_BYTES = DIRECTORY_LIMIT_BYTES + 1024
RANGES_LIMIT_COUNT = 256
URL_LIMIT_LETTERS = 512
INTERVAL_LEAST_MS, INTERVAL_LIMIT_MS = 250, 10_000
_NUMBERS = 1 << 32
_LABEL = b"wardlink command 2"
_LABEL_1 = b"wardlink command 1"
_VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){1,3}\Z")
_URL = re.compile(r"https://[!-~]+\Z")


class CommandError(Exception):
    """The bytes are no command of our centre's; `reason` is the counter's name.

    `nonce` is that of a command which our centre signed all the same, and never should; else empty.
    """

    def __init__(self, reason: str, message: str, nonce: bytes = b"") -> None:
        super().__init__(message)
        self.reason = reason
        self.nonce = nonce


class Wanted(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The centre lacks these seq ranges (both ends included) of (epoch, class)."""

    epoch: int
    cls: int
    ranges: list[tuple[int, int]]


class Resend(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """Send these again; what is not there any more is to be declared lost."""

    wanted: list[Wanted]


class SetPolicy(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """What goes before the gateway's own configuration, as a whole; None: as configured there.

    `interval_ms`: how often a bundle is closed. `waves` "ask": what did not go live waits until `resend` names it.
    """

    interval_ms: Annotated[int, msgspec.Meta(ge=INTERVAL_LEAST_MS, le=INTERVAL_LIMIT_MS)] | None = None
    waves: Literal["send", "ask"] | None = None


class Rotate(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=3):
    """Take this directory (wire/directory.py): who may open, and who signs receipts, from now on."""

    directory: bytes


class CollectBundle(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=4):
    """Make a diagnostic bundle and send it (wire/diagnosis.py)."""


class Update(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=5):
    """Have the updater install `version` from `url`, if its SHA-256 is this; below `floor` nothing is ever to run."""

    version: str
    url: str
    sha256: bytes
    floor: str


Said = Resend | SetPolicy | Rotate | CollectBundle | Update
VERBS: dict[type[Said], str] = {
    Resend: "resend",
    SetPolicy: "set-policy",
    Rotate: "rotate",
    CollectBundle: "collect-bundle",
    Update: "update",
}


class Command(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`issued` and `expires` are microseconds since 1970 by the centre's clock; `epoch` is the gateway's present one,
    `start` the 8 random bytes in its statements.

    `issued` is greater than in every command before it to this gateway. `nonce`: 8 bytes that the reply repeats.
    """

    issued: int
    expires: int
    epoch: int
    start: bytes
    nonce: bytes
    said: Said

    @property
    def verb(self) -> str:
        return VERBS[type(self.said)]


def sign(signer: Ed25519PrivateKey, gateway: str, command: Command) -> bytes:
    body = cbor2.dumps(msgspec.to_builtins(command, builtin_types=(bytes,)))
    return body + signer.sign(_signed(gateway, body))


def nonce_of(gateway: str, issued: int) -> bytes:
    """A nonce for a command that no person gave: no two of a gateway have the same `issued`."""
    return hashlib.sha256(f"wardlink ask {gateway} {issued}".encode("ascii")).digest()[:NONCE_BYTES]


def read(verifier: Ed25519PublicKey, gateway: str, data: bytes) -> Command:
    """Verify and read. Raises CommandError: `size`, `signature`, `format` or `malformed`."""
    if not SIGNATURE_BYTES < len(data) <= ROTATE_LIMIT_BYTES:
        raise CommandError("size", f"{len(data)} bytes is no size of a command")
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    if not verifies(verifier, signature, _signed(gateway, body)):
        if verifies(verifier, signature, _LABEL_1 + gateway.encode("ascii") + body):
            raise CommandError("format", "of format 1, which names no start: the centre is older than this gateway")
        raise CommandError("signature", "the signature is not our centre's, or the command is another gateway's")
    try:
        plain = cbor.loads(body)
    except cbor.CBORError as error:
        raise CommandError("malformed", f"not a command: {error}") from error
    try:
        command = msgspec.convert(plain, type=Command, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        raise CommandError("malformed", f"not a command: {error}", _nonce(plain)) from error
    if len(command.nonce) != NONCE_BYTES or len(command.start) != START_BYTES:
        raise CommandError("malformed", "a start and a nonce have 8 bytes each")
    if len(data) > COMMAND_LIMIT_BYTES and not isinstance(command.said, Rotate):
        raise CommandError("size", f"{len(data)} bytes is no size of {command.verb}", command.nonce)
    why = _wrong(command.said)
    if why:
        raise CommandError("malformed", why, command.nonce)
    return command


def _nonce(plain: object) -> bytes:
    """That of a command whose verb we do not know: a newer centre may have it."""
    nonce = plain[4] if isinstance(plain, list) and len(plain) > 4 else b""
    return nonce if isinstance(nonce, bytes) and len(nonce) == NONCE_BYTES else b""


def _wrong(said: Said) -> str:
    """What the shape alone does not forbid; empty where nothing is wrong."""
    match said:
        case Resend():
            runs = sum(len(wanted.ranges) for wanted in said.wanted)
            good = all(map(_is_sound, said.wanted)) and runs <= RANGES_LIMIT_COUNT
            return "" if good else "ranges that are none, of no class, or too many"
        case Rotate():
            return "" if 0 < len(said.directory) <= DIRECTORY_LIMIT_BYTES else "a directory of no such size"
        case Update():
            good = is_version(said.version) and is_version(said.floor) and len(said.sha256) == 32
            return "" if good and is_url(said.url) else "a version, address or hash that is none"
    return ""


def is_version(text: str) -> bool:
    """Two to four numbers with points between."""
    return _VERSION.match(text) is not None


def is_url(text: str) -> bool:
    return len(text) <= URL_LIMIT_LETTERS and _URL.match(text) is not None


def version_key(text: str) -> tuple[int, ...]:
    """Versions in their order: 0.9 is before 0.10, and 1.0 is 1.0.0."""
    numbers = [int(part) for part in text.split(".")]
    return (*numbers, *[0] * (4 - len(numbers)))


def _is_sound(wanted: Wanted) -> bool:
    ranges = all(0 <= first <= last < _NUMBERS for first, last in wanted.ranges)
    return ranges and 0 <= wanted.epoch < _NUMBERS and wanted.cls in Class.__members__.values()


def _signed(gateway: str, body: bytes) -> bytes:
    return _LABEL + gateway.encode("ascii") + body
