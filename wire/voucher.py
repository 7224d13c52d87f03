"""The voucher: one line that lets one gateway in, once, at one site (docs/formats.md, docs/adr/0019-trust.md). Pure.

    text  := "WL1-" base32(CBOR [site, expires, root, url, secret] || checksum)     upper case, without "="
    checksum := the first 4 bytes of SHA-256("wardlink voucher 1" || the CBOR)

All letters are of QR's alphanumeric mode. A reader takes small letters, and leaves out spaces and hyphens.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import cbor2
import msgspec

from wire import cbor
from wire.topics import is_name

SECRET_BYTES = 20
URL_LIMIT_LETTERS = 128
TEXT_LIMIT_LETTERS = 512
TIME_LIMIT_US = 1 << 62
_CHECKSUM_BYTES = 4
_MARK = "WL1"
_URL = re.compile(r"https://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?\Z")


class VoucherError(Exception):
    """The text is no voucher; says why, never what it held."""


class Voucher(msgspec.Struct, frozen=True, array_like=True):
    """`expires`: microseconds since 1970. `root`: SHA-256 of the root certificate's DER. `url`: where to enrol, or "".

    `secret` (20 bytes) is in no text but `text()`.
    """

    site: str
    expires: int
    root: bytes
    url: str
    secret: bytes

    @property
    def name(self) -> str:
        """What logs may say."""
        return name_of(self.secret)

    def text(self) -> str:
        assert not _fault(self), _fault(self)
        body = cbor2.dumps(msgspec.to_builtins(self, builtin_types=(bytes,)))
        return f"{_MARK}-{_base32(body + _checksum(body))}"

    def __repr__(self) -> str:
        return f"Voucher({self.name}, site={self.site!r})"


def name_of(secret: bytes) -> str:
    """16 hex letters that name a voucher without telling its secret."""
    return digest_of(secret).hex()[:16]


def digest_of(secret: bytes) -> bytes:
    """32 bytes: what the centre keeps of a secret."""
    return hashlib.sha256(b"wardlink voucher" + secret).digest()


def is_url(text: str) -> bool:
    """Whether it can name an enrolment endpoint: https, a host, a path; no name, password, query or fragment."""
    return len(text) <= URL_LIMIT_LETTERS and _URL.match(text) is not None


def read(text: str) -> Voucher:
    """Read what a person typed, scanned or copied. Raises VoucherError."""
    if len(text) > TEXT_LIMIT_LETTERS:
        raise VoucherError("too long for a voucher")
    letters = re.sub(r"[\s-]", "", text).upper()
    if not letters.startswith(_MARK):
        raise VoucherError(f"a voucher begins with {_MARK}-")
    body = _checked(letters.removeprefix(_MARK))
    try:
        voucher = msgspec.convert(cbor.loads(body), type=Voucher, builtin_types=(bytes,))
    except (cbor.CBORError, msgspec.ValidationError):
        raise VoucherError("whole, but not a voucher of this version") from None
    fault = _fault(voucher)
    if fault:
        raise VoucherError(fault)
    return voucher


def _checked(letters: str) -> bytes:
    try:
        data = base64.b32decode(letters.encode("ascii") + b"=" * (-len(letters) % 8))
    except ValueError:
        raise VoucherError("a letter that no voucher has: A to Z and 2 to 7") from None
    body, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if not hmac.compare_digest(checksum, _checksum(body)) or _base32(data) != letters:
        raise VoucherError("not as it was written: a letter is wrong or missing")
    return body


def _fault(voucher: Voucher) -> str:
    if not is_name(voucher.site):
        return "the site is not 1 to 24 of a-z, 0-9 and '-'"
    if len(voucher.root) != 32 or len(voucher.secret) != SECRET_BYTES:
        return "a root's hash has 32 bytes and a secret 20"
    if voucher.url and not is_url(voucher.url):
        return "the address to enrol at is not an https address"
    if not 0 <= voucher.expires < TIME_LIMIT_US:
        return "the expiry is no time"
    return ""


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(b"wardlink voucher 1" + body).digest()[:_CHECKSUM_BYTES]


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=")
