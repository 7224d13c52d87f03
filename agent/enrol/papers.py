"""What the gateway writes to be enrolled, and what it takes of an answer or a directory: bytes in, contents out.

Pure. Nothing is taken that does not end at a root that a voucher names or that is held already; time takes no part.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterable, Mapping

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from agent.enrol.places import (
    ASKED_FILE,
    CENTRES_FILE,
    CERTIFICATE_FILE,
    DIRECTORY_FILE,
    ENROLLED_FILE,
    ROOTS_FILE,
    WIPED_FILE,
)
from agent.enrol.standing import Asked, Enrolled
from wire import directory, request
from wire.directory import Directory, DirectoryError
from wire.keys import gateway_id
from wire.request import Answer, Request, RequestError
from wire.voucher import Voucher

BOARD_LETTERS = request.BOARD_LIMIT_LETTERS
Contents = Mapping[str, bytes | None]


class RefusedError(Exception):
    """What came is not taken, and nothing has changed; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def asking(signer: Ed25519PrivateKey, site: str, voucher: Voucher | None, nonce: bytes, board: str, now: int) -> bytes:
    """A request, with a voucher for enrolment, without for renewal. `now`: the wall clock in us, whatever it says."""
    gateway = gateway_id(signer.public_key())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(signer, None).public_bytes(Encoding.DER)
    secret = voucher.secret if voucher else b""
    said = Request("enrol" if voucher else "renew", site, csr, secret, nonce, max(0, now), board[:BOARD_LETTERS])
    return request.sign(signer, said)


def answered(
    asked: Asked, held: bytes, last: Enrolled | None, old: Iterable[str], data: bytes
) -> tuple[Enrolled, Contents]:
    """What an answer makes of the keys folder. `held`: ca.crt; `last`: what was enrolled before; `old`: recipients.

    Raises RefusedError.
    """
    roots = ders(held)
    try:
        answer = request.read_answer(asked.root or roots, data)
    except RequestError as error:
        raise RefusedError(f"the answer is refused: {error}", _foreign(asked)) from error
    _check_ours(asked, answer)
    found = _read(answer.roots, asked.site, answer.directory)
    anew = last is None or last.site != asked.site or (asked.root != b"" and not _trusts(asked.root, roots))
    begins, ends = _life(answer.chain[0])
    files: dict[str, bytes | None] = {
        CERTIFICATE_FILE: _pem(answer.chain),
        ASKED_FILE: None,
        WIPED_FILE: None,
    }
    if not anew and last is not None and found.version < last.version:  # it is older than what we believe already
        enrolled = msgspec.structs.replace(last, begins=begins, ends=ends)
    else:
        revoked = asked.gateway in found.revoked
        url = found.enrol or asked.url
        enrolled = Enrolled(asked.site, asked.gateway, found.version, begins, ends, url, found.time, revoked)
        files |= _believed(found, answer.directory, old)
    return enrolled, {**files, ENROLLED_FILE: msgspec.json.encode(enrolled)}


def directed(held: bytes, last: Enrolled, old: Iterable[str], data: bytes) -> tuple[Enrolled, Contents]:
    """What a directory alone makes of it; no contents where it is the one that we have. Raises RefusedError."""
    found = _read(ders(held), last.site, data)
    if found.version < last.version:
        what = f"the directory is older ({found.version}) than the one that is held ({last.version})"
        raise RefusedError(what, "send the newest")
    if found.version == last.version:
        return last, {}
    enrolled = msgspec.structs.replace(
        last, version=found.version, url=found.enrol or last.url, time=found.time, revoked=last.gateway in found.revoked
    )
    return enrolled, {**_believed(found, data, old), ENROLLED_FILE: msgspec.json.encode(enrolled)}


def _check_ours(asked: Asked, answer: Answer) -> None:
    if answer.gateway != asked.gateway:
        what = f"the answer is for gateway {answer.gateway}, not for {asked.gateway}"
        raise RefusedError(what, "each gateway has its own request and answer")
    if answer.nonce != asked.nonce:
        raise RefusedError("the answer is to another request of this gateway", "take the answer to the last one")


def _read(roots: Iterable[bytes], site: str, data: bytes) -> Directory:
    try:
        return directory.read(list(roots), site, data)
    except DirectoryError as error:
        hint = "is it for this hospital (site in gateway.toml), and of the centre that enrolled this gateway?"
        raise RefusedError(f"the directory is refused: {error}", hint) from error


def _believed(found: Directory, data: bytes, old: Iterable[str]) -> dict[str, bytes | None]:
    recipients = {f"recipients/{one.name}.pub": f"{one.key}\n".encode() for one in found.recipients}
    gone: dict[str, bytes | None] = {f"recipients/{name}": None for name in old}
    return {
        **gone,
        **recipients,
        ROOTS_FILE: _pem(found.roots),
        CENTRES_FILE: "".join(f"{one}\n" for one in found.centres).encode(),
        DIRECTORY_FILE: data,
    }


def _foreign(asked: Asked) -> str:
    if asked.root:
        return "the answer and the voucher must come from the same centre: ask it for both again"
    return "the gateway believes only roots that it holds (ca.crt): ask the centre for a voucher"


def _trusts(root: bytes, roots: Iterable[bytes]) -> bool:
    return any(hashlib.sha256(der).digest() == root for der in roots)


def _life(der: bytes) -> tuple[int, int]:
    """Microseconds since 1970: from when, until when."""
    leaf = x509.load_der_x509_certificate(der)
    begins, ends = leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()
    return int(begins) * 1_000_000, int(ends) * 1_000_000


def ders(pem: bytes) -> list[bytes]:
    """The certificates of a PEM file. Raises RefusedError."""
    try:
        return [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(pem)] if pem.strip() else []
    except ValueError as error:
        raise RefusedError("ca.crt holds what is no certificate", "remove it and enrol with a voucher") from error


def _pem(chain: Iterable[bytes]) -> bytes:
    return "".join(map(ssl.DER_cert_to_PEM_cert, chain)).encode("ascii")
