"""Outlines: at every zoom the least and greatest of what is there, whatever came, in whatever order, drafted or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from centre import outline, rows
from centre.outline import BUCKET_SAMPLES, BUCKETS_COUNT, STRETCH_SAMPLES
from centre.store import Batch, Entry, Store
from centre.store.outlines import REST_US
from wire import codec
from wire.envelope import Header
from wire.records import Block
from wire.topics import Address, Class

ADDRESS = Address("north", "gw-a1")
LATER = 10 * REST_US


def entry(seq: int, first: int, values: np.ndarray, t: int = 0) -> Entry:
    """One envelope with one block of `values` (rows, samples)."""
    block = Block(t, 0, len(values), first, values.shape[1], codec.encode(values))
    return Entry(ADDRESS, Header(1, Class.WAVE, seq, 0), 0, 100, bytes(32), bytes(8), blocks=[block])


def kept(folder: Path, *entries: Entry) -> Store:
    store = Store(f"sqlite:///{folder / 'centre.db'}")
    store.write(Batch(entries=list(entries), heard={ADDRESS: 0}))
    return store


def plainly(parts: list[tuple[int, np.ndarray]], first: int, last: int, count: int) -> np.ndarray:
    """Column by column, from all samples."""
    made = outline.empty(count)
    for begin, values in parts:
        for at, value in enumerate(values, begin):
            if first <= at < last:
                column = (at - first) * count // (last - first)
                made[0, column], made[1, column] = min(made[0, column], value), max(made[1, column], value)
    return made


@given(st.integers(0, 500), st.integers(1, 3000), st.integers(1, 300), st.data())
@settings(max_examples=60, deadline=None)
def test_columns_of_single_samples_are_exact(first: int, span: int, count: int, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, 2000))
    values = np.array(data.draw(st.lists(st.integers(-(2**31) + 1, 2**31 - 1), min_size=1, max_size=300)), np.int32)
    made = outline.joined([(begin, 1, outline.ends_of(values))], first, first + span, count)
    assert (made == plainly([(begin, values)], first, first + span, count)).all() or span < count
    there = outline.is_there(made)
    assert made[0][there].min(initial=0) >= values.min(initial=0)


def test_what_is_stored_comes_back() -> None:
    ends = outline.empty(BUCKETS_COUNT)
    ends[0, 3:9], ends[1, 3:9] = -(2**31), 2**31 - 1
    assert (outline.unpacked(outline.packed(ends)) == ends).all()


def test_a_spike_of_one_sample_is_seen_from_afar_and_a_hole_stays_a_hole(tmp_path: Path) -> None:
    long = np.zeros((2, STRETCH_SAMPLES[1] + 100_000), np.int32)
    long[0, 1_234_567] = 32_000
    pieces = [(at, long[:, at : at + 50_000]) for at in range(0, long.shape[1], 50_000) if at != 500_000]
    store = kept(tmp_path, *(entry(seq, at, part) for seq, (at, part) in enumerate(pieces)))
    drafted = 0
    while made := store.outlines.draft(LATER):
        drafted += made
    assert drafted == 2 * (-(-long.shape[1] // STRETCH_SAMPLES[0]))
    for first, last in ((0, long.shape[1]), (1_200_000, 1_300_000), (1_234_000, 1_235_000)):
        ends = store.outlines.columns("gw-a1", 1, 0, first, last, 400)
        assert ends[1].max() == 32_000
        assert (ends[1] == 32_000).sum() <= 2
    hole = store.outlines.columns("gw-a1", 1, 0, 500_000 + BUCKET_SAMPLES[0], 550_000 - BUCKET_SAMPLES[0], 100)
    assert not outline.is_there(hole).any()
    assert store.outlines.columns("gw-a1", 1, 1, 0, long.shape[1], 400)[1].max() == 0
    store.close()


@pytest.mark.parametrize("drafts", [0, 1, 2])
def test_late_blocks_are_seen_at_once_and_drafting_changes_nothing(tmp_path: Path, drafts: int) -> None:
    dice = np.random.default_rng(drafts)
    values = dice.integers(-3000, 3000, (1, 3 * STRETCH_SAMPLES[0]), np.int32)
    cuts = [(at, values[:, at : at + 4096]) for at in range(0, values.shape[1], 4096)]
    order = dice.permutation(len(cuts))
    store = kept(tmp_path)
    for seq, at in enumerate(order):
        store.write(Batch(entries=[entry(seq, *cuts[at])]))
        if drafts and seq % (7 * drafts) == 0:
            store.outlines.draft(LATER)
    first, last, count = 1000, values.shape[1] - 77, 300
    seen = store.outlines.columns("gw-a1", 1, 0, first, last, count)
    truth = plainly([(0, values[0])], first, last, count)
    step = (last - first) // count + 1
    for column in range(count):  # a bucket may reach into its neighbours, and nowhere else
        near = values[0, max(0, first + column * step - 2 * step) : first + (column + 3) * step]
        assert near.min() <= seen[0, column] <= truth[0, column]
        assert near.max() >= seen[1, column] >= truth[1, column]
    store.close()


def test_a_stretch_that_still_grows_is_left_alone(tmp_path: Path) -> None:
    store = kept(tmp_path, entry(0, 0, np.ones((1, 100), np.int32)))
    assert store.outlines.draft(REST_US - 1) == 0
    assert store.outlines.draft(LATER) == 1
    assert store.outlines.draft(LATER) == 0
    store.write(Batch(entries=[entry(1, 100, np.full((1, 100), 7, np.int32))]))
    assert store.outlines.columns("gw-a1", 1, 0, 0, 200, 2)[1].tolist() == [1, 7]
    assert store.outlines.draft(LATER) == 1
    store.close()


def test_the_index_of_a_moment(tmp_path: Path) -> None:
    parts = [entry(seq, 100 * seq, np.zeros((1, 100), np.int32), t=1_000_000 * seq) for seq in range(20) if seq != 7]
    store = kept(tmp_path, *parts)

    def at(t: int) -> int:
        return store.outlines.index_at("gw-a1", 1, 0, t, 0, 2000)

    assert [at(0), at(1), at(1_000_000), at(6_500_000), at(50_000_000)] == [0, 100, 100, 700, 2000]
    store.close()


def test_runs_beside_the_asked_range_do_not_count() -> None:
    run = rows.Samples(1, 0, 100, 0, np.arange(50, dtype=np.int32), ())
    made = outline.outlined([run], 120, 2, 10)
    assert made.tolist() == [[20, 30], [29, 39]]
