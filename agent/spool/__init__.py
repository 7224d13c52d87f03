"""The durable log of envelopes: accepted means durable (DESIGN 7).

What is named here is loaded when it is asked for: who only wants a file written whole (agent/durable.py) loads no log.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.spool.check import check_folder, read_folder
    from agent.spool.files import Disk, Files
    from agent.spool.spool import Spool
    from agent.spool.terms import (
        Accepted,
        Cause,
        ClassStat,
        Commit,
        Damage,
        Limits,
        Lost,
        SpoolError,
        Stat,
        StorageError,
        Stored,
    )

__all__ = [
    "Accepted",
    "Cause",
    "ClassStat",
    "Commit",
    "Damage",
    "Disk",
    "Files",
    "Limits",
    "Lost",
    "Spool",
    "SpoolError",
    "Stat",
    "StorageError",
    "Stored",
    "check_folder",
    "read_folder",
]
_ELSEWHERE = {"Disk": "files", "Files": "files", "Spool": "spool", "check_folder": "check", "read_folder": "check"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_ELSEWHERE.get(name, 'terms')}"), name)
