"""What was imported from dead gateways, and the mark that it was here once: the folder `<state>/imported`.

<gateway>/<number>/        a spool folder and, in it, `names`: it waits to be delivered
<gateway>/<number>.names   what of it was delivered: nothing named here is imported again
<gateway>/<number>.new/    an import under way, or broken off: worth nothing
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from wire.ranges import Ranges
from wire.topics import is_name

NAMES = "names"
Known = dict[tuple[int, int, str], Ranges]  # (class, epoch, its start's random bytes in hexadecimal) -> numbers


class Named(msgspec.Struct, frozen=True, array_like=True):
    """Numbers of a class and epoch; no `start` where nothing in the file told it."""

    cls: int
    epoch: int
    ranges: list[tuple[int, int]]
    start: str = ""


class Contents(msgspec.Struct, frozen=True):
    """The file `names`, as JSON: [class, epoch, [[first, last], ...], start] of all that one import brought."""

    names: list[Named]


def waiting(folder: Path) -> list[tuple[str, Path]]:
    """(gateway, spool folder) of all that waits, in a fixed order. OSError."""
    if not folder.is_dir():
        return []
    gateways = [path for path in sorted(folder.iterdir()) if is_name(path.name) and path.is_dir()]
    return [
        (gateway.name, path)
        for gateway in gateways
        for path in sorted(gateway.iterdir())
        if path.name.isdigit() and path.is_dir()
    ]


def known(folder: Path, gateway: str) -> Known:
    """All that ever was imported of a gateway. OSError, msgspec.DecodeError."""
    found: Known = {}
    for path in _marks(folder / gateway):
        for key, ranges in _listed(path).items():
            for first, last in ranges:
                found.setdefault(key, Ranges()).add(first, last)
    return found


def _marks(place: Path) -> Iterator[Path]:
    """Those of waiting folders first: one that is finished while we read then shows on the other list."""
    inside = [path / NAMES for path in place.glob("*") if path.name.isdigit()]
    yield from (path for path in inside if path.exists())
    yield from place.glob(f"*.{NAMES}")


def starts(path: Path) -> dict[int, bytes]:
    """The start of each epoch of a folder that waits, as far as its file told. OSError, ValueError."""
    inside = path / NAMES
    told = _listed(inside) if inside.exists() else {}
    return {epoch: bytes.fromhex(start) for _, epoch, start in told if start}


def next_number(folder: Path, gateway: str) -> str:
    numbers = [int(stem) for path in (folder / gateway).glob("*") if (stem := path.name.partition(".")[0]).isdigit()]
    return f"{max(numbers, default=0) + 1:04d}"


def commit(new: Path, names: Known) -> Path:
    """Put an import that is on the disk in its place: from here on it waits. OSError: it does not."""
    _write(new / NAMES, names)
    sync(new)
    final = new.with_suffix("")
    new.rename(final)
    for folder in (final.parent, final.parent.parent, final.parent.parent.parent):
        sync(folder)
    return final


def finish(path: Path, confirmed: Callable[[int, int], Ranges]) -> int:
    """Nothing of it is left to send: mark what `confirmed(class, epoch)` has, then let it go. How many were lost here
    and may be imported again. OSError, msgspec.DecodeError: call it again."""
    inside = path / NAMES
    lost = 0
    if inside.exists():
        listed = _listed(inside)
        marked = {(cls, epoch, at): _common(own, confirmed(cls, epoch)) for (cls, epoch, at), own in listed.items()}
        lost = sum(map(len, listed.values())) - sum(map(len, marked.values()))
        new = path.with_suffix(".mark")
        _write(new, marked)
        new.rename(path.with_suffix(f".{NAMES}"))
        sync(path.parent)
        inside.unlink()
    import shutil  # noqa: PLC0415  with its compressors half a MiB, and an import is rare

    shutil.rmtree(path)
    return lost


def _common(one: Ranges, other: Ranges) -> Ranges:
    out = Ranges(one)
    for first, last in one:
        for gap in other.missing(first, last):
            out.remove(*gap)
    return out


def _listed(file: Path) -> Known:
    contents = msgspec.json.decode(file.read_bytes(), type=Contents)
    return {(one.cls, one.epoch, one.start): Ranges(one.ranges) for one in contents.names}


def _write(file: Path, names: Known) -> None:
    said = [Named(cls, epoch, ranges.pairs(), start) for (cls, epoch, start), ranges in sorted(names.items())]
    with file.open("wb") as out:
        out.write(msgspec.json.encode(Contents(said)))
        out.flush()
        os.fsync(out.fileno())


def sync(folder: Path) -> None:
    """Make names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
