"""Who may talk to the pages, and what a browser may do with them.

Host names are checked against a list (DNS rebinding: a stranger's page that names our address), sockets only open
for our own origin, only reading methods exist besides coming in and leaving, which our own pages alone may ask for
(nothing to forge), and every answer forbids frames, foreign scripts, guessed types and referrers (REQUIREMENTS attack
row 19).
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_METHODS = ("GET", "HEAD")  # HEAD: only files answer it
_POSTED = ("/login", "/logout")
_POLICY_VIOLATION = 1008


class Guard:
    """ASGI layer around the whole application. `hosts` are names or addresses without a port."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
                MutableHeaders(scope=message).setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        if not self._is_host_ours(scope):
            return _problem(421, "this host name is not served here", "add it to the hosts the pages are served under")
        if scope["method"] == "POST" and scope["path"] in _POSTED:
            if Headers(scope=scope).get("origin") and self._is_origin_ours(scope):
                return None
            return _problem(403, "this was not asked by a page of ours", "log in at /login")
        if scope["method"] not in _METHODS:
            return _problem(
                405, f"only {' and '.join(_METHODS)} exist here", "nothing can be changed over this interface"
            )
        return None

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_host_ours(scope) and self._is_origin_ours(scope):
            await self._app(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": "host or origin is not ours"})

    def _is_host_ours(self, scope: Scope) -> bool:
        named = Headers(scope=scope).getlist("host")
        return len(named) == 1 and host_of(f"//{named[0]}") in self._hosts

    def _is_origin_ours(self, scope: Scope) -> bool:
        """A program sends no Origin; a browser always does, and it must be the very host and port it talks to."""
        headers = Headers(scope=scope)
        origins = headers.getlist("origin")
        if not origins:
            return True
        parts = origins[0].partition("://")
        return len(origins) == 1 and parts[0] in ("http", "https") and parts[2].lower() == headers["host"].lower()


def host_of(url: str) -> str | None:
    """The host name of a URL, without port and user; None where it cannot be read."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return None if "@" in parts.netloc else parts.hostname


def _problem(status: int, error: str, hint: str) -> JSONResponse:
    return JSONResponse({"error": error, "hint": hint}, status_code=status)
