"""Exports over HTTP: a zip as it is made, one at a time, a day at most; longer ones at the command line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import Engine

from centre.export import formats
from centre.export.archive import UnheardError
from centre.export.plan import RefusedError, Wish
from centre.web.api import PROBLEMS, EpochAsked, GatewayPath, NotThereError

SPAN_LIMIT_US = 86_400_000_000
_UTC_LIMIT = 2**53 - 1
Format = Literal[
    "wfdb", "wfdb-flac", "edf", "edf-parts", "dicom", "aecg", "csv", "parquet",
    "fhir-r4", "fhir-r5", "fhir-r4-bundle", "fhir-r5-bundle", "hl7",
]  # fmt: skip
FormatPath = Annotated[Format, Path(description="See docs/exports.md")]
_When = Annotated[int, Query(ge=0, le=_UTC_LIMIT)]


@runtime_checkable
class Kept(Protocol):
    """A store in a database."""

    @property
    def engine(self) -> Engine: ...


class Exports:
    """One export at a time: it reads as fast as the disk, and pages come first."""

    def __init__(self, store: Kept) -> None:
        self._store = store
        self._turn = threading.Lock()

    def router(self) -> APIRouter:
        router = APIRouter(responses=PROBLEMS)
        path = "/api/beds/{gateway}/export/{format}"
        said: dict[int | str, dict[str, Any]] = {
            200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
        }
        summary = "An export as a zip"
        router.add_api_route(path, self.export, summary=summary, response_class=StreamingResponse, responses=said)
        return router

    def export(
        self,
        gateway: GatewayPath,
        format: FormatPath,  # noqa: A002  the word of the path
        begin: Annotated[_When | None, Query(alias="from", description="Microseconds since 1970")] = None,
        end: Annotated[
            _When | None, Query(alias="to", description="Up to, not with; a day after `from` at most")
        ] = None,
        epoch: EpochAsked = None,
        channel: Annotated[list[str] | None, Query(max_length=64, description="Only these channels")] = None,
    ) -> StreamingResponse:
        """The device's integers in a format of the field, or refused with 422 and what to do instead."""
        if begin is None or end is None or not 0 < end - begin <= SPAN_LIMIT_US:
            raise RefusedError("from and to, a day apart at most", "wardlink centre export has no such limit")
        wish = Wish(begin, end, epoch, frozenset(channel or ()))
        if not self._turn.acquire(blocking=False):
            raise RefusedError("another export is being made", "ask again when it has ended")
        made = self._held(formats.to_zip(self._store.engine, gateway, format, wish))
        try:
            first = next(made)  # what is refused is refused before the answer begins
        except UnheardError as error:
            raise NotThereError(str(error), error.hint) from error
        name = f'attachment; filename="{gateway}-{format}.zip"'
        headers = {"Content-Disposition": name}
        return StreamingResponse(chain([first], made), media_type="application/zip", headers=headers)

    def _held(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from pieces
        finally:
            self._turn.release()
