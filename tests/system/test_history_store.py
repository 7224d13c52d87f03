"""History over PostgreSQL as over SQLite: the same columns, holes, readings and bindings."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import func, select

from centre.export.archive import Archive
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
    assert [store.bed("gw-a1")] == store.beds(), "and of another consumer's gateway as much is known"
    with kept.store.engine.connect() as another:
        another.execute(select(func.pg_advisory_lock(0x776C03, 0)))
        assert (outlines.draft(later), outlines.draft_trends(later)) == (0, 0)
        another.execute(select(func.pg_advisory_unlock(0x776C03, 0)))
    assert (outlines.draft(later) > 0, outlines.draft_trends(later)) == (True, 1)
    store.close()
    kept.store.close()


def test_exports_have_corrections_too(url: str) -> None:  # noqa: F811
    """A correction is of the time that it names, not of what came after it was said."""
    kept = Kept(url)
    kept.begin(2, records.Association(1, "scan", "validated", "nurse", "p-before", "Bed 4"))
    words = ("scan", "corrected", "nurse", "p-other", "Bed 4")
    said = records.Association(10, "scan", "validated", "nurse", "p-one", "Bed 4")
    kept.begin(3, ANCHOR, said, records.Association(90, *words, (3, 20), (3, 30)))
    kept.say(3, records.Association(95, "scan", "wrong", "nurse", "p-one", "Bed 4", (3, 50), (3, 60)))
    archive = Archive(kept.store.engine, "gw-a1")
    assert [(one.t, one.status, one.pseudonym) for one in archive.bound(3)] == [
        (10, "validated", "p-one"),
        (20, "corrected", "p-other"),
        (30, "validated", "p-one"),
        (50, "wrong", "p-one"),
        (60, "validated", "p-one"),
    ]
    kept.say(3, records.Association(99, *words, (1, 0), (3, 5)))
    assert [(one.t, one.pseudonym) for one in archive.bound(3)][:3] == [(0, "p-other"), (5, ""), (10, "p-one")]
    kept.store.close()
