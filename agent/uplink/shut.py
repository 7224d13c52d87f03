"""What waits in the spool for want of volume; agent/uplink/allowance.py decides, where a month is paid for."""

from __future__ import annotations

from dataclasses import dataclass

from wire.topics import Class


@dataclass(frozen=True, slots=True)
class Shut:
    """Classes that wait in the spool: as they come (`live`), and from there (`late`)."""

    live: frozenset[Class] = frozenset()
    late: frozenset[Class] = frozenset()
    words: str = ""


OPEN = Shut()
