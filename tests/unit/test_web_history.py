"""A window of hours: drawn where it was, what is missing with its cause, what nobody can date apart."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from centre import placing
from centre.mapping import Mapping
from centre.placing import Ends, Stretch
from centre.rows import Anchored
from centre.store import Batch, Entry, Store
from centre.web.app import make_app
from tests.system.page_caller import ask
from wire import codec, records
from wire.envelope import Header
from wire.topics import Address, Class

ADDRESS = Address("lokossa", "gw-a1")
UTC = 1_800_000_000_000_000
HZ = 100
SECOND = 1_000_000
HOUR = 3600 * SECOND
LATER = UTC + HOUR
STREAMS = [
    records.StreamInfo(0, "ecg.i", 0, "mV", (HZ, 1), (1, 200), (0, 1), 12, "monitor"),
    records.StreamInfo(1, "ecg.ii", 0, "mV", (HZ, 1), (1, 200), (0, 1), 12, "monitor"),
    records.StreamInfo(2, "spo2", 0, "%"),
]


class Kept:
    """A store that is told what came, second by second."""

    def __init__(self, url: str) -> None:
        self.store = Store(url)
        self.seq = 0

    def say(
        self, epoch: int, *said: records.Record, blocks: Sequence[records.Block] = (), came: int = UTC + HOUR
    ) -> None:
        self.seq += 1
        cls = Class.WAVE if blocks else Class.VITAL
        header = Header(epoch, cls, self.seq, 0)
        entry = Entry(ADDRESS, header, came, 100, self.seq.to_bytes(32, "big"), bytes(8), records=said, blocks=blocks)
        self.store.write(Batch(entries=[entry], heard={ADDRESS: came}))

    def begin(self, epoch: int, *said: records.Record, came: int = LATER) -> None:
        catalogue = records.Catalogue(0, 0, "edan_m3", "sum", "usb-1", "Edan", "M3", "SN1", "", STREAMS)
        self.say(epoch, catalogue, *said, came=came)

    def waves(self, epoch: int, first: int, seconds: range, came: int = LATER) -> None:
        """A second of both leads for each of these seconds of t, from index `first` on, one after the other."""
        for at, second in enumerate(seconds):
            values = np.full((2, HZ), second, np.int32)
            values[1] += 1000
            index = first + at * HZ
            block = records.Block((second + 1) * SECOND - SECOND // HZ, 0, 2, index, HZ, codec.encode(values))
            self.say(epoch, blocks=[block], came=came)

    def past(self, first: int, last: int, columns: int = 60) -> dict[str, Any]:
        app = make_app(self.store, None, now=lambda: UTC + HOUR)  # type: ignore[arg-type]
        answer = ask(app, f"/api/beds/gw-a1/history?from={first}&to={last}&columns={columns}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(f"sqlite:///{tmp_path / 'centre.db'}")


ANCHOR = records.Anchor(0, UTC, 20_000, "ntp")


def test_a_wave_is_drawn_where_it_was(kept: Kept) -> None:
    kept.begin(3, ANCHOR)
    kept.waves(3, 0, range(60))
    said = kept.past(UTC, UTC + 60 * SECOND)
    [epoch] = said["epochs"]
    assert [wave["wave"]["channel"] for wave in epoch["waves"]] == ["ecg.i", "ecg.ii"]
    for wave, more in zip(epoch["waves"], (0, 1000), strict=True):
        [piece] = wave["pieces"]
        assert (piece["first"], piece["last"], piece["left"], piece["right"]) == (0, 6000, 0, 60)
        assert piece["least"] == [second + more for second in range(60)]
        assert wave["holes"] == []
    assert (piece["grade"], epoch["grade"]) == ("A", "A")
    assert 20_000 <= piece["error"] <= 30_000
    [narrow] = kept.past(UTC + 10 * SECOND, UTC + 20 * SECOND, 10)["epochs"]
    [piece] = narrow["waves"][0]["pieces"]
    assert piece["least"] == list(range(10, 20))
    assert piece["begun"] == UTC + 10 * SECOND


def test_time_jumps_at_a_gap_of_unknown_size(kept: Kept) -> None:
    kept.begin(3, ANCHOR)
    kept.waves(3, 0, range(20))
    kept.say(3, *(records.StreamGap(20 * SECOND, s, 2000, None, "device-silent") for s in (0, 1)))
    kept.waves(3, 2000, range(40, 60))
    [epoch] = kept.past(UTC, UTC + 60 * SECOND)["epochs"]
    for wave in epoch["waves"]:
        assert [(p["left"], p["right"]) for p in wave["pieces"]] == [(0, 20), (40, 60)]
        assert wave["pieces"][1]["least"][0] % 1000 == 40
        assert [(h["left"], h["right"], h["last"], h["cause"]) for h in wave["holes"]] == [
            (20, 40, None, "device-silent")
        ]


def test_holes_have_their_cause_and_small_ones_are_said(kept: Kept) -> None:
    kept.begin(3, ANCHOR)
    kept.waves(3, 0, range(20))
    kept.say(3, records.StreamGap(30 * SECOND, 0, 2000, 1000, "parse"), records.StreamGap(1, 0, 150, 3, "parse"))
    kept.waves(3, 3000, range(30, 40))
    kept.waves(3, 5000, range(50, 60))
    wave = kept.past(UTC, UTC + 60 * SECOND)["epochs"][0]["waves"][0]
    assert [(h["left"], h["right"], h["cause"]) for h in wave["holes"]] == [
        (1, 1, "parse"),
        (20, 30, "parse"),
        (40, 50, "not-received"),
    ]
    [piece] = wave["pieces"]
    assert [at for at, value in enumerate(piece["least"]) if value is None] == [*range(20, 30), *range(40, 50)]


def test_an_epoch_that_nobody_dates_is_at_no_point(kept: Kept) -> None:
    kept.begin(2)
    kept.waves(2, 0, range(5))
    kept.begin(3, ANCHOR)
    kept.waves(3, 0, range(5))
    said = kept.past(UTC - HOUR, UTC + HOUR)
    assert [epoch["epoch"] for epoch in said["epochs"]] == [3]
    [apart] = said["undated"]
    assert (apart["epoch"], apart["grade"], apart["streams"]) == (2, "D", [0, 1, 2])
    assert apart["latest"] <= UTC + HOUR + SECOND
    assert kept.past(UTC + HOUR, UTC + 2 * HOUR) | {"now": 0} == {
        "now": 0,
        "gateway": "gw-a1",
        "first": UTC + HOUR,
        "last": UTC + 2 * HOUR,
        "columns": 60,
        "width": 60 * SECOND,
        "epochs": [],
        "undated": [],
        "left_out": 0,
    }


def test_epochs_follow_one_another_on_one_axis(kept: Kept) -> None:
    for epoch in range(1, 30):
        start = UTC + epoch * 60 * SECOND
        kept.begin(epoch, records.Anchor(0, start, 20_000, "ntp"), came=start)
        kept.waves(epoch, 0, range(30), came=start + 31 * SECOND)
    said = kept.past(UTC + 10 * 60 * SECOND, UTC + 20 * 60 * SECOND - SECOND, 10)
    assert [epoch["epoch"] for epoch in said["epochs"]] == list(range(10, 20))
    assert [epoch["left"] for epoch in said["epochs"]] == list(range(10))
    assert said["left_out"] == 0


def test_readings_are_thinned_to_the_least_and_the_greatest(kept: Kept) -> None:
    kept.begin(3, ANCHOR)
    values = ["97", "88", "99", "1E+2", "NaN", "1E+999999"]
    kept.say(3, *(records.NumericAt(n, 2, Decimal(v)) for n, v in enumerate(values)))
    kept.say(3, records.NumericAt(30 * SECOND, 2, None, "sensor-off"), records.NumericAt(59 * SECOND, 2, Decimal("0")))
    kept.say(3, records.NumericAt(40 * SECOND, 2, Decimal("55"), iso="2026-01-01T00:00:00"))  # from its memory
    [numeric] = kept.past(UTC, UTC + 60 * SECOND)["epochs"][0]["numerics"]
    assert list(zip(numeric["columns"], numeric["least"], numeric["greatest"], strict=True)) == [
        (0, 88.0, 100.0),
        (59, 0.0, 0.0),
    ]
    assert numeric["absent"] == [{"column": 30, "why": "sensor-off"}]
    assert numeric["numeric"]["channel"] == "spo2"


def test_a_window_is_two_seconds_to_three_days(kept: Kept) -> None:
    kept.begin(3, ANCHOR)
    said = kept.past(UTC, UTC)
    assert said["last"] - said["first"] == 2 * SECOND
    said = kept.past(UTC, UTC + 1000 * HOUR)
    assert said["last"] - said["first"] == 72 * HOUR


@given(st.integers(-500, 500), st.integers(0, 72 * HOUR), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_an_instant_is_found_again(ppm: int, t: int, error: int) -> None:
    """Over three days with a quartz that is as bad as may be."""
    anchors = [Anchored(1, at, UTC + at + at * ppm // 10**6, error, "ntp") for at in range(0, 73 * HOUR, 6 * HOUR)]
    mapping = Mapping(anchors)
    utc = mapping.at(t).utc
    assert utc is not None
    assert abs(placing.t_of(mapping, utc, 0, 72 * HOUR) - t) <= 1000


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 100)), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_stretches_hold_no_jump_that_is_seen(parts: list[tuple[int, int]]) -> None:
    """`parts`: seconds of samples at 1 Hz, then a pause that takes no number."""
    times: list[int] = []
    cuts: list[int] = []
    t = 0
    for seconds, pause in parts:
        times += [(t + at) * SECOND for at in range(seconds)]
        t += seconds + pause
        cuts.append(len(times))

    def ends(first: int, last: int) -> Ends:
        return Ends((first, times[first]), (last - 1, times[last - 1]))

    width = 10 * SECOND
    found = placing.stretches((0, len(times)), cuts, Fraction(1), ends, width)
    assert [one.first for one in found] == [0, *(one.last for one in found[:-1])]
    for one in found:
        for index in range(one.first, one.last):
            steps = max(1, one.last - 1 - one.first)
            drawn = one.begun + (index - one.first) * (one.ended - one.begun) // steps
            assert abs(drawn - times[index]) <= width + SECOND
    assert all(before.ended < after.begun for before, after in pairwise(found))


def test_a_stretch_is_clipped_to_whole_samples() -> None:
    whole = Stretch(100, 201, 0, 1000)
    assert placing.clipped(whole, 95, 205) == Stretch(110, 121, 100, 200)
    assert placing.clipped(whole, 1001, 2000) is None
    assert placing.clipped(whole, 101, 102) is None
