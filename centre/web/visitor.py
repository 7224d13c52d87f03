"""/oidc/start and /oidc/back: the way in by the identity provider. A login under way has a cookie of its own."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable
from typing import Annotated, NamedTuple

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from centre.access.looks import Looks, LooksError
from centre.access.provider import Asked, Provider, ProviderError
from centre.access.sessions import Sessions
from centre.web.door import cookie
from centre.web.entrance import inside, refused_page

WAITING_LIMIT_COUNT = 1000
WAITING_LIMIT_S = 600.0
_COOKIE = "wardlink_oidc"


class _Waiting(NamedTuple):
    asked: Asked
    to: str
    at: float


class Visitor:
    """The routes."""

    def __init__(self, provider: Provider, sessions: Sessions, looks: Looks, now: Callable[[], float]) -> None:
        self._provider = provider
        self._sessions = sessions
        self._looks = looks
        self._now = now
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()

    def router(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/oidc/start", self.start, response_class=RedirectResponse)
        router.add_api_route("/oidc/back", self.back, response_class=RedirectResponse)
        return router

    async def start(self, request: Request, to: Annotated[str, Query(max_length=200)] = "/") -> Response:
        try:
            asked = await to_thread.run_sync(self._provider.begin, _back(request))
        except ProviderError as error:
            return await self._refused(str(error))
        self._waiting[asked.state] = _Waiting(asked, inside(to), self._now())
        while len(self._waiting) > WAITING_LIMIT_COUNT:
            self._waiting.popitem(last=False)
        answer = RedirectResponse(asked.url, 303)
        answer.headers["Set-Cookie"] = _own(asked.state, request)
        return answer

    async def back(self, request: Request, state: Annotated[str, Query(max_length=200)] = "") -> Response:
        """Only the browser that began may end it, once, within ten minutes."""
        found = self._waiting.pop(state, None)
        own = request.cookies.get(_COOKIE, "")
        if found is None or not hmac.compare_digest(own, state) or self._now() - found.at > WAITING_LIMIT_S:
            return await self._refused("an answer that nobody waited for")
        try:
            person = await to_thread.run_sync(self._provider.end, found.asked, _back(request), str(request.url))
            await to_thread.run_sync(
                lambda: self._looks.happened(person.name, "login", role=person.role, by=person.known_by)
            )
        except ProviderError as error:
            return await self._refused(str(error))
        except LooksError:
            return refused_page("Nobody can log in now: the log of who looks cannot be written.", 503)
        answer = RedirectResponse(found.to, 303)
        answer.headers.append("Set-Cookie", cookie(self._sessions.open(person), request.url.scheme == "https"))
        answer.headers.append("Set-Cookie", _own("", request))
        return answer

    async def _refused(self, why: str) -> HTMLResponse:
        try:
            await to_thread.run_sync(lambda: self._looks.happened("oidc", "refused", why=why))
        except LooksError:
            return refused_page("Nobody can log in now: the log of who looks cannot be written.", 503)
        return refused_page("The identity provider did not let you in. The centre's log of looks says why.", 403)


def _back(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}/oidc/back"


def _own(state: str, request: Request) -> str:
    life = int(WAITING_LIMIT_S) if state else 0
    secure = "; Secure" if request.url.scheme == "https" else ""
    return f"{_COOKIE}={state}; Path=/oidc; HttpOnly; SameSite=Lax; Max-Age={life}{secure}"
