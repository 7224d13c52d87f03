"""The directory: what the gateways of one site believe, signed by the issuing key (docs/formats.md, adr/0019). Pure.

    directory := CBOR [version, site, issued, recipients, centres, roots, revoked, enrol, time, chain]
                 and a 64-byte Ed25519 signature of the issuing key over "wardlink directory 1" and the CBOR
    chain     := certificates in DER: the issuing one, then what leads to the root; the root itself need not be there

It carries all that is needed to believe it, so any road will do. What a gateway compares itself: `version` grows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import cbor2
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wire import cbor, chain, keys
from wire.chain import ChainError
from wire.topics import is_name
from wire.voucher import is_url

SIGNATURE_BYTES = 64
DIRECTORY_LIMIT_BYTES = 65536
RECIPIENTS_LIMIT_COUNT = 16
CENTRES_LIMIT_COUNT = 4
ROOTS_LIMIT_COUNT = 4
REVOKED_LIMIT_COUNT = 1000
_NUMBERS = 1 << 62
_LABEL = b"wardlink directory 1"
_PORT = re.compile(r"[A-Za-z0-9.:\[\]-]{1,120}:[0-9]{1,5}\Z")


class DirectoryError(Exception):
    """The bytes are no directory for us; says why."""


class Listed(msgspec.Struct, frozen=True, array_like=True):
    """Somebody who may open: `key` is the text form of a recipient (`xwing:...`). `name` serves as a file's name."""

    name: str
    role: Literal["hospital", "centre"]
    key: str


class Directory(msgspec.Struct, frozen=True, array_like=True):
    """`issued`: microseconds since 1970. `centres`: keys (`ed25519:...`) of receipts, commands and time. `roots`: DER.

    `revoked`: ids of gateways. `enrol`: https address of the enrolment endpoint, or "". `time`: host:port, or "".
    """

    version: int
    site: str
    issued: int
    recipients: list[Listed]
    centres: list[str]
    roots: list[bytes]
    revoked: list[str]
    enrol: str
    time: str


def sign(signer: Ed25519PrivateKey, to_root: Sequence[bytes], directory: Directory) -> bytes:
    """`to_root`: the issuing certificate and what leads to the root. Raises DirectoryError: nobody would take it."""
    _check(directory)
    body = cbor2.dumps([*msgspec.to_builtins(directory, builtin_types=(bytes,)), list(to_root)])
    data = body + signer.sign(_LABEL + body)
    if len(data) > DIRECTORY_LIMIT_BYTES:
        raise DirectoryError(f"{len(data)} bytes; a directory has at most {DIRECTORY_LIMIT_BYTES}")
    return data


def read(roots: Sequence[bytes], site: str, data: bytes) -> Directory:
    """Verify with one of the `roots` that are held (DER), and read. Raises DirectoryError."""
    if not SIGNATURE_BYTES < len(data) <= DIRECTORY_LIMIT_BYTES:
        raise DirectoryError(f"{len(data)} bytes is no size of a directory")
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    directory, to_root = _parts(body)
    try:
        signer = chain.authority(to_root, roots)
    except ChainError as error:
        raise DirectoryError(str(error)) from error
    if not keys.verifies(signer, signature, _LABEL + body):
        raise DirectoryError("the signature is not the issuing key's")
    if directory.site != site:
        raise DirectoryError(f"it is for the site {directory.site}, not {site}")
    return directory


def is_port(text: str) -> bool:
    """Whether it is `host:port`."""
    return _PORT.match(text) is not None


def _parts(body: bytes) -> tuple[Directory, list[bytes]]:
    try:
        parts = cbor.loads(body)
        if type(parts) is not list or len(parts) != len(Directory.__struct_fields__) + 1:
            raise DirectoryError("not a directory of this version")
        to_root = msgspec.convert(parts.pop(), type=list[bytes], builtin_types=(bytes,))
        directory = msgspec.convert(parts, type=Directory, builtin_types=(bytes,))
    except (cbor.CBORError, msgspec.ValidationError) as error:
        raise DirectoryError(f"not a directory: {error}") from error
    _check(directory)
    return directory, to_root


def _check(directory: Directory) -> None:
    names = [listed.name for listed in directory.recipients]
    if not all(map(is_name, (directory.site, *names, *directory.revoked))) or len(set(names)) != len(names):
        raise DirectoryError("a name that is none, or is there twice")
    for found, limit, what in (
        (len(names), RECIPIENTS_LIMIT_COUNT, "recipients"),
        (len(directory.centres), CENTRES_LIMIT_COUNT, "centres"),
        (len(directory.roots), ROOTS_LIMIT_COUNT, "roots"),
    ):
        if not 0 < found <= limit:
            raise DirectoryError(f"{found} {what}; it needs 1 to {limit}")
    if len(directory.revoked) > REVOKED_LIMIT_COUNT:
        raise DirectoryError("too many revoked gateways")
    if not 0 < directory.version < _NUMBERS or not 0 <= directory.issued < _NUMBERS:
        raise DirectoryError("a version or time that is none")
    if (directory.enrol and not is_url(directory.enrol)) or (directory.time and not is_port(directory.time)):
        raise DirectoryError("an address that is none")
    try:
        for listed in directory.recipients:
            keys.recipient(listed.key)
        for centre in directory.centres:
            keys.verifier(centre)
        for root in directory.roots:
            chain.key_of(chain.certificate(root))
    except (keys.KeyFormatError, ChainError) as error:
        raise DirectoryError(f"a key that is none: {error}") from error
