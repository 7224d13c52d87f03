"""CSV and Parquet exports, read back by pandas and pyarrow."""

from __future__ import annotations

import csv as plain_csv
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from centre.export import tables
from centre.export.deliver import to_folder
from centre.export.plan import Wish, plan
from tests.exports import readers
from tests.exports.compare import compare
from tests.exports.field import load
from tests.exports.rig import UTC, Truth, archive, feed, url_of
from tests.unit.test_export_wfdb import LEADS, signal
from wire.records import AlarmAt, Association, NumericAt, StreamGap, StreamInfo

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SPO2 = StreamInfo(9, "spo2", 150456, "%")


def exported(tmp_path: Path, truth: Truth, form, wish: Wish, *more) -> Path:
    url = url_of(tmp_path)
    gateway = feed(url, truth, more, [SPO2])
    with archive(url, gateway) as opened:
        to_folder(form(opened, plan(opened, wish)), tmp_path / "out")
    return tmp_path / "out"


def gapped() -> Truth:
    truth = Truth("t", Fraction(500), signal(5000, most=2**31 - 1), LEADS)
    truth.held[:, 1000:1100] = False
    truth.held[1, 2000:2001] = False
    return truth


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_samples_come_back_and_gaps_are_absent(tmp_path: Path, name: str) -> None:
    truth = gapped()
    out = exported(tmp_path, truth, getattr(tables, name), Wish())
    assert compare(truth, getattr(readers, name)(out)).good


def test_parquet_says_scale_and_interval(tmp_path: Path) -> None:
    out = exported(tmp_path, gapped(), tables.parquet, Wish())
    (path,) = out.glob("*.parquet")
    table = load("pyarrow.parquet").read_table(path)
    assert json.loads(table.schema.field("ecg.i").metadata[b"gain"]) == [1, 1000]
    context = json.loads(table.schema.metadata[b"wardlink"])
    assert context["mapping"].startswith("2-")
    first = table.slice(0, 1).to_pylist()[0]
    assert first["earliest"] < first["utc"] < first["latest"]
    assert round(first["utc"].timestamp() * 1e6) == UTC + 7_000_000


def test_a_wish_is_cut_to_the_sample(tmp_path: Path) -> None:
    begin = UTC + 7_000_000 + 2_000_000
    out = exported(tmp_path, gapped(), tables.parquet, Wish(begin, begin + 1_000_000))
    (path,) = out.glob("*.parquet")
    index = load("pyarrow.parquet").read_table(path).column("index").to_pylist()
    assert (index[0], index[-1], len(index)) == (1000 + 100, 1499, 400)


def test_readings_and_notices_are_told_as_they_were_said(tmp_path: Path) -> None:
    said = (
        NumericAt(8_000_000, 9, Decimal("97.50"), "questionable"),
        NumericAt(9_000_000, 9, None, "sensor-off"),
        NumericAt(9_500_000, 9, 96, "", "2000-01-01T00:00:06"),
        AlarmAt(9_600_000, 0, "196648", "low, \u202every", "high", "on", "spo2"),
        Association(9_700_000, "scan", "validated", "nurse", "p-1", "bed 7"),
        NumericAt(9_800_000, 9, 0),
    )
    out = exported(tmp_path, gapped(), tables.csv, Wish(), *said)
    told = [row for path in sorted(out.glob("*.readings.csv")) for row in plain_csv.DictReader(path.open())]
    assert [(row["value"], row["why"], row["patient"]) for row in told] == [
        ("97.50", "questionable", ""), ("", "sensor-off", ""), ("96", "", ""), ("0", "", "p-1"),
    ]  # fmt: skip
    assert told[2]["said"] == "2000-01-01T00:00:06"
    assert (told[2]["taken"], told[0]["grade"]) == ("", "A")
    assert int(told[0]["utc"]) == UTC + 8_000_000
    notices = [row for path in sorted(out.glob("*.notices.csv")) for row in plain_csv.DictReader(path.open())]
    assert [(row["kind"], row["priority"], row["text"]) for row in notices] == [("alarm", "high", "low, \ufffdvery")]


def test_a_strip_ends_where_another_person_begins(tmp_path: Path) -> None:
    truth = Truth("t", Fraction(500), signal(5000), LEADS)
    bound = Association(10_000_000, "scan", "validated", "nurse", "p-1", "bed 7")
    out = exported(tmp_path, truth, tables.parquet, Wish(), bound)
    assert compare(truth, readers.parquet(out)).good
    assert [(c["patient"], c["first"], c["last"]) for c in readers.contexts(out)] == [
        ("", 0, 1500),
        ("p-1", 1500, 5000),
    ]


def test_what_nobody_declared_is_a_hole_that_may_still_come(tmp_path: Path) -> None:
    truth = gapped()
    gateway = feed(url_of(tmp_path), truth, declared=False)
    with archive(url_of(tmp_path), gateway) as opened:
        (strip,) = plan(opened, Wish()).strips
    assert [(row, hole.first, hole.last, hole.cause) for row, hole in strip.holes] == [
        (0, 1000, 1100, "not-received"), (1, 1000, 1100, "not-received"), (1, 2000, 2001, "not-received"),
        (2, 1000, 1100, "not-received"),
    ]  # fmt: skip


def test_a_gap_of_unknown_size_ends_a_strip(tmp_path: Path) -> None:
    truth = Truth("t", Fraction(500), signal(3000), LEADS)
    cuts = [StreamGap(9_000_000, stream, 1000, None, "parse") for stream in range(3)]
    out = exported(tmp_path, truth, tables.parquet, Wish(), *cuts)
    assert compare(truth, readers.parquet(out)).good
    assert [(c["first"], c["last"]) for c in readers.contexts(out)] == [(0, 1000), (1000, 3000)]


def test_a_stream_that_lost_count_is_a_strip_of_its_own(tmp_path: Path) -> None:
    truth = Truth("t", Fraction(500), signal(3000), LEADS)
    out = exported(tmp_path, truth, tables.parquet, Wish(), StreamGap(9_000_000, 2, 1000, None, "parse"))
    assert compare(truth, readers.parquet(out)).good
    said = sorted((c["streams"][0]["stream"], len(c["streams"]), c["first"], c["last"]) for c in readers.contexts(out))
    assert said == [(0, 2, 0, 3000), (2, 1, 0, 1000), (2, 1, 1000, 3000)]
