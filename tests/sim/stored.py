"""What the centre's tables hold, read as plain rows: the oracle does not ask the store about itself."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from centre.ledger import SEQ_LAST
from wire.ranges import Ranges
from wire.topics import Class

Row = sqlite3.Row


@dataclass
class Store:
    """All of it; a key of two is (epoch, stream) or (epoch, class)."""

    streams: dict[tuple[int, int], tuple[int, str, str]] = field(default_factory=dict)  # -> session, channel, port
    blocks: list[Row] = field(default_factory=list)
    numerics: list[Row] = field(default_factory=list)
    gaps: dict[tuple[int, int], list[tuple[int, int | None, str]]] = field(default_factory=lambda: defaultdict(list))
    notices: list[Row] = field(default_factory=list)
    anchors: list[Row] = field(default_factory=list)
    lost: dict[tuple[int, int], Ranges] = field(default_factory=dict)  # (epoch, class)
    ended: set[int] = field(default_factory=set)  # epochs of which a gateway said where they ended
    parked: set[tuple[int, int, int]] = field(default_factory=set)

    @cached_property
    def nameless(self) -> set[int]:
        """Epochs with a stream of which no catalogue came."""
        return {r["epoch"] for r in [*self.blocks, *self.numerics] if (r["epoch"], r["stream"]) not in self.streams}

    def unreadable(self) -> set[tuple[int, int, int]]:
        """(epoch, class, seq) of what waits for a grant that is declared lost, or whose epoch ended without it."""
        return {place for place in self.parked if place[0] in self.ended or self.is_lost(place[0], Class.KEY)}

    def is_lost(self, epoch: int, cls: int, low: int = 0, high: int = SEQ_LAST) -> bool:
        """Whether any of these is declared lost, otherwise than by the end of its epoch."""
        ranges = self.lost.get((epoch, cls))
        return ranges is not None and low <= high and ranges.missing(low, high) != [(low, high)]


def read(file: Path) -> Store:
    connection = sqlite3.connect(file)
    connection.row_factory = sqlite3.Row
    out = Store()
    ports = {(r["epoch"], r["session"]): r["port"] for r in connection.execute("select * from session")}
    for r in connection.execute("select * from stream"):
        out.streams[r["epoch"], r["stream"]] = r["session"], r["channel"], ports[r["epoch"], r["session"]]
    out.blocks = list(connection.execute("select * from block order by epoch, stream, first, seq"))
    out.numerics = list(connection.execute("select * from numeric order by epoch, seq, item"))
    for r in connection.execute("select * from gap order by epoch, stream, first"):
        out.gaps[r["epoch"], r["stream"]].append((r["first"], r["count"], r["cause"]))
    out.notices = list(connection.execute("select * from notice"))
    out.anchors = list(connection.execute("select * from anchor"))
    for r in connection.execute("select * from lost"):
        if r["last"] == SEQ_LAST:
            out.ended.add(r["epoch"])
        else:
            out.lost.setdefault((r["epoch"], r["cls"]), Ranges()).add(r["first"], r["last"])
    out.parked = {(r["epoch"], r["cls"], r["seq"]) for r in connection.execute("select * from parked")}
    connection.close()
    return out
