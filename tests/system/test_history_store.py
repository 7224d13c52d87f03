"""History over PostgreSQL as over SQLite: the same columns, holes, readings and bindings."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import func, select

from centre.store.shared import SharedStore
from tests.system.test_store import Postgres, postgres, url  # noqa: F401 - fixtures
from tests.unit.test_web_history import ANCHOR, SECOND, UTC, Kept
from wire import records

VALUES = ("97", "88.5", "1E+2", "NaN", "Infinity", "-Infinity", "1E+999999", "-3")


def test_a_window_is_the_same_of_both(url: str) -> None:  # noqa: F811
    kept = Kept(url)
    bound = [records.Association(at, "scan", "validated", "nurse", f"p{at}", "Bed 4") for at in (0, 5, 9)]
    kept.begin(3, ANCHOR, *bound)
    kept.waves(3, 0, range(20))
    kept.say(3, *(records.NumericAt(at, 2, Decimal(value)) for at, value in enumerate(VALUES)))
    kept.say(3, records.NumericAt(30 * SECOND, 2, None, "sensor-off"))
    kept.say(3, records.NumericAt(19 * SECOND, 2, Decimal("55"), iso="2026-01-01T00:00:00"))
    kept.say(3, *(records.StreamGap(20 * SECOND, stream, 2000, None, "device-silent") for stream in (0, 1)))
    kept.waves(3, 2000, range(40, 60))
    [epoch] = kept.past(UTC, UTC + 60 * SECOND)["epochs"]
    [numeric] = epoch["numerics"]
    assert (numeric["columns"], numeric["least"], numeric["greatest"], numeric["absent"]) == (
        [0],
        [-3.0],
        [100.0],
        [{"column": 30, "why": "sensor-off"}],
    )
    for wave in epoch["waves"]:
        assert [(p["left"], p["right"]) for p in wave["pieces"]] == [(0, 20), (40, 60)]
        assert [hole["cause"] for hole in wave["holes"]] == ["device-silent"]
    found = kept.store.outlines.bound("gw-a1", 3, 6, 60 * SECOND)
    assert [one[2] for one in found] == ["p5", "p9"]
    assert kept.store.outlines.bound("gw-a1", 4, 0, 1) == []
    kept.store.close()


def test_of_several_consumers_one_drafts_at_a_time(postgres: Postgres) -> None:  # noqa: F811
    address = postgres.database()
    kept = Kept(address)
    kept.begin(3, ANCHOR)
    kept.waves(3, 0, range(20))
    kept.say(3, records.NumericAt(5, 2, Decimal(97)))
    store, later = SharedStore(address), 1 << 60
    outlines = store.outlines
    with kept.store.engine.connect() as another:
        another.execute(select(func.pg_advisory_lock(0x776C03, 0)))
        assert (outlines.draft(later), outlines.draft_trends(later)) == (0, 0)
        another.execute(select(func.pg_advisory_unlock(0x776C03, 0)))
    assert (outlines.draft(later) > 0, outlines.draft_trends(later)) == (True, 1)
    store.close()
    kept.store.close()
