"""The addresses of the bedside page: the state in each language, the patient's screen, deeds, and static files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import jinja2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from agent.health.status import Status
from agent.page import forms, inert, view
from agent.page.bedside import Bedside, NoAnswerError
from agent.page.seen import Seen
from agent.page.sessions import COOKIE, Session, Sessions
from agent.page.state import Device, State, Word, state
from agent.page.words import Words
from drivers import registry

HERE = Path(__file__).parent
STATIC = HERE / "static"
KINDS = {".css": "text/css", ".js": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml"}
KEPT = "public, max-age=31536000, immutable"
STEPS = ("wrong", "unbind", "transport", "typed", "late")
TO_STATE = ("confirm", "choose", "transport")  # what is done is seen there
SECOND_NS = 1_000_000_000


Causes = Callable[[Status, float], Iterable[tuple[int, str, str]]]


class Pages:
    """`causes` says what is wrong: code, what, and the next step."""

    def __init__(
        self,
        words: dict[str, Words],
        language: str,
        seen: Seen,
        bedside: Bedside,
        sessions: Sessions,
        now: Callable[[], int],
        causes: Causes,
    ) -> None:
        self._words = words
        self._language = language if language in words else "en"
        self._seen = seen
        self._bedside = bedside
        self._sessions = sessions
        self._now = now
        self._causes = causes
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters["shown"] = inert.shown
        self._files = {file.name: file for file in STATIC.iterdir() if file.suffix in KINDS}
        self._templates.globals["version"] = _version(self._files.values())

    def app(self) -> Starlette:
        app = Starlette(
            routes=[
                Route("/", self.state),
                Route("/technician", self.technician),
                Route("/static/{name}", self.static),
                Route("/{language}", self.state),
                Route("/{language}/patient", self.patient),
                Route("/{language}/sheet", self.sheet),
                Route("/{language}/deed", self.deed, methods=["POST"]),
            ]
        )
        app.router.redirect_slashes = False
        return app

    def _now_is(self) -> State:
        return state(self._seen.status(), self._seen.setup(), self._bedside.bed, self._now())

    def _own(self, request: Request) -> Words | None:
        return self._words.get(request.path_params.get("language", self._language))

    async def state(self, request: Request) -> Response:
        own = self._own(request)
        if own is None:
            return PlainTextResponse("not found", 404)
        return self._page("state.html", own, "")

    async def patient(self, request: Request) -> Response:
        own = self._own(request)
        if own is None:
            return PlainTextResponse("not found", 404)
        session = self._session(request)
        asked = request.query_params
        step = asked.get("step", "") if asked.get("step") in STEPS else ""
        people = view.people(own, session, self._bedside.bed, step, asked.get("episode", ""), self._now())
        answer = self._page("patient.html", own, "/patient", people=people, notice=session.notice)
        session.notice = ()
        answer.set_cookie(COOKIE, session.name, httponly=True, samesite="strict")
        return answer

    async def sheet(self, request: Request) -> Response:
        """For paper: each state, what it looks like and what to do."""
        own = self._own(request)
        if own is None:
            return PlainTextResponse("not found", 404)
        return self._page("sheet.html", own, "/sheet", states=tuple(Word))

    async def deed(self, request: Request) -> Response:
        own = self._own(request)
        if own is None:
            return PlainTextResponse("not found", 404)
        here = f"/{own.language}/patient"
        sent = forms.fields(await request.body())
        session = self._sessions.proven(request.cookies.get(COOKIE, ""), sent.get("token", ""))
        if session is None:
            fresh = self._sessions.open()
            fresh.notice = ("page.too_old",)
            answer = RedirectResponse(here, 303)
            answer.set_cookie(COOKIE, fresh.name, httponly=True, samesite="strict")
            return answer
        if "performer" in sent:
            session.performer = forms.performer(sent["performer"])
            return RedirectResponse(here, 303)
        session.notice = await self._do(sent, session)
        done = session.notice == ("says.done",)
        return RedirectResponse(f"/{own.language}" if done and sent.get("deed") in TO_STATE else here, 303)

    async def _do(self, sent: dict[str, str], session: Session) -> tuple[str, ...]:
        """What came of it, as keys of words."""
        if not session.performer:
            return ("says.not_done", "refused.performer")
        make = forms.deed(sent, session.performer)
        if make is None:
            return ("says.not_done", "refused.words")
        try:
            answer = await self._bedside.do(make)
        except NoAnswerError:
            return ("says.not_done", "page.no_answer")
        return ("says.done",) if answer.done else ("says.not_done", f"refused.{forms.REFUSED.get(answer.why, 'words')}")

    async def technician(self, _request: Request) -> Response:
        """What is wrong and what to do, in English and without a patient's word."""
        status, setup = self._seen.status(), self._seen.setup()
        lines = [f"code {self._now_is().code}"]
        if setup is not None and setup.cause:
            lines += [f"{setup.code} setup: {setup.cause}", f"   next: {setup.next}"]
        if status is None:
            lines.append("no gateway has written since the machine started")
        else:
            lines.insert(0, f"gateway {status.gateway} at {status.site}")
            age_s = (self._now() - status.written_ns) / SECOND_NS
            for code, what, step in self._causes(status, age_s):
                lines += [f"{code} {what}", f"   next: {step}"]
        return PlainTextResponse("".join(f"{inert.shown(line, 300)}\n" for line in lines))

    async def static(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None:
            return PlainTextResponse("not found", 404)
        return Response(file.read_bytes(), media_type=KINDS[file.suffix], headers={"Cache-Control": KEPT})

    def _session(self, request: Request) -> Session:
        return self._sessions.find(request.cookies.get(COOKIE, "")) or self._sessions.open()

    def _page(self, template: str, own: Words, rest: str, **more: object) -> Response:
        found = self._now_is()
        status = self._seen.status()
        name = called(found.name) if found.device is Device.SILENT else ""
        text = self._templates.get_template(template).render(
            own=own,
            words=self._words,
            rest=rest,
            now=view.now(self._words, own.language, found, name),
            bed=status.bed if status else "",
            purpose=view.safe(self._words, own.language, "purpose"),
            stale=view.safe(self._words, own.language, "stale"),
            stored=view.safe(self._words, own.language, "stored"),
            now_ns=self._now(),
            span=view.span,
            **more,
        )
        return Response(text, media_type="text/html; charset=utf-8")


def called(driver_id: str) -> str:
    """What people call the device: the first model that its driver names."""
    try:
        return registry.driver(driver_id).info.models[0]
    except registry.UnknownDriverError:
        return driver_id


def _version(files: Iterable[Path]) -> str:
    """Changes with any static file, so that browsers keep them for ever."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
