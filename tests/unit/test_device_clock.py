"""TIM-09: clocks of devices are recorded, never trusted; what they kept is dated only where that is proven."""

from __future__ import annotations

import random

import pytest

from centre.device_clock import DAY_US, HOUR_US, LATE_US, MINUTE_US, DeviceClock, Pair, is_unset, moment
from centre.rows import Taken

NOON = 1_800_000_000_000_000  # UTC
SECOND = 1_000_000


def pair(utc: int, ahead: int, resolution: int = SECOND, error: int = 20_000) -> Pair:
    said = (utc + ahead) // resolution * resolution
    return Pair(utc - error, utc + error, said, resolution)


def iso(text: str) -> int:
    found = moment(Taken(text))
    assert found is not None
    return found[0]


def test_a_cuff_whose_clock_began_at_2000_and_runs_is_dated_between_two_visits() -> None:
    ahead = iso("2000-01-01T00:10:00") - NOON
    clock = DeviceClock([pair(NOON, ahead), pair(NOON + DAY_US, ahead)])
    assert is_unset(clock.stretches[0][0].said)
    taken = NOON + 5 * HOUR_US
    found = clock.when(taken + ahead, SECOND, NOON + DAY_US)
    assert found.utc is not None
    assert found.error is not None
    assert abs(found.utc - taken) <= found.error <= 10 * SECOND


def test_what_it_kept_from_before_the_first_visit_is_unknown_and_not_guessed() -> None:
    ahead = 6 * MINUTE_US
    clock = DeviceClock([pair(NOON, ahead), pair(NOON + DAY_US, ahead)])
    before = clock.when(NOON - HOUR_US + ahead, SECOND, NOON)
    assert (before.utc, before.earliest, before.latest, before.grade) == (None, None, NOON, "X")
    assert DeviceClock([pair(NOON, ahead)]).when(NOON - HOUR_US + ahead, SECOND, NOON).utc is None


def test_a_cuff_six_minutes_ahead_is_set_right_between_its_visits() -> None:
    ahead = 6 * MINUTE_US
    clock = DeviceClock([pair(NOON + n * DAY_US, ahead) for n in range(3)])
    assert clock.jumps == []
    assert clock.fit is not None
    assert abs(clock.fit.offset_us - ahead) <= clock.fit.error_us <= 2 * SECOND
    found = clock.when(NOON + 30 * HOUR_US + ahead, SECOND, NOON + 2 * DAY_US)
    assert found.utc is not None
    assert abs(found.utc - (NOON + 30 * HOUR_US)) <= (found.error or 0)


def test_a_jump_in_the_middle_of_a_download_leaves_unknown_what_came_before_it() -> None:
    """The battery was out between two records: the later one has the earlier time."""
    reset = iso("2000-01-01T00:00:00") - NOON - 20 * HOUR_US
    clock = DeviceClock([pair(NOON, 0), pair(NOON + DAY_US, reset), pair(NOON + 2 * DAY_US, reset)])
    [jump] = clock.jumps
    assert jump.why == "unset"
    old, new = NOON + 10 * HOUR_US, NOON + 30 * HOUR_US
    assert clock.when(old, SECOND, NOON + DAY_US, following=new + reset).utc is None
    found = clock.when(new + reset, SECOND, NOON + 2 * DAY_US)
    assert found.utc is not None
    assert abs(found.utc - new) <= (found.error or 0)


@pytest.mark.parametrize(("by", "why"), [(HOUR_US, "hour"), (-HOUR_US, "hour"), (17 * MINUTE_US, "set")])
def test_a_clock_that_is_set_or_goes_to_summer_time_begins_another_stretch(by: int, why: str) -> None:
    clock = DeviceClock([pair(NOON, 0), pair(NOON + DAY_US, 0), pair(NOON + 2 * DAY_US, by)])
    [jump] = clock.jumps
    assert (jump.why, abs(jump.by_us - by) < 2 * SECOND) == (why, True)
    assert clock.when(NOON + 36 * HOUR_US, SECOND, NOON + 2 * DAY_US).utc is None
    assert clock.when(NOON + 12 * HOUR_US, SECOND, NOON + 2 * DAY_US).utc is not None


def test_what_two_stretches_could_have_said_is_unknown() -> None:
    """Set back by ten hours: noon to two o'clock was twice."""
    clock = DeviceClock(
        [
            pair(NOON, 0),
            pair(NOON + DAY_US, 0),
            pair(NOON + DAY_US + HOUR_US, -DAY_US),
            pair(NOON + 2 * DAY_US, -DAY_US),
        ]
    )
    assert len(clock.stretches) == 2
    assert clock.when(NOON + 5 * HOUR_US, SECOND, NOON + 3 * DAY_US).utc is None
    first = clock.when(NOON + 5 * HOUR_US, SECOND, NOON + DAY_US)  # it came before the clock was set
    assert first.utc is not None
    assert abs(first.utc - NOON - 5 * HOUR_US) <= (first.error or 0)


def test_a_clock_that_stands_still_dates_nothing() -> None:
    clock = DeviceClock([Pair(NOON + n * HOUR_US, NOON + n * HOUR_US, NOON, SECOND) for n in range(4)])
    assert len(clock.jumps) == 3
    assert clock.when(NOON, SECOND, NOON + DAY_US).utc is None


def test_a_drift_is_measured_with_its_own_error_and_minutes_are_coarse() -> None:
    dice = random.Random(9)
    for resolution in (SECOND, MINUTE_US):
        pairs = [pair(NOON + n * DAY_US, n * 86_400 * 40, resolution) for n in range(30)]  # 40 ppm
        clock = DeviceClock(pairs)
        assert clock.jumps == []
        assert clock.fit is not None
        assert clock.fit.drift_ppm is not None
        assert clock.fit.drift_error_ppm is not None
        assert abs(clock.fit.drift_ppm - 40) <= clock.fit.drift_error_ppm
        for _ in range(50):
            taken = NOON + dice.randrange(29 * DAY_US)
            said = (taken + int((taken - NOON) * 40e-6)) // resolution * resolution
            found = clock.when(said, resolution, NOON + 40 * DAY_US)
            if found.utc is not None and found.error is not None:
                assert abs(found.utc - taken) <= found.error + LATE_US // 1000


def test_moments() -> None:
    assert moment(Taken("2026-11-20T12:00")) == (iso("2026-11-20T12:00:00"), MINUTE_US)
    assert moment(Taken("2026-11-20T12:00:00.5")) == (iso("2026-11-20T12:00:00") + 500_000, 1000)
    assert moment(Taken("", 4000, 2)) == (2_000_000_000, 500_001)  # type: ignore[arg-type]
    assert moment(Taken("")) is None
    assert moment(Taken("yesterday")) is None


@pytest.mark.parametrize("text", ["1970-01-01T00:00:00", "2000-01-01T00:00:06", "2015-01-03T10:00:00"])
def test_clocks_that_nobody_has_set_are_seen(text: str) -> None:
    assert is_unset(iso(text))
    assert not is_unset(iso("2026-11-20T12:00:00"))
