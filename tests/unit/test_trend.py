"""Trends of readings: the least and greatest of what was said, and why nothing was, drafted or not, in any order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from centre import trend
from centre.store import Batch, Entry, Store
from centre.store.trend_outlines import REST_US
from centre.trend import BUCKET_US, BUCKETS_COUNT, STRETCH_US, Absence, Trend
from wire import records
from wire.envelope import Header
from wire.topics import Address, Class

ADDRESS = Address("north", "gw-a1")
SECOND, HOUR = 1_000_000, 3_600_000_000
LATER = 10 * REST_US
STREAMS = [records.StreamInfo(number, f"spo2-{number}", 0, "%") for number in (4, 5)]
Said = tuple[int, str | None]  # t, value: what begins with ! is the reason why there is none


def entry(seq: int, said: Iterable[Said], stream: int = 4) -> Entry:
    told: list[records.Record] = []
    for t, word in said:
        absent = word is None or word.startswith("!")
        value = None if absent else Decimal(str(word))
        told.append(records.NumericAt(t, stream, value, (word or "")[1:] if absent else ""))
    catalogue = records.Catalogue(0, 0, "edan_m3", "sum", "usb-1", "", "", "", "", STREAMS)
    header = Header(1, Class.VITAL, seq, 0)
    return Entry(ADDRESS, header, 0, 100, seq.to_bytes(32, "big"), bytes(8), records=[catalogue, *told])


def kept(folder: Path) -> Store:
    return Store(f"sqlite:///{folder / 'centre.db'}")


def drafted(store: Store) -> int:
    made = 0
    while more := store.outlines.draft_trends(LATER):
        made += more
    return made


def seen(store: Store, first: int, last: int, count: int) -> Trend:
    [found] = store.outlines.trends("gw-a1", 1, first, last, count)
    return found


def test_a_stretch_comes_back_as_it_was_stored() -> None:
    made = trend.empty()._replace(absent=(Absence(3, "sensor-off"), Absence(3, "")))
    made.least[7], made.greatest[7] = 36.7, 1e300
    back = trend.unpacked(trend.packed(made))
    assert (back.least == made.least).all()
    assert (back.greatest == made.greatest).all()
    assert back.absent == made.absent


@pytest.mark.parametrize("hours", [0, 1, 8, 72])
def test_drafting_changes_nothing_that_is_seen(tmp_path: Path, hours: int) -> None:
    """A value a minute, one beat of 3 bpm, an hour without a sensor: the same before and after, at each width."""
    store, last = kept(tmp_path), 72 * HOUR
    said: list[Said] = [(t, str(60 + t // SECOND % 17)) for t in range(0, last, 60 * SECOND)]
    said[1000] = (said[1000][0], "3")
    said[600:660] = [(t, "!sensor-off") for t, _ in said[600:660]]
    store.write(Batch(entries=[entry(1, said)], heard={ADDRESS: 0}))
    first = 9 * HOUR
    span = (first, first + (hours or 12) * HOUR - 1, 600)
    before = seen(store, *span)
    assert drafted(store) == last // STRETCH_US[0] + 1
    after = seen(store, *span)
    width = -(-(span[1] - span[0] + 1) // 600)
    size = BUCKET_US[trend.level_for(width)] if trend.level_for(width) is not None else 0  # type: ignore[index]
    exact = {one.at: one for one in before.columns}
    for one in after.columns:  # a bucket may reach into its neighbours, and nowhere else
        near = [exact[at] for at in range(one.at - (size > 0), one.at + 2) if at in exact]
        assert min(n.least for n in near) <= one.least <= (exact[one.at].least if one.at in exact else one.least)
        assert max(n.greatest for n in near) >= one.greatest
    assert set(exact) <= {one.at for one in after.columns}
    assert min(one.least for one in after.columns) == min(one.least for one in before.columns)
    assert set(before.absent) <= set(after.absent)
    assert {one.why for one in after.absent} <= {"sensor-off"}
    store.close()


def test_absent_is_never_a_number(tmp_path: Path) -> None:
    store = kept(tmp_path)
    store.write(Batch(entries=[entry(1, [(t * SECOND, "!sensor-off") for t in range(5000)])], heard={ADDRESS: 0}))
    drafted(store)
    found = seen(store, 0, 5000 * SECOND, 20)
    assert found.columns == []
    assert {one.why for one in found.absent} == {"sensor-off"}
    assert [one.at for one in found.absent] == list(range(20))
    store.close()


@given(
    st.lists(
        st.tuples(st.integers(0, 3 * STRETCH_US[0] // SECOND - 1), st.integers(-99, 999)), min_size=1, max_size=25
    ),
    st.lists(st.integers(0, 5), max_size=6),
)
@settings(max_examples=15, deadline=None)
def test_whatever_order_it_comes_in(tmp_path_factory: pytest.TempPathFactory, said: list[tuple[int, int]],
                                    drafts: list[int]) -> None:  # fmt: skip
    """Late readings are seen at once, whether their stretch was drafted before or not."""
    store = kept(tmp_path_factory.mktemp("trend"))
    once = dict(said)
    for seq, (second, value) in enumerate(once.items()):
        store.write(Batch(entries=[entry(seq, [(second * SECOND, str(value))])], heard={ADDRESS: 0}))
        if seq % 6 in drafts:
            drafted(store)
    width = 2 * BUCKET_US[0]
    count = 3 * STRETCH_US[0] // width + 1
    found = {one.at: one for one in seen(store, 0, count * width - 1, count).columns}
    for at in range(count):  # buckets divide these columns
        mine = [value for second, value in once.items() if second * SECOND // width == at]
        assert (at in found) == bool(mine)
        if mine:
            assert (found[at].least, found[at].greatest) == (min(mine), max(mine))
    store.close()


def test_a_stretch_that_still_grows_is_left_alone(tmp_path: Path) -> None:
    store = kept(tmp_path)
    store.write(Batch(entries=[entry(0, [(0, "1")])], heard={ADDRESS: 0}))
    assert store.outlines.draft_trends(REST_US - 1) == 0
    assert store.outlines.draft_trends(LATER) == 1
    assert store.outlines.draft_trends(LATER) == 0
    store.write(Batch(entries=[entry(1, [(SECOND, "7")])]))
    assert seen(store, 0, BUCKETS_COUNT * SECOND * 8, 100).columns[0][1:] == (1, 7)
    store.close()


def test_a_store_that_is_older_than_trends_draws_the_same(tmp_path: Path) -> None:
    store, said = kept(tmp_path), [(t * SECOND, str(t % 100)) for t in range(0, 9000, 5)]
    store.write(Batch(entries=[entry(0, said[:900]), entry(1, said[900:], stream=5)], heard={ADDRESS: 0}))
    drafted(store)
    span = (0, 282 * 2 * BUCKET_US[1] - 1, 282)  # buckets divide its columns
    before = store.outlines.trends("gw-a1", 1, *span)
    with store.engine.begin() as connection:
        connection.execute(text("DROP TABLE trend"))
        connection.execute(text("DROP TABLE trend_changed"))
    store.close()
    again = kept(tmp_path)
    assert again.outlines.trends("gw-a1", 1, *span) == before
    assert drafted(again) == 8995 * SECOND // STRETCH_US[0] + 1
    assert again.outlines.trends("gw-a1", 1, *span) == before
    again.close()
    third = kept(tmp_path)
    assert drafted(third) == 0, "once is enough"
    third.close()


def test_what_a_device_kept_in_its_memory_is_no_part_of_it(tmp_path: Path) -> None:
    store = kept(tmp_path)
    old = records.NumericAt(2 * SECOND, 4, Decimal("55"), iso="2026-01-01T00:00:00")
    one = entry(0, [(SECOND, "90")])
    one = replace(one, records=[*one.records, old])
    store.write(Batch(entries=[one], heard={ADDRESS: 0}))
    for _ in range(2):
        assert [column[1:] for column in seen(store, 0, HOUR * 2, 100).columns] == [(90, 90)]
        drafted(store)
    with store.engine.connect() as connection:
        assert (
            connection.execute(select(text("count(*)")).select_from(text("trend"))).scalar_one() == 2
        )  # one of each level
    store.close()
