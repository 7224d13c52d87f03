"""The audit log: one line of JSON an entry, each with the hash of all before it and the gateway's signature. Pure.

    line := body with `,"hash":"<43>","sign":"<86>"}` in the place of its last `}`          ASCII, base64url without `=`
    hash := SHA-256("wardlink audit 1" || the hash before || body)                          32 zero bytes before entry 0
    sign := Ed25519 of the gateway over "wardlink audit 1" || hash

A log is kept in parts. The first entry of each is called `part` and says the gateway's key, the hash before it, and the
number of the oldest entry that was still kept. So a part can be verified alone, and what was removed is said.
Texts are bounded and escaped here, whoever wrote them: a line holds no control letter, no newline, nothing but ASCII.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire import keys

LINE_LIMIT_BYTES = 32768
TEXT_LIMIT_LETTERS = 200
DETAILS_LIMIT_COUNT = 8
PART = "part"
NO_HASH = bytes(32)
_LABEL = b"wardlink audit 1"
_HASH_LETTERS, _SIGN_LETTERS = 43, 86
_HASH_AT, _SIGN_AT = b',"hash":"', b'","sign":"'
_END_BYTES = len(_HASH_AT) + _HASH_LETTERS + len(_SIGN_AT) + _SIGN_LETTERS + len(b'"}')


class AuditError(Exception):
    """The log is not what its gateway wrote: `n` is the number of the first entry that does not hold."""

    def __init__(self, n: int, why: str) -> None:
        super().__init__(f"entry {n}: {why}")
        self.n = n
        self.why = why


class Entry(msgspec.Struct, frozen=True):
    """Who did what. `t` is microseconds of the monotonic clock within `epoch`; `utc` since 1970, None: not known."""

    n: int
    epoch: int
    t: int
    utc: int | None
    who: str
    what: str
    detail: dict[str, str]


class Head(msgspec.Struct, frozen=True):
    """What a log has come to: `count` entries were ever written, the last has `hash`; kept is from `first` on."""

    count: int
    hash: bytes
    first: int = 0

    def text(self) -> str:
        return f"{self.count}:{_b64(self.hash)}"


def head(text: str) -> Head:
    """The opposite of `Head.text`. Raises AuditError."""
    count, _, digest = text.strip().partition(":")
    if not count.isdecimal() or not (found := _unb64(digest.encode("ascii", "replace"), 32)):
        raise AuditError(0, "no head of a log: it is <count>:<43 letters>")
    return Head(int(count), found)


def line(signer: Ed25519PrivateKey, previous: bytes, entry: Entry) -> str:
    """The entry as it stands in the file, without the newline; `previous` is the hash of the line before."""
    body = _body(entry)
    digest = _hash(previous, body)
    sign = signer.sign(_LABEL + digest)
    made = body[:-1] + _HASH_AT + _b64(digest).encode() + _SIGN_AT + _b64(sign).encode() + b'"}'
    assert len(made) <= LINE_LIMIT_BYTES, "texts and their number are bounded"
    return made.decode("ascii")


def part(key: Ed25519PublicKey, previous: bytes, oldest: int) -> dict[str, str]:
    """The detail of a part's first entry."""
    return {"key": keys.verifier_text(key), "previous": _b64(previous), "from": str(oldest)}


def read(data: bytes) -> tuple[Entry, bytes]:
    """(entry, its hash) of a line, not verified. Raises AuditError."""
    body, digest, _ = _split(data, 0)
    return _entry(body, 0), digest


def key_of(lines: Iterable[bytes]) -> Ed25519PublicKey:
    """The key that the first line says it is signed with; its id is the gateway's. Raises AuditError."""
    for data in lines:
        entry = read(data)[0]
        try:
            return keys.verifier(entry.detail.get("key", ""))
        except keys.KeyFormatError as error:
            raise AuditError(entry.n, "the first entry does not say the key") from error
    raise AuditError(0, "the log is empty")


