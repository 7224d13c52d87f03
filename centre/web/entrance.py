"""/login and /logout: a form without a script. Attempts are slowed by name, and written down; a password never is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from html import escape
from typing import Annotated
from urllib.parse import parse_qs, quote

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from centre.access.looks import Looks, LooksError
from centre.access.people import PASSWORD_LIMIT_LETTERS, People, is_login
from centre.access.sessions import Sessions
from centre.web.door import cookie, word_of

TRIES_LIMIT_COUNT = 5
TRIES_WINDOW_S = 300.0
NAMES_LIMIT_COUNT = 10_000
FORM_LIMIT_BYTES = 16_384
_PAGE = """<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Log in · wardlink centre</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/page.css">
<link rel="stylesheet" href="/static/login.css">
</head>
<body>
<header class="top"><span class="name"><img src="/static/icon.svg" alt="" width="24" height="24">wardlink \
<span>centre</span></span></header>
<main id="content">
<h1>Log in</h1>
{said}{form}{provider}
</main>
<footer>
  <p>Transfers, stores, converts and displays device data. Not intended for active patient monitoring. Does not \
generate or replace alarms.</p>
</footer>
</body>
</html>
"""
_FORM = """<form method="post" action="/login">
<input type="hidden" name="to" value="{to}">
<label for="name">Name</label>
<input id="name" name="name" autocomplete="username" maxlength="64" required autocapitalize="none" spellcheck="false">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024" required>
<button type="submit">Log in</button>
</form>
"""
_PROVIDER = '<p class="provider"><a class="button" href="/oidc/start?to={to}">Log in with {name}</a></p>\n'
_NOBODY = "Nobody has an account here yet. On the server: wardlink centre user add NAME --role doctor"
_WRONG = "Name or password is wrong."
_SLOW = "Too many attempts with this name. Try again in some minutes."
_UNWRITTEN = "Nobody can log in now: the log of who looks cannot be written."


class Entrance:
    """The routes. `provider` names the identity provider, where there is one."""

    def __init__(
        self, people: People, sessions: Sessions, looks: Looks, now: Callable[[], float], provider: str = ""
    ) -> None:
        self._people = people
        self._sessions = sessions
        self._looks = looks
        self._provider = provider
        self._tries = _Tries(now)

    def router(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/login", self.form, response_class=HTMLResponse)
        router.add_api_route("/login", self.enter, methods=["POST"], response_class=HTMLResponse)
        router.add_api_route("/logout", self.leave, methods=["POST"], response_class=RedirectResponse)
        return router

    async def form(self, to: Annotated[str, Query(max_length=200)] = "/") -> HTMLResponse:
        is_any = bool(self._provider) or await to_thread.run_sync(self._people.any)
        return self._page(to, "" if is_any else _NOBODY)

    async def enter(self, request: Request) -> Response:
        said = await _posted(request)
        name, password, to = (said.get(word, "") for word in ("name", "password", "to"))
        if not is_login(name) or len(password) > PASSWORD_LIMIT_LETTERS:
            return self._page(to, _WRONG, 403)
        if not self._tries.may(name):
            return await self._refused(name, to, "slowed", _SLOW, 429)
        person = await to_thread.run_sync(self._people.by_password, name, password)
        if person is None:
            return await self._refused(name, to, "refused", _WRONG, 403)
        self._tries.forget(name)
        try:
            await to_thread.run_sync(lambda: self._looks.happened(person.name, "login", role=person.role, by="file"))
        except LooksError:
            return self._page(to, _UNWRITTEN, 503)
        answer = RedirectResponse(inside(to), 303)
        answer.headers["Set-Cookie"] = cookie(self._sessions.open(person), request.url.scheme == "https")
        return answer

    async def leave(self, request: Request) -> Response:
        word = word_of(request.headers)
        person = self._sessions.person(word)
        self._sessions.close(word)
        if person is not None:
            try:
                await to_thread.run_sync(lambda: self._looks.happened(person.name, "logout"))
            except LooksError:
                return self._page("/", _UNWRITTEN, 503)  # they are out all the same
        answer = RedirectResponse("/login", 303)
        answer.headers["Set-Cookie"] = cookie("", request.url.scheme == "https")
        return answer

    async def _refused(self, name: str, to: str, what: str, said: str, status: int) -> HTMLResponse:
        try:
            await to_thread.run_sync(lambda: self._looks.happened(name, what))
        except LooksError:
            return self._page(to, _UNWRITTEN, 503)
        return self._page(to, said, status)

    def _page(self, to: str, said: str, status: int = 200) -> HTMLResponse:
        return _page(_FORM.format(to=escape(inside(to), quote=True)), self._link(to), said, status)

    def _link(self, to: str) -> str:
        if not self._provider:
            return ""
        return _PROVIDER.format(to=escape(quote(inside(to)), quote=True), name=escape(self._provider))


def refused_page(said: str, status: int) -> HTMLResponse:
    """Says it, with the way back."""
    return _page('<p><a class="button" href="/login">Log in</a></p>\n', "", said, status)


def _page(form: str, provider: str, said: str, status: int) -> HTMLResponse:
    shown = f'<p class="said" role="alert">{escape(said)}</p>\n' if said else ""
    return HTMLResponse(_PAGE.format(said=shown, form=form, provider=provider), status)


class _Tries:
    """How often a name was tried in vain; a flood of names forgets the oldest."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._seen: OrderedDict[str, list[float]] = OrderedDict()

    def may(self, name: str) -> bool:
        """Counts as an attempt."""
        now = self._now()
        recent = [at for at in self._seen.pop(name, []) if now - at < TRIES_WINDOW_S]
        if len(recent) < TRIES_LIMIT_COUNT:
            recent.append(now)
            self._seen[name] = recent
            while len(self._seen) > NAMES_LIMIT_COUNT:
                self._seen.popitem(last=False)
            return True
        self._seen[name] = recent
        return False

    def forget(self, name: str) -> None:
        self._seen.pop(name, None)


async def _posted(request: Request) -> dict[str, str]:
    """The form's fields; none where it is too long or no form."""
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > FORM_LIMIT_BYTES:
            return {}
    try:
        return {word: texts[-1] for word, texts in parse_qs(data.decode("ascii"), max_num_fields=8).items()}
    except ValueError:
        return {}


def inside(to: str) -> str:
    """Only a page of ours: nobody is led away by a link."""
    is_ours = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() and "\\" not in to
    return to if is_ours else "/"
