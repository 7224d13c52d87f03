"""The durable log of envelopes: accepted means durable (DESIGN 7)."""

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
