"""What processes have used, from /proc (proc(5)): seconds of processor and bytes of memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")


def tree(pid: int) -> list[int]:
    """A process and all under it that live."""
    parents = {one: int(fields[1]) for one, fields in _all()}
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """Of these and of their children that ended and were waited for; nothing of those that are no more."""
    return sum(sum(map(int, fields[11:15])) for fields in map(_stat, pids) if fields) / _TICKS


def rss_mib(pids: Iterable[int]) -> float:
    """Resident, pages they share counted in each."""
    return round(sum(int(fields[21]) for fields in map(_stat, pids) if fields) * _PAGE / (1 << 20), 1)


def written_bytes(pids: Iterable[int]) -> int:
    """What these caused to be written to the disk."""
    total = 0
    for pid in pids:
        try:
            said = (_PROC / str(pid) / "io").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in said.splitlines() if line.startswith("write_bytes"))
    return total


def _all() -> Iterable[tuple[int, list[str]]]:
    for path in _PROC.iterdir():
        if path.name.isdigit():
            fields = _stat(int(path.name))
            if fields:
                yield int(path.name), fields


def _stat(pid: int) -> list[str]:
    """The fields from the third on (state); none where it is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
