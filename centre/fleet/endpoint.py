"""The enrolment endpoint: EST's shape (RFC 7030), and our own requests and directories, in one application.

GET  /.well-known/est/cacerts          roots and issuing certificates            (RFC 7030, section 4.1)
POST /.well-known/est/simpleenroll     HTTP Basic: a voucher's name and secret   (section 4.2)
POST /.well-known/est/simplereenroll   the CSR is signed by the gateway's key    (section 4.2.2)
POST /wardlink/1/request               a request, as bytes or as the block of a stick; gives an answer of the same kind
GET  /wardlink/1/directory/SITE        the newest directory of a site

To outsiders a refusal is a word and a hint; why is in the audit log. A renewal needs no TLS certificate: the key that
signs the request is what was enrolled, and a certificate may have expired.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Awaitable, Callable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from centre import clock
from centre.fleet import answering, lists, signing
from centre.fleet.fleet import Fleet, RefusedError
from centre.fleet.limiter import Limiter, neighbourhood
from centre.fleet.store import FleetError
from wire import request as asking
from wire.request import CSR_LIMIT_BYTES, REQUEST_LIMIT_BYTES, RequestError
from wire.topics import is_name
from wire.voucher import SECRET_BYTES

BODY_LIMIT_BYTES = 2 * max(CSR_LIMIT_BYTES, REQUEST_LIMIT_BYTES)
BODY_LIMIT_S = 15
RETRY_S = 60
_LOG = logging.getLogger("wardlink.fleet")
_HINTS = {
    "voucher": "ask the centre for a new voucher",
    "expired": "the last certificate is too old: enrol with a voucher",
    "gateway": "enrol with a voucher first",
    "revoked": "this gateway was revoked: ask the centre",
    "site": "this gateway belongs to another site: ask the centre",
    "request": "not a request that proves itself: make it again",
    "often": f"try again in {RETRY_S} s",
    "late": "the request did not come in time: try again",
    "size": "too long for a request",
    "busy": "the centre cannot answer now: try again later",
    "nothing": "there is nothing here",
}
_STATUS = {"request": 400, "nothing": 404, "late": 408, "size": 413, "often": 429, "busy": 503}
_Answering = Callable[[Request], Awaitable[Response]]


class Endpoint:
    """`app` is the ASGI application. `before` is called at each request (the listener renews its certificate there)."""

    def __init__(self, fleet: Fleet, before: Callable[[], None] = lambda: None) -> None:
        self._fleet = fleet
        self._before = before
        self._all = Limiter(burst=200, every_s=0.05)
        self._each = Limiter(burst=60, every_s=1.0)
        self._vouchers = Limiter(burst=10, every_s=60.0)
        fleet.refusals = Limiter(burst=1000, every_s=10.0)  # at most 4 MB a day of the log
        est = "/.well-known/est"
        self.app = Starlette(
            routes=[
                Route(f"{est}/cacerts", self._guarded(self._cacerts), methods=["GET"]),
                Route(f"{est}/simpleenroll", self._guarded(self._simpleenroll), methods=["POST"]),
                Route(f"{est}/simplereenroll", self._guarded(self._simplereenroll), methods=["POST"]),
                Route("/wardlink/1/request", self._guarded(self._request), methods=["POST"]),
                Route("/wardlink/1/directory/{site}", self._guarded(self._directory), methods=["GET"]),
            ]
        )

    def _guarded(self, inner: _Answering) -> _Answering:
        async def answer(request: Request) -> Response:
            try:
                self._pace(request)
                await run_in_threadpool(self._before)
                return await inner(request)
            except RefusedError as refused:
                return _refusal(refused.word)
            except FleetError as error:
                _LOG.error("%s hint=%s", error, error.hint)
                return _refusal("busy")

        return answer

    def _pace(self, request: Request) -> None:
        now_s = clock.monotonic_s()
        if not self._each.allows(neighbourhood(_host(request)), now_s) or not self._all.allows("", now_s):
            raise RefusedError("often", "asked too often")

    async def _cacerts(self, _: Request) -> Response:
        def known() -> list[bytes]:
            with self._fleet.reading() as db:
                return [*signing.chain(db), *signing.roots(db)]

        return _pkcs7(await run_in_threadpool(known), "application/pkcs7-mime")

    async def _simpleenroll(self, request: Request) -> Response:
        if "authorization" not in request.headers:  # RFC 7030, 3.2.3: a client may wait to be asked
            return _refusal("voucher", {"WWW-Authenticate": 'Basic realm="wardlink"'}, 401)
        name, secret = _basic(request)
        if not self._vouchers.allows(name, clock.monotonic_s()):
            raise RefusedError("often", "a voucher tried too often")
        csr = _unbase64(await _body(request))

        def given() -> bytes:
            with self._fleet.act(_who(request), clock.utc_us()) as act:
                return answering.enrol(act, _key(csr), name, secret, None)

        return _certs_only(await run_in_threadpool(given))

    async def _simplereenroll(self, request: Request) -> Response:
        csr = _unbase64(await _body(request))

        def given() -> bytes:
            with self._fleet.act(_who(request), clock.utc_us()) as act:
                return answering.renew(act, _key(csr), None)

        return _certs_only(await run_in_threadpool(given))

    async def _request(self, request: Request) -> Response:
        body = await _body(request)
        block = body.lstrip().startswith(b"-----BEGIN")
        data = _unblocked(body) if block else body
        made = await run_in_threadpool(answering.answer, self._fleet, data, _who(request), clock.utc_us())
        if block:
            return PlainTextResponse(asking.to_text("ANSWER", made))
        return Response(made, media_type="application/octet-stream")

    async def _directory(self, request: Request) -> Response:
        site = request.path_params["site"]

        def newest() -> bytes:
            with self._fleet.reading() as db:
                return lists.newest(db, site)[1] if is_name(site) else b""

        data = await run_in_threadpool(newest)
        return Response(data, media_type="application/octet-stream") if data else _refusal("nothing")


def _key(csr: bytes) -> answering.Key:
    try:
        return answering.key_in(csr)
    except RequestError as error:
        raise RefusedError("request", str(error)) from error


def _basic(request: Request) -> tuple[str, bytes]:
    """(a voucher's name, its secret) of the header, RFC 7617. Raises RefusedError."""
    scheme, _, said = request.headers.get("authorization", "").partition(" ")
    try:
        name, _, secret = base64.b64decode(said, validate=True).decode("ascii").partition(":")
        data = base64.b32decode(secret.strip().upper())
    except ValueError as error:
        raise RefusedError("voucher", "no voucher in the header") from error
    if scheme.lower() != "basic" or len(data) != SECRET_BYTES or len(name) > 64:
        raise RefusedError("voucher", "no voucher in the header")
    return name, data


async def _body(request: Request) -> bytes:
    """Raises RefusedError."""
    body = b""
    try:
        async with asyncio.timeout(BODY_LIMIT_S):
            async for part in request.stream():
                body += part
                if len(body) > BODY_LIMIT_BYTES:
                    raise RefusedError("size", "the body is too long")
    except TimeoutError as error:
        raise RefusedError("late", "the body did not come") from error
    return body


def _unblocked(body: bytes) -> bytes:
    try:
        return asking.from_text("REQUEST", body.decode("ascii"))
    except (RequestError, UnicodeDecodeError) as error:
        raise RefusedError("request", "no block WARDLINK REQUEST") from error


def _unbase64(body: bytes) -> bytes:
    """What EST sends (RFC 8951: base64, whatever the header says). Raises RefusedError."""
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error as error:
        raise RefusedError("request", "not base64") from error


def _certs_only(der: bytes) -> Response:
    return _pkcs7([der], "application/pkcs7-mime; smime-type=certs-only")


def _pkcs7(ders: list[bytes], kind: str) -> Response:
    packed = pkcs7.serialize_certificates([x509.load_der_x509_certificate(der) for der in ders], Encoding.DER)
    return Response(base64.encodebytes(packed), media_type=kind, headers={"Content-Transfer-Encoding": "base64"})


def _refusal(word: str, headers: dict[str, str] | None = None, status: int = 403) -> Response:
    more = {"Retry-After": str(RETRY_S)} if word in ("often", "busy") else headers
    return JSONResponse({"error": word, "hint": _HINTS[word]}, _STATUS.get(word, status), more)


def _who(request: Request) -> str:
    return f"network {_host(request)}"


def _host(request: Request) -> str:
    return request.client.host if request.client else ""
