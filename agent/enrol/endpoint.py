"""The enrolment endpoint of the centre, over HTTPS: `cacerts` as EST has it (RFC 7030, 4.1), and our own requests.

Trust begins at the hash of a root, which the voucher names. The roots are fetched once from whoever answers there; only
the one that has this hash is believed, and everything that is secret goes through TLS that ends at it.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from wire.request import TEXT_LIMIT_LETTERS, RequestError, from_text, to_text

TIME_LIMIT_S = 60.0
ROOTS_LIMIT_BYTES = 65536
_NO_CHECK_TIME = 0x200000  # x509_vfy.h; Python has no name for it
_CLOCK = frozenset({9, 10})  # x509_vfy.h: not valid yet, expired
_NAME = frozenset({62, 64})
_ADDRESS = "check the address that the centre gave"


Known = tuple[int, int]
Open = Callable[[str, int, float], socket.socket]  # (host, port, seconds for each step)


class EndpointError(Exception):
    """The endpoint gave no answer that can be used. `final`: trying again does not help."""

    def __init__(self, message: str, hint: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.final = final


def ask(url: str, roots: Iterable[bytes], request: bytes, known: Known | None, opens: Open | None = None) -> bytes:
    """The answer to a request (wire/request.py). `roots`: DER. Raises EndpointError.

    `known`: it is surely between these, microseconds since 1970, and the certificates must hold then: the system's
    clock may never have been set. None: nobody knows better than that clock, and OpenSSL asks it. `opens` makes the
    connection where a proxy is in the way; it raises EndpointError.
    """
    context = _context()
    if known is not None:
        context.verify_flags |= _NO_CHECK_TIME
    context.load_verify_locations(cadata="".join(map(ssl.DER_cert_to_PEM_cert, roots)))
    body = to_text("REQUEST", request).encode()
    data = _talk(url, "wardlink/1/request", context, body, TEXT_LIMIT_LETTERS, known, opens)
    try:
        return from_text("ANSWER", data.decode("ascii", "replace"))
    except RequestError as error:
        raise EndpointError(f"what {urlsplit(url).netloc} sent is no answer: {error}", _ADDRESS) from error


def root(url: str, fingerprint: bytes, opens: Open | None = None) -> bytes:
    """The root (DER) that has this SHA-256. `opens` as for `ask`. Raises EndpointError."""
    anybody = _context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE  # RFC 7030, 4.1.1: what comes is public, and held against the fingerprint
    data = _talk(url, ".well-known/est/cacerts", anybody, None, ROOTS_LIMIT_BYTES, None, opens)
    for der in _certificates(data):
        if hashlib.sha256(der).digest() == fingerprint:
            return der
    what = f"{urlsplit(url).netloc} has another root than the voucher names"
    hint = "is it the right centre? a firewall that opens TLS must make an exception; or ask for another voucher"
    raise EndpointError(what, hint, final=True)


def _certificates(data: bytes) -> list[bytes]:
    try:
        found = pkcs7.load_pem_pkcs7_certificates(b"-----BEGIN PKCS7-----\n%b\n-----END PKCS7-----\n" % data.strip())
    except ValueError as error:
        raise EndpointError("what answers there is no enrolment endpoint", _ADDRESS) from error
    return [one.public_bytes(Encoding.DER) for one in found]


def _context() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    return made


class _Link(http.client.HTTPSConnection):
    """Looks at the dates of the other side's chain before anything is said."""

    known: Known | None = None
    opens: Open | None = None
    context: ssl.SSLContext

    def connect(self) -> None:
        if self.opens is None:
            super().connect()
        else:
            self.sock = self.context.wrap_socket(
                self.opens(self.host, self.port, TIME_LIMIT_S), server_hostname=self.host
            )
        if self.known is not None:
            assert isinstance(self.sock, ssl.SSLSocket)
            _check_dates(_chain(self.sock), self.known, self.host)


def _check_dates(chain: Iterable[bytes], known: Known, where: str) -> None:
    """All of it must hold at each moment that it may be now. Raises EndpointError."""
    for one in map(x509.load_der_x509_certificate, chain):
        begins, ends = one.not_valid_before_utc.timestamp() * 1e6, one.not_valid_after_utc.timestamp() * 1e6
        if known[0] < begins or known[1] > ends:
            when = datetime.fromtimestamp(known[0] / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")
            what = f"a certificate of {where} does not hold now, at {when}"
            raise EndpointError(what, f"it holds from {one.not_valid_before_utc} to {one.not_valid_after_utc}")


def _chain(sock: ssl.SSLSocket) -> list[bytes]:
    """As it was verified, DER each."""
    if hasattr(sock, "get_verified_chain"):  # 3.13
        return list(sock.get_verified_chain())
    found = sock._sslobj.get_verified_chain()  # type: ignore[attr-defined]
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in found]


