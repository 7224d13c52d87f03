"""What was offered against what the centre's store holds, row by row; and the times, in figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import create_engine, func, select

from bench.rig import rings
from bench.rig.rings import BLOCKS, EPOCH, READINGS, Plan
from bench.rig.sheet import Sheet
from centre.store import schema
from wire.topics import Class

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts of envelopes, but for `readings_off` and `blocks_off`: rows more or less than what was sealed says.

    `received`: by gateway and place in its ring, when the centre's subscriber had it; seconds since 1970, NaN: never.
    """

    offered: int
    stored: int
    lost: int
    altered: int
    invented: int
    readings_off: int
    blocks_off: int
    copies: int
    received: Floats

    @property
    def doubled(self) -> int:
        """Anything that is there and should not be."""
        return self.invented + max(0, self.readings_off) + max(0, self.blocks_off)

    @property
    def good(self) -> bool:
        return not (self.lost or self.altered or self.invented or self.readings_off or self.blocks_off)


@dataclass(frozen=True, slots=True)
class Stored:
    """`rows`: (gateway, epoch, class, seq, received in microseconds, digest). None: it keeps none of these."""

    rows: Sequence[tuple[str, int, int, int, int, bytes]]
    readings: int | None
    blocks: int | None
    copies: int


def judge(stored: Stored, plan: Plan, count: int) -> Verdict:
    """`count`: how many envelopes behind the grant each gateway has said."""
    places = np.concatenate([rings.index(plan, shard) for shard in range(plan.shards)])
    columns = plan.count + 1
    said = np.arange(places.size) % columns <= count
    owed = {(rings.name(plan.seed, number), EPOCH): number for number in range(plan.gateways)}
    received = np.full((plan.gateways, columns), np.nan)
    named = zip(*(places[word].tolist() for word in ("gateway", "cls", "seq")), strict=True)
    where = {key: at % columns for at, key in enumerate(named) if said[at]}
    digests = places["digest"].reshape(plan.gateways, columns)
    altered = invented = 0
    for gateway, epoch, cls, seq, at, digest in stored.rows:
        number = owed.get((gateway, epoch), -1)
        place = where.pop((number, cls, seq), None)
        if place is None:
            invented += 1
        elif bytes(digests[number, place]).ljust(32, b"\0") != bytes(digest):
            altered += 1
        else:
            received[number, place] = at / 1e6
    vitals = int((said & (places["cls"] == Class.VITAL)).sum())
    waves = int((said & (places["cls"] == Class.WAVE)).sum())
    return Verdict(
        int(said.sum()),
        len(stored.rows),
        len(where),
        altered,
        invented,
        0 if stored.readings is None else stored.readings - vitals * READINGS,
        0 if stored.blocks is None else stored.blocks - waves * BLOCKS,
        stored.copies,
        received,
    )


def stored(url: str) -> Stored:
    """What a centre's store has."""
    table, gateway = schema.ENVELOPE, schema.GATEWAY
    asked = select(gateway.c.gateway, table.c.epoch, table.c.cls, table.c.seq, table.c.received, table.c.digest)
    counted = (select(func.count()).select_from(one) for one in (schema.NUMERIC, schema.BLOCK))
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            rows: Any = connection.execute(asked.join(gateway, gateway.c.gw == table.c.gw)).all()
            readings, blocks = (connection.execute(one).scalar_one() for one in counted)
            copies = connection.execute(select(func.sum(schema.SEQUENCE.c.duplicates))).scalar()
    finally:
        engine.dispose()
    return Stored(rows, readings, blocks, int(copies or 0))


def taken(path: Path) -> Stored:
    """What a hollow centre had."""
    with path.open("rb") as file:
        found, copies = np.load(file), np.load(file)
    rows: Any = [
        (gateway.decode(), EPOCH, cls, seq, at, digest.ljust(32, b"\0"))
        for gateway, cls, seq, at, digest in found.tolist()
    ]
    return Stored(rows, None, None, int(copies[0]))


def joined(sheets: Sequence[Sheet], word: str) -> Floats:
    """One word of all sheets: gateways by places in their rings; NaN: never."""
    whole = np.concatenate([np.array(getattr(sheet, word)).reshape(sheet.rows, -1) for sheet in sheets])
    whole[np.isinf(whole)] = np.nan
    return whole


def spread_ms(seconds: Floats) -> dict[str, float]:
    """The middle and the tails, in milliseconds; empty where there is nothing."""
    known = seconds[~np.isnan(seconds)]
    if not known.size:
        return {}
    points = np.percentile(known, (50, 95, 99, 100)) * 1000
    return dict(zip(("p50", "p95", "p99", "max"), (round(float(point), 1) for point in points), strict=True))
