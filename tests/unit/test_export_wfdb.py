"""WFDB exports, read back by PhysioNet's own package."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from centre.export import wfdb
from centre.export.deliver import to_folder
from centre.export.plan import Wish, plan
from tests.exports import readers
from tests.exports.compare import compare
from tests.exports.field import load
from tests.exports.rig import Truth, archive, feed, url_of
from wire.records import MarkAt, StatusAt

package = load("wfdb")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
LEADS = ["ecg.i", "ecg.ii", "ecg.v1"]


def signal(count: int, rows: int = 3, most: int = 2000) -> np.ndarray:
    rng = np.random.default_rng(7)
    return rng.integers(-most, most, (rows, count), dtype=np.int32)


def exported(tmp_path: Path, truth: Truth, form=wfdb.members) -> Path:
    url = url_of(tmp_path)
    gateway = feed(url, truth, [StatusAt(7_500_000, 0, "ecg", "on", "lead II off", "ecg.ii")])
    with archive(url, gateway) as opened:
        to_folder(form(opened, plan(opened, Wish())), tmp_path / "out")
    return tmp_path / "out"


def test_a_whole_record_comes_back(tmp_path: Path) -> None:
    truth = Truth(
        "t", Fraction(500), signal(2600), LEADS, marks=[(3, MarkAt(0, 0, "pace")), (2100, MarkAt(1, 0, "beat", 2))]
    )
    out = exported(tmp_path, truth)
    assert compare(truth, readers.wfdb(out)).good
    (said,) = readers.contexts(out)
    header = package.rdheader(str(out / said["name"]))
    assert (header.fs, header.units, header.adc_gain, header.fmt) == (500, ["mV"] * 3, [1000.0] * 3, ["16"] * 3)
    assert header.base_datetime.isoformat() == "2026-12-06T08:00:07"
    assert any("grade A" in line and "mapping 2-" in line for line in header.comments)
    marks = package.rdann(str(out / said["name"]), "atr")
    assert list(zip(marks.sample.tolist(), marks.aux_note, strict=True)) == [
        (3, "ecg.i pace 1"),
        (250, "status ecg on ecg.ii lead II off"),
        (2100, "ecg.ii beat 2"),
    ]
    assert "lead II off" in (out / f"{said['name']}.notices.csv").read_text()
    assert package.rdrecord(str(out / said["name"]), physical=False).checksum == header.checksum


@pytest.mark.parametrize(("most", "width"), [(2**15, "24"), (2**23 - 1, "24"), (2**23 + 5, "32")])
def test_the_format_is_as_wide_as_the_samples(tmp_path: Path, most: int, width: str) -> None:
    values = signal(700)
    values[1, 5] = -most
    truth = Truth("t", Fraction(250), values, LEADS)
    out = exported(tmp_path, truth)
    assert compare(truth, readers.wfdb(out)).good
    (said,) = readers.contexts(out)
    assert package.rdheader(str(out / said["name"])).fmt == [width] * 3


def test_gaps_are_no_samples(tmp_path: Path) -> None:
    truth = Truth("t", Fraction(360), signal(5000), LEADS)
    rng = np.random.default_rng(1)
    for at in rng.integers(400, 4200, 30):
        truth.held[:, at : at + int(rng.integers(1, 90))] = False
    truth.held[1, 4500:4600] = False  # one lead alone
    out = exported(tmp_path, truth)
    assert compare(truth, readers.wfdb(out)).good
    (said,) = readers.contexts(out)
    assert {h["cause"] for h in said["holes"]} == {"device-lost"}
    physical = package.rdrecord(str(out / said["name"])).p_signal
    assert np.array_equal(np.isnan(physical).T, ~truth.held)


@pytest.mark.parametrize("most", [2000, 2**20])
def test_flac_comes_back(tmp_path: Path, most: int) -> None:
    truth = Truth("t", Fraction(360), signal(3000, 10, most), [f"lead{n}" for n in range(10)])
    truth.held[:, 700:800] = False
    out = exported(tmp_path, truth, wfdb.flac)
    assert compare(truth, readers.wfdb(out)).good
    assert not list(out.glob("*.dat"))