def _talk(
    url: str,
    path: str,
    context: ssl.SSLContext,
    body: bytes | None,
    limit_bytes: int,
    known: Known | None,
    opens: Open | None,
) -> bytes:
    parts = urlsplit(url)
    place = f"{parts.path.rstrip('/')}/{path}"
    try:
        link = _Link(parts.hostname or "", parts.port, timeout=TIME_LIMIT_S, context=context)
        link.known, link.opens, link.context = known, opens, context
        try:
            link.request("GET" if body is None else "POST", place, body, _headers(body))
            answer = link.getresponse()
            data = answer.read(limit_bytes + 1)
        finally:
            link.close()
    except (OSError, http.client.HTTPException) as error:
        raise _explained(error, parts.netloc) from error
    if answer.status != http.HTTPStatus.OK:
        raise _refused(answer.status, data, parts.netloc)
    if len(data) > limit_bytes:
        raise EndpointError(f"{parts.netloc} sent more than {limit_bytes} bytes", _ADDRESS)
    return data


def _headers(body: bytes | None) -> dict[str, str]:
    return {} if body is None else {"Content-Type": "text/plain"}


class _Said(msgspec.Struct):
    """How the endpoint refuses: in a word. Why stands in its own audit log."""

    error: str


_VOUCHER = "ask the centre for a new voucher: wardlink enrol"
_WORDS = {
    "voucher": ("the centre refuses the voucher", f"it is unknown, used, withdrawn or too old: {_VOUCHER}"),
    "expired": ("the last certificate expired more than 180 days ago", _VOUCHER),
    "gateway": ("the centre does not know this gateway", _VOUCHER),
    "revoked": ("the centre has revoked this gateway", "ask the centre why; to be let in again it is wiped first"),
    "site": ("the centre knows this gateway at another site", "correct site in gateway.toml, or ask the centre"),
    "request": ("the centre cannot read the request", "is wardlink there and here of the same version?"),
    "often": ("the centre was asked too often", "try again in some minutes"),
    "late": ("the request came too slowly", "try again; or enrol with a stick"),
    "busy": ("the centre cannot answer now", "try again later; its log says why"),
}
_PASSING = ("often", "late", "busy")


def _refused(status: int, data: bytes, where: str) -> EndpointError:
    try:
        word = msgspec.json.decode(data, type=_Said).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        word = ""
    if word not in _WORDS:
        return EndpointError(f"{where} answers {status}: no enrolment endpoint", _ADDRESS)
    return EndpointError(*_WORDS[word], final=word not in _PASSING)


def _explained(error: Exception, where: str) -> EndpointError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrusted(error, where)
    if isinstance(error, socket.gaierror):
        return EndpointError(f"the name of {where} cannot be resolved", "the network's DNS; or enrol with a stick")
    if isinstance(error, ConnectionRefusedError):
        return EndpointError(f"{where} refuses connections", "is the endpoint running? or enrol with a stick")
    if isinstance(error, TimeoutError):
        return EndpointError(f"{where} does not answer", "the network, or its firewall; or enrol with a stick")
    if isinstance(error, ssl.SSLError | http.client.HTTPException):
        return EndpointError(f"{where} does not speak HTTPS as we do: {error}", _ADDRESS)
    return EndpointError(f"the link to {where} broke: {error}", "try again; or enrol with a stick")


def _distrusted(error: ssl.SSLCertVerificationError, where: str) -> EndpointError:
    if error.verify_code in _CLOCK:
        what = f"by this machine's clock the certificate of {where} is not valid: {error.verify_message}"
        return EndpointError(what, "set the clock (`date` shows it) and try again; a stick needs no clock")
    if error.verify_code in _NAME:
        return EndpointError(
            f"the certificate of {where} is for another name", "the centre must renew it with this name"
        )
    what = f"the certificate of {where} does not end at the root that is trusted: {error.verify_message}"
    return EndpointError(what, "a firewall that opens TLS must make an exception; or enrol with a stick")
