"""The formats by name. Each is loaded when it is asked for: some bring large libraries."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from centre.export import deliver
from centre.export.archive import Archive, opened
from centre.export.deliver import Member
from centre.export.plan import Plan, RefusedError, Wish, plan

Write = Callable[[Archive, Plan], Iterator[Member]]
FORMATS = {
    "wfdb": ("wfdb", "members"),
    "wfdb-flac": ("wfdb", "flac"),
    "edf": ("edf", "members"),
    "edf-parts": ("edf", "parts"),
    "dicom": ("dicom", "members"),
    "aecg": ("aecg", "members"),
    "csv": ("tables", "csv"),
    "parquet": ("tables", "parquet"),
    "fhir-r4": ("fhir", "r4"),
    "fhir-r5": ("fhir", "r5"),
    "fhir-r4-bundle": ("fhir", "r4_bundle"),
    "fhir-r5-bundle": ("fhir", "r5_bundle"),
    "hl7": ("hl7", "members"),
}


@dataclass(frozen=True, slots=True)
class Done:
    """How much was written, and which epochs may belong to it but have no time."""

    size_bytes: int
    strips: int
    sittings: int
    undated: tuple[int, ...]


def write_of(name: str) -> Write:
    """What makes the members of a format. Raises RefusedError."""
    if name not in FORMATS:
        raise RefusedError(f"no format is called {name!r}", ", ".join(FORMATS))
    module, function = FORMATS[name]
    try:
        found: Write = getattr(importlib.import_module(f"centre.export.{module}"), function)
    except ModuleNotFoundError as error:
        raise RefusedError(f"{name} needs {error.name}", "pip install 'wardlink[export]'") from error
    return found


def _planned(archive: Archive, wish: Wish) -> Plan:
    found = plan(archive, wish)
    if found.undated and not found.strips and not found.sittings:
        epochs = ", ".join(map(str, found.undated))
        raise RefusedError(f"no clock vouches for the time of epoch {epochs}", "ask by epoch, without a time")
    return found


def to_folder(url: str, gateway: str, name: str, wish: Wish, folder: Path) -> Done:
    """Export what a wish names. Raises RefusedError, StoreError; then nothing is left."""
    write = write_of(name)
    with opened(url) as engine:
        archive = Archive(engine, gateway)
        named = _planned(archive, wish)
        size = deliver.to_folder(write(archive, named), folder)
    return Done(size, len(named.strips), len(named.sittings), named.undated)


def to_zip(engine: Engine, gateway: str, name: str, wish: Wish) -> Iterator[bytes]:
    """The same as a zip, as it is read."""
    write = write_of(name)
    archive = Archive(engine, gateway)
    yield from deliver.to_zip(write(archive, _planned(archive, wish)))
