"""Pages, JSON interface and socket in one application: `make_app(store, live)`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.routing import APIWebSocketRoute
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from centre.clock import utc_us
from centre.export.plan import RefusedError
from centre.store.engine import StoreError
from centre.web.access import Access
from centre.web.api import Interface, NotThereError
from centre.web.deeds import Deeds, Desk
from centre.web.door import Doorkeeper
from centre.web.ecg12 import Ecg12
from centre.web.exports import Exports, Kept
from centre.web.guard import Guard
from centre.web.history import Drawn, History
from centre.web.models import Problem
from centre.web.plain import plain
from centre.web.sources import Live, Store
from centre.web.stream import Socket

STATIC = Path(__file__).parent / "static"
ASYNCAPI = Path(__file__).parent / "asyncapi.yaml"
STATEMENT = (
    "Transfers, stores, converts and displays device data. Not intended for active patient monitoring. "
    "Does not generate or replace alarms."
)
LOCAL_HOSTS = ("localhost", "127.0.0.1")


def make_app(
    store: Store,
    live: Live,
    hosts: Iterable[str] = LOCAL_HOSTS,
    now: Callable[[], int] = utc_us,
    access: Access | None = None,
) -> FastAPI:
    """`hosts` are the names browsers may use for this server, without ports (add the address listened on).

    Without `access` everything is shown to whoever asks: for tests of what is shown. `centre.run` always gives it.
    """
    app = FastAPI(
        title="wardlink centre",
        version="1",
        description=STATEMENT,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.include_router(Interface(store, now).router())
    if isinstance(store, Drawn):
        app.include_router(History(store, now).router())
        app.include_router(Ecg12(store, now).router())
    if isinstance(store, Desk):
        app.include_router(Deeds(store, now).router())
    if isinstance(store, Kept):
        app.include_router(Exports(store).router())
    app.router.routes.append(APIWebSocketRoute("/api/beds/{gateway}/live", Socket(store, live, now).serve))
    _add_pages(app)
    _add_problems(app)
    if access is not None:
        app.include_router(access.router())
        app.add_middleware(Doorkeeper, door=access.door)
    app.add_middleware(Guard, hosts=hosts)
    return app


def _add_pages(app: FastAPI) -> None:
    def page(name: str) -> Callable[[], FileResponse]:
        return lambda: FileResponse(STATIC / name, headers={"Cache-Control": "no-cache"})

    app.add_api_route("/", page("beds.html"), include_in_schema=False, response_class=FileResponse)
    app.add_api_route("/waves", page("waves.html"), include_in_schema=False, response_class=FileResponse)
    app.add_api_route("/beds/{gateway}", page("bed.html"), include_in_schema=False, response_class=FileResponse)
    app.add_api_route("/beds/{gateway}/ecg12", page("ecg12.html"), include_in_schema=False, response_class=FileResponse)
    app.add_api_route(
        "/asyncapi.yaml",
        lambda: FileResponse(ASYNCAPI, media_type="application/yaml"),
        include_in_schema=False,
        response_class=FileResponse,
    )
    app.mount("/static", StaticFiles(directory=STATIC))


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(NotThereError)
    def not_there(_: Request, error: NotThereError) -> JSONResponse:
        return _problem(404, str(error), error.hint)

    @app.exception_handler(RefusedError)
    def not_so(_: Request, error: RefusedError) -> JSONResponse:
        return _problem(422, str(error), error.hint)

    @app.exception_handler(StoreError)
    def store_failed(_: Request, error: StoreError) -> JSONResponse:
        return _problem(503, str(error), error.hint)

    @app.exception_handler(RequestValidationError)
    def unreadable(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        named = ".".join(str(part) for part in first["loc"][1:])
        return _problem(422, f"{named}: {first['msg']}", "see /openapi.json")

    @app.exception_handler(HTTPException)
    def refused(_: Request, error: HTTPException) -> JSONResponse:
        return _problem(error.status_code, error.detail, "see /openapi.json")


def _problem(status: int, error: str, hint: str) -> JSONResponse:
    return JSONResponse(Problem(error=plain(error), hint=hint).model_dump(), status_code=status)
