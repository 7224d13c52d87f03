"""A small piece of `python -m tests.exports`: every format, a record with gaps, and a judge that can say no."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.exports.__main__ import READERS, line, with_gaps
from tests.exports.compare import compare
from tests.exports.rig import Truth, feed, url_of
from tests.unit.test_export_wfdb import LEADS, signal

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def test_every_format_gives_every_sample_back(tmp_path: Path) -> None:
    truth = with_gaps(Truth("small", Fraction(250), signal(2000), LEADS), gaps=12)
    gateway = feed(url_of(tmp_path), truth)
    said = {name: line(truth, url_of(tmp_path), gateway, name, tmp_path / name) for name in READERS}
    assert {name: one.get("good") for name, one in said.items()} == dict.fromkeys(READERS, True)
    assert {one["equal"] for one in said.values()} == {int(truth.held.sum())}


def test_the_judge_sees_what_is_altered_absent_or_made_up() -> None:
    truth = Truth("t", Fraction(250), signal(100), LEADS)
    truth.held[:, 50] = False
    whole = [(name, 0, truth.values[row][:50]) for row, name in enumerate(LEADS)]
    whole += [(name, 51, truth.values[row][51:]) for row, name in enumerate(LEADS)]
    assert compare(truth, whole).good
    assert not compare(truth, whole[1:]).good
    assert compare(truth, [*whole, ("ecg.i", 50, np.zeros(1, np.int64))]).extra == 1
    assert compare(truth, [*whole[1:], ("ecg.i", 0, truth.values[0][:50] + 1)]).other == 50
