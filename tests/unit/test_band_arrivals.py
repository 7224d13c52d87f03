"""A stream that was coded now with others and now alone has one course of arrivals."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from centre.store import Store
from tests.exports.rig import Truth, feed, url_of


def test_arrivals_of_two_bands_are_one_row(tmp_path: Path) -> None:
    values = np.arange(2000, dtype=np.int32).reshape(2, 1000)
    truth = Truth("t", Fraction(100), values, ["ecg.i", "ecg.ii"])
    truth.held[0, 300:600] = False
    gateway = feed(url_of(tmp_path), truth)
    store = Store(url_of(tmp_path))
    (row,) = store.arrivals(gateway, 1, 1, 10**12)
    store.close()
    assert row.first is not None
    assert row.last is not None
    assert (row.first[0], row.last[0]) == (99, 999)