def verify(lines: Iterable[bytes], key: Ed25519PublicKey, against: Head | None = None) -> Head:
    """Prove the lines, parts one after the other. Raises AuditError.

    `against`: a head that somebody else kept; the log must have come through it.
    """
    found: Head | None = None
    oldest, missed = 0, against
    for data in lines:
        n = found.count if found else 0
        body, digest, sign = _split(data, n)
        entry = _entry(body, n)
        previous = _before(entry) if found is None else found.hash
        if found is not None and entry.n != n:
            raise AuditError(n, f"entry {entry.n} stands in its place")
        if digest != _hash(previous, body):
            raise AuditError(entry.n, "it was altered, or the one before it")
        if not keys.verifies(key, sign, _LABEL + digest):
            raise AuditError(entry.n, "the signature is not this gateway's")
        oldest = _oldest(entry) if entry.what == PART else oldest
        found = Head(entry.n + 1, digest, found.first if found else entry.n)
        if missed is not None and missed.count == found.count:
            if missed.hash != found.hash:
                raise AuditError(entry.n, "another entry was here when the head was kept")
            missed = None
    if found is None:
        raise AuditError(0, "the log is empty")
    if found.first > oldest:
        raise AuditError(oldest, "it was kept when the last part began, and is not here")
    if missed is not None and missed.count > found.count:
        raise AuditError(found.count, f"the log ends before it; {missed.count} entries were there")
    return found


def _before(entry: Entry) -> bytes:
    """What the first line of all says of the hash before it. Raises AuditError."""
    if entry.what != PART:
        raise AuditError(entry.n, "nothing is before it, and it begins no part")
    previous = _unb64(entry.detail.get("previous", "").encode("ascii", "replace"), 32)
    if not previous or (entry.n == 0 and previous != NO_HASH):
        raise AuditError(entry.n, "it does not say the hash before it")
    return previous


def _oldest(entry: Entry) -> int:
    said = entry.detail.get("from", "")
    if not said.isdecimal() or len(said) > TEXT_LIMIT_LETTERS:
        raise AuditError(entry.n, "it does not say what was kept")
    return int(said)


def _body(entry: Entry) -> bytes:
    details = list(entry.detail.items())
    kept = {_cut(word): _cut(text) for word, text in details[:DETAILS_LIMIT_COUNT]}
    said = msgspec.structs.replace(entry, who=_cut(entry.who), what=_cut(entry.what), detail=kept)
    text = json.dumps(msgspec.structs.asdict(said), ensure_ascii=True, separators=(",", ":"))
    return text.replace("\x7f", "\\u007f").encode("ascii")


def _cut(text: str) -> str:
    text = text[: TEXT_LIMIT_LETTERS + 1].encode("utf-8", "replace").decode("utf-8")  # half a letter is none
    return text if len(text) <= TEXT_LIMIT_LETTERS else text[: TEXT_LIMIT_LETTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _split(data: bytes, n: int) -> tuple[bytes, bytes, bytes]:
    """(body, hash, signature) of a line."""
    if not _END_BYTES < len(data) <= LINE_LIMIT_BYTES:
        raise AuditError(n, "it was cut short" if len(data) <= _END_BYTES else "it is too long")
    body, end = data[:-_END_BYTES] + b"}", data[-_END_BYTES:]
    at = len(_HASH_AT)
    digest, sign = end[at : at + _HASH_LETTERS], end[-2 - _SIGN_LETTERS : -2]
    found = _unb64(digest, 32), _unb64(sign, 64)
    if not all(found) or end != _HASH_AT + digest + _SIGN_AT + sign + b'"}':
        raise AuditError(n, "it was cut short or altered")
    return body, *found


def _entry(body: bytes, n: int) -> Entry:
    try:
        return msgspec.json.decode(body, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AuditError(n, "it is no entry") from error


def _hash(previous: bytes, body: bytes) -> bytes:
    return hashlib.sha256(_LABEL + previous + body).digest()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _unb64(text: bytes, size: int) -> bytes:
    """Empty where the text is not exactly what `_b64` makes of `size` bytes."""
    try:
        data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        return b""
    return data if len(data) == size and _b64(data).encode() == text else b""
