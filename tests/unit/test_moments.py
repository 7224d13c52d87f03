"""drivers.moments: what is a day, and what only looks like one."""

import pytest

from drivers.contract import DeviceTime
from drivers.moments import clock, existing


@pytest.mark.parametrize("iso", ["2024-02-29T23:59:59", "2014-11-22T08:05"])
def test_a_moment_is_told_as_it_was_given(iso: str) -> None:
    assert existing(iso) == iso
    assert list(clock(iso)) == [DeviceTime(iso)]


@pytest.mark.parametrize("iso", ["", "2023-02-29T00:00:00", "2024-13-01T00:00", "2024-01-97T11:24", "2024-01-01T24:30"])
def test_what_does_not_exist_is_no_moment(iso: str) -> None:
    assert existing(iso) == ""
    assert list(clock(iso)) == []
