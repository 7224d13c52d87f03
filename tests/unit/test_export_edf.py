"""EDF+ exports, read back by EDFlib and MNE."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from centre.export import edf
from centre.export.decimals import exact
from centre.export.deliver import to_folder
from centre.export.plan import RefusedError, Wish, plan
from tests.exports import readers
from tests.exports.compare import compare
from tests.exports.field import load
from tests.exports.rig import Truth, archive, feed, url_of
from tests.unit.test_export_wfdb import LEADS, signal
from wire.records import MarkAt, StatusAt

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def exported(tmp_path: Path, truth: Truth, form=edf.members) -> Path:
    url = url_of(tmp_path)
    gateway = feed(url, truth, [StatusAt(7_500_000, 0, "ecg", "on", "lead II off", "ecg.ii")])
    with archive(url, gateway) as opened:
        to_folder(form(opened, plan(opened, Wish())), tmp_path / "out")
    return tmp_path / "out"


@pytest.mark.parametrize("count", [5000, 4999, 503])
def test_a_whole_record_comes_back(tmp_path: Path, count: int) -> None:
    truth = Truth("t", Fraction(500), signal(count), LEADS, filter="monitor 0.5-40 Hz")
    truth.gains[2] = Fraction(1, 205)
    truth.marks = [(3, MarkAt(0, 0, "pace")), (400, MarkAt(1, 0, "lead-off", 50))]
    out = exported(tmp_path, truth)
    assert compare(truth, readers.edf(out)).good
    name = next(path for path in sorted(out.glob("*.edf")) if "ends" not in path.name)
    with load("pyedflib").EdfReader(str(name)) as reader:
        assert reader.getStartdatetime().isoformat() == "2026-12-06T08:00:07"
        assert reader.getPatientCode() == ""  # X: nobody is bound
        assert reader.getPrefilter(0).strip() == "filter:monitor 0.5-40 Hz"
        assert [reader.getPhysicalDimension(row).strip() for row in range(3)] == ["mV"] * 3
        values = reader.readSignal(2)
        assert np.allclose(values, truth.values[2, : len(values)] / 205, rtol=1e-12, atol=1e-12)
        onsets, durations, texts = reader.readAnnotations()
    said = dict(zip(texts, zip(onsets, durations, strict=True), strict=True))
    assert said["pace@@ECG I"][0] == pytest.approx(0.006)
    assert said["lead-off@@ECG II"] == pytest.approx((0.8, 0.1))
    assert said["status ecg on ecg.ii lead II off"][0] == pytest.approx(0.5)
    assert any("grade A" in text and "mapping 2-" in text for text in texts)


def test_gaps_stay_gaps(tmp_path: Path) -> None:
    truth = Truth("t", Fraction(360), signal(5000), LEADS)
    rng = np.random.default_rng(1)
    for at in range(400, 4400, 160):
        truth.held[:, at : at + int(rng.integers(1, 90))] = False
    truth.held[1, 4500:4600] = False
    out = exported(tmp_path, truth)
    assert compare(truth, readers.edf(out)).good
    heads = [readers.edf_layout(path)[0] for path in out.glob("*.edf")]
    assert any("EDF+D" in head for head in heads)


def test_parts_are_all_continuous(tmp_path: Path) -> None:
    truth = Truth("t", Fraction(500), signal(3000), LEADS)
    truth.held[:, 1000:1100] = False
    out = exported(tmp_path, truth, edf.parts)
    assert all("EDF+C" in readers.edf_layout(path)[0] for path in out.glob("*.edf"))
    assert compare(truth, readers.edf(out)).good


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    values = signal(700)
    values[1, 5] = 40000
    with pytest.raises(RefusedError, match="more than 16 bits") as said:
        exported(tmp_path, Truth("t", Fraction(250), values, LEADS))
    assert "wfdb" in said.value.hint
    assert not (tmp_path / "out").exists()


def test_a_rate_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="whole number of samples"):
        exported(tmp_path, Truth("t", Fraction(1001, 2), signal(1100), LEADS))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1, 3), ""),
        (Fraction(-1, 8), "-0.125"),
        (Fraction(9, 360), "0.025"),
        (Fraction(7), "7"),
        (Fraction(1, 10**9), ""),
    ],
)
def test_decimals_are_exact_or_nothing(value: Fraction, text: str) -> None:
    assert exact(value, 8) == text
