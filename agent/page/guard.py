"""Who may talk to the bedside page, and what a browser may do with it (REQUIREMENTS attack row 19).

A stranger's page that names our address (DNS rebinding) is refused by its name: ours are the address that was
connected to, `wardlink.local` and what is configured. A deed must come from our own page: Origin, or Referer where a
browser sends no Origin, is the very host it goes to. Nothing may frame us, nothing foreign is loaded or kept.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("wardlink.local", "wardlink", "localhost")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Connection": "close",
}
BODY_LIMIT_BYTES = 8192
TARGET_LIMIT_BYTES = 1024
_METHODS = ("GET", "HEAD", "POST")


class Guard:
    """ASGI layer around the page. `hosts` are names without a port."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in (*HOSTS, *hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no sockets, and no lifespan to keep

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
                MutableHeaders(scope=message).setdefault("Cache-Control", "no-store")
            await send(message)

        await (self._refusal(scope) or self._app)(scope, _limited(receive), guarded)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        if len(scope["raw_path"]) + len(scope["query_string"]) > TARGET_LIMIT_BYTES:
            return PlainTextResponse("too long", 414)
        if not self._is_host_ours(scope, headers):
            return PlainTextResponse("this name is not served here", 421)
        if scope["method"] not in _METHODS:
            return PlainTextResponse("only GET, HEAD and POST exist here", 405, {"Allow": ", ".join(_METHODS)})
        if scope["method"] == "POST" and not is_own(headers):
            return PlainTextResponse("not from our own page", 403)
        return None

    def _is_host_ours(self, scope: Scope, headers: Headers) -> bool:
        named = headers.getlist("host")
        host = host_of(f"//{named[0]}") if len(named) == 1 else None
        server = scope.get("server")
        return host is not None and (host in self._hosts or (server is not None and _same(host, server[0])))


def is_own(headers: Headers) -> bool:
    """Whether a browser says that a form is of the host that it sends it to."""
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    said = headers.getlist("origin") or headers.getlist("referer")
    if len(said) != 1:
        return False
    scheme, _, rest = said[0].partition("://")
    return scheme in ("http", "https") and rest.partition("/")[0].lower() == headers["host"].lower()


def host_of(url: str) -> str | None:
    """The host of a URL in lower case, without port; None where it cannot be read or names a user."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return None if "@" in parts.netloc or parts.path or parts.query else parts.hostname


def _same(host: str, address: str) -> bool:
    """Whether a host is this very address, however either is written (`::ffff:10.0.0.5` is `10.0.0.5`)."""
    try:
        one, other = (ipaddress.ip_address(text.partition("%")[0]) for text in (host, address))
    except ValueError:
        return False
    return _plain(one) == _plain(other)


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return getattr(address, "ipv4_mapped", None) or address


def _limited(receive: Receive) -> Receive:
    left = BODY_LIMIT_BYTES

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, "too long")
        return message

    return counted
