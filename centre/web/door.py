"""The door of pages and interfaces: who is it, may they, is it written down? Nothing passes before that is answered.

A browser has a session, by password or by the identity provider; a program sends `Authorization: Bearer <token>`.
Pages without a session lead to /login; interfaces answer 401. A socket is closed (4401) when its session ends. What
kind of thing was looked at, at which bed, is in the log before the first byte is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple
from urllib.parse import quote

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from centre.access import rights
from centre.access.looks import Looks, LooksError
from centre.access.people import People, Person
from centre.access.rights import Kind
from centre.access.sessions import LIFE_LIMIT_S, Sessions

COOKIE = "wardlink"
SESSION_ENDED = 4401  # close codes from 4000 on are the application's own
FORBIDDEN = 4403
_LOOK_EVERY_MESSAGES = 4


class Door(NamedTuple):
    """What the layer needs: `site_of` a gateway, None: unknown, for it is said to be missing by whoever is asked."""

    people: People
    sessions: Sessions
    looks: Looks
    site_of: Callable[[str], str | None]


def cookie(word: str, secure: bool) -> str:
    """The header that gives a browser its session, or takes it (`word` empty)."""
    life = int(LIFE_LIMIT_S) if word else 0
    return f"{COOKIE}={word}; Path=/; HttpOnly; SameSite=Lax; Max-Age={life}" + ("; Secure" if secure else "")


def word_of(headers: Headers) -> str:
    """The session's word that a browser sent; empty: none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


class Doorkeeper:
    """ASGI layer within `Guard`. Who passed is in `scope["person"]`."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path, headers = scope["path"], Headers(scope=scope)
        if rights.kind_of(path) is Kind.OPEN:
            await self._app(scope, receive, send)
            return
        person = await self._person(headers)
        refusal = await self._refusal(person, path)
        if scope["type"] == "websocket":
            await self._socket({**scope, "person": person}, receive, send, refusal)
        elif refusal is None:
            await self._app({**scope, "person": person}, receive, send)
        else:
            await refusal(scope, receive, send)

    async def _person(self, headers: Headers) -> Person | None:
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token:
            return await to_thread.run_sync(self._door.people.by_token, token.strip())
        return self._known(word_of(headers))

    def _known(self, word: str) -> Person | None:
        """Whose session it is, if they are still let in."""
        found = self._door.sessions.person(word) if word else None
        return found and (self._door.people.find(found.name) if found.known_by == "file" else found)

    async def _refusal(self, person: Person | None, path: str) -> Response | None:
        if person is None:
            if path.startswith("/api/") or "." in path or path == "/metrics":
                return _problem(401, "nobody is known by this", "log in at /login, or send a token")
            return RedirectResponse(f"/login?to={quote(path)}", 303)
        bed = rights.bed_of(path) or ""
        if not rights.may(person, path):
            return _problem(403, f"not for a {person.role}", "docs/access.md says who may see what")
        if bed and not await to_thread.run_sync(self._is_theirs, person, bed):
            return _problem(404, f"no bed has the gateway {bed}", "see /api/beds")
        try:
            await to_thread.run_sync(self._door.looks.looked, person, rights.kind_of(path, person.role).value, bed)
        except LooksError:
            return _problem(503, "who looks cannot be written down", "the centre's disk is full, or its log is gone")
        return None

    def _is_theirs(self, person: Person, bed: str) -> bool:
        site = self._door.site_of(bed)
        return site is None or rights.at(person, site)

    async def _socket(self, scope: Scope, receive: Receive, send: Send, refusal: Response | None) -> None:
        if refusal is not None:
            await receive()
            code = SESSION_ENDED if scope["person"] is None else FORBIDDEN
            await send({"type": "websocket.accept"})  # a browser tells the page the code only of a socket that opened
            await send({"type": "websocket.close", "code": code, "reason": "not let in"})
            return
        headers, count, is_over = Headers(scope=scope), 0, False

        async def send_while_known(message: Message) -> None:
            """Whoever looks on must still be let in, by role and by site, as whoever asks anew is."""
            nonlocal count, is_over
            count += 1
            if not is_over and count % _LOOK_EVERY_MESSAGES == 0:
                person = await self._person(headers)
                if await self._refusal(person, scope["path"]) is not None:
                    is_over = True
                    code = SESSION_ENDED if person is None else FORBIDDEN
                    await send({"type": "websocket.close", "code": code, "reason": "not let in any more"})
            if not is_over:
                await send(message)

        async def receive_while_known() -> Message:
            message = await receive()
            return {"type": "websocket.disconnect", "code": SESSION_ENDED} if is_over else message

        await self._app(scope, receive_while_known, send_while_known)


def _problem(status: int, error: str, hint: str) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": error, "hint": hint}, status_code=status, headers=headers)
