"""Twelve leads on paper: true to scale in the file itself, nothing derived, nothing blank without a word."""

from __future__ import annotations

import io
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pypdf
import pytest

from centre import ecg
from centre.store import Batch, Entry, Store
from centre.web.app import STATEMENT, make_app
from tests.system.page_caller import ask
from wire import codec, records
from wire.envelope import Header
from wire.topics import Address, Class

ADDRESS = Address("lokossa", "gw-a1")
UTC = 1_800_000_000_000_000
SECOND = 1_000_000
HZ = 500
MM = 72 / 25.4  # PDF's unit is 1/72 inch
SENT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


def kept(folder: Path, filter_name: str = "monitor", holes: bool = False) -> Store:
    """Twenty seconds of eight leads: a millivolt up in two fifths of each second, on top of 100 mV in lead I."""
    store = Store(f"sqlite:///{folder / 'centre.db'}")
    infos = [
        records.StreamInfo(n, ecg.channel(lead), 0, "mV", (HZ, 1), (1, 200), (0, 1), 12, filter_name)
        for n, lead in enumerate(SENT)
    ]
    gaps = [records.StreamGap(4 * SECOND, n, 4 * HZ, HZ // 2, "parse") for n in range(len(SENT))] if holes else []
    said = (
        records.Catalogue(0, 0, "edan_m3", "sum", "usb-1", "Edan", "M3", "SN17", "", infos),
        records.Anchor(0, UTC, 20_000, "ntp"),
        records.Association(0, "scan", "validated", "nurse", "7f3ac0", "Кровать 4"),
        *gaps,
    )
    entries = [Entry(ADDRESS, Header(3, Class.VITAL, 0, 0), UTC + 60 * SECOND, 100, bytes(32), bytes(8), records=said)]
    values = np.tile(np.where(np.arange(HZ) < HZ * 3 // 5, 0, 200).astype(np.int32), (len(SENT), 1))
    values[0] += 20_000
    for second in range(20):
        count = HZ // 2 if holes and second == 4 else HZ
        first = second * HZ + HZ - count
        marks = [records.MarkAt(1, 0, "lead-off", HZ)] if second == 6 else []
        block = records.Block(
            (second + 1) * SECOND, 0, len(SENT), first, count, codec.encode(values[:, -count:]), marks
        )
        header, digest = Header(3, Class.WAVE, second, 0), (1000 + second).to_bytes(32, "big")
        entries.append(Entry(ADDRESS, header, UTC + 60 * SECOND, 100, digest, bytes(8), blocks=[block]))
    store.write(Batch(entries=entries, heard={ADDRESS: UTC}))
    return store


def answered(store: Store, path: str) -> Any:
    said = ask(make_app(store, None, now=lambda: UTC + 90 * SECOND), path)  # type: ignore[arg-type]
    assert said.status_code == 200, said.text
    return said


def printed(store: Store, at: int = UTC) -> pypdf.PageObject:
    said = answered(store, f"/api/beds/gw-a1/export/ecg12.pdf?at={at}")
    assert said.headers["content-type"] == "application/pdf"
    [page] = pypdf.PdfReader(io.BytesIO(said.content)).pages
    return page


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> pypdf.PageObject:
    """The page of a recording without gaps."""
    return printed(kept(tmp_path_factory.mktemp("plain")))


def paths(page: pypdf.PageObject) -> list[list[tuple[float, float]]]:
    """Points of every path of the page, millimetres; a line of the grid is one of two points."""
    content = page.get_contents()
    assert content is not None
    found: list[list[tuple[float, float]]] = []
    for x, y, operator in re.findall(rb"(-?[\d.]+) (-?[\d.]+) ([ml])\b", content.get_data()):
        if operator == b"m":
            found.append([])
        found[-1].append((float(x) / MM, float(y) / MM))
    return found


def steps(trace: list[tuple[float, float]]) -> list[float]:
    """Where a trace rises by half a millivolt or more from one sample to the next, millimetres."""
    return [b[0] for a, b in pairwise(trace) if b[1] - a[1] > 5]


def test_a_second_is_25_mm_and_a_millivolt_10(plain: pypdf.PageObject) -> None:
    page = plain
    assert (float(page.mediabox.width) / MM, float(page.mediabox.height) / MM) == pytest.approx((297, 210), abs=0.1)
    traces = [path for path in paths(page) if len(path) > 100]
    assert len(traces) == len(SENT) + 1  # eight leads, and the rhythm
    for trace in traces:
        heights = [y for _, y in trace]
        assert max(heights) - min(heights) == pytest.approx(10, abs=0.01)
    rhythm = max(traces, key=lambda trace: trace[-1][0] - trace[0][0])
    rises = steps(rhythm)
    assert len(rises) >= 9
    assert rises[-1] - rises[0] == pytest.approx(25 * (len(rises) - 1), abs=0.1)
    assert all(b - a == pytest.approx(25, abs=0.1) for a, b in pairwise(rises))
    assert rhythm[0][0] == pytest.approx(30, abs=0.1)


def test_the_pulse_in_front_of_each_row_is_a_millivolt_for_200_ms(plain: pypdf.PageObject) -> None:
    pulses = [path for path in paths(plain) if len(path) == 6]
    assert len(pulses) == 4
    for pulse in pulses:
        (_, low), (left, high) = pulse[1], pulse[2]
        assert high - low == pytest.approx(10, abs=0.01)
        assert pulse[3][0] - left == pytest.approx(5, abs=0.01)


def test_the_grid_is_of_millimetres(plain: pypdf.PageObject) -> None:
    upright = sorted({round(path[0][0], 2) for path in paths(plain) if len(path) == 2
                      and path[0][0] == path[1][0] and path[0][1] - path[1][1] < -100})  # fmt: skip
    assert upright == [20 + at for at in range(261)]


def test_the_sheet_says_who_where_when_how_well_and_what_it_is_not(plain: pypdf.PageObject) -> None:
    text = " ".join(plain.extract_text().split())
    for words in (
        "7f3ac0", "scan, validated", "Кровать 4", "lokossa", "gateway gw-a1", "2027-01-15 08:00:00.000 UTC", "grade A",
        "Edan M3, serial SN17", "monitor band: not for ST", "25 mm/s 10 mm/mV", "III, aVR, aVL, aVF",
        "not sent by the device", "I at 100 mV", "lead-off",
    ):  # fmt: skip
        assert words in text, words
    assert STATEMENT in text


def test_a_gap_stays_a_gap_and_says_its_cause(tmp_path: Path) -> None:
    page = printed(kept(tmp_path, holes=True))
    assert "no data: parse" in page.extract_text()
    row = [path for path in paths(page) if len(path) > 100]
    rhythm = [p for p in row if p[0][0] < 31 or p[0][0] > 135]
    ends = max(x for p in rhythm for x, _ in p if x < 131 and p[0][0] < 31 and len(p) > 1500)
    assert ends == pytest.approx(30 + 4 * 25, abs=0.15)
    said = answered(kept(tmp_path / ".", holes=True), f"/api/beds/gw-a1/ecg?at={UTC}").json()
    [hole] = next(lead for lead in said["leads"] if lead["name"] == "II")["holes"]
    assert (hole["begin"], hole["end"], hole["words"]) == (
        pytest.approx(4e6, abs=1e4),
        pytest.approx(4.5e6, abs=1e4),
        "parse",
    )


def test_what_ends_within_the_window_says_so(tmp_path: Path) -> None:
    said = answered(kept(tmp_path), f"/api/beds/gw-a1/ecg?at={UTC + 15 * SECOND}").json()
    lead = said["leads"][1]
    [hole] = lead["holes"]
    assert (hole["begin"], hole["end"], hole["words"]) == (pytest.approx(5e6, abs=1e4), 10e6, "nothing recorded")
    assert [one["name"] for one in said["leads"] if not one["sent"]] == ["III", "aVR", "aVL", "aVF"]
    assert (said["grade"], said["band"]) == ("A", "monitor band: not for ST")


def test_a_patient_is_never_guessed(tmp_path: Path) -> None:
    """Who is bound today was not bound then; whoever changes within the ten seconds is named by nobody."""
    store = kept(tmp_path)
    later = [records.Association(12 * SECOND, "scan", "validated", "nurse", "a8b1", "Bed 9")]
    header = Header(3, Class.VITAL, 1, 0)
    entry = Entry(ADDRESS, header, UTC + 60 * SECOND, 100, bytes([1]) * 32, bytes(8), records=later)
    store.write(Batch(entries=[entry], heard={ADDRESS: UTC}))

    def patient(second: int) -> str:
        return str(answered(store, f"/api/beds/gw-a1/ecg?at={UTC + second * SECOND}").json()["patient"])

    assert patient(0) == "patient 7f3ac0 · bound by scan, validated"
    assert patient(5) == "patient: the binding changed within these ten seconds"
    assert patient(13) == "patient a8b1 · bound by scan, validated"


def test_without_an_ecg_there_is_no_sheet(tmp_path: Path) -> None:
    app = make_app(kept(tmp_path), None, now=lambda: UTC)  # type: ignore[arg-type]
    assert ask(app, f"/api/beds/gw-a1/export/ecg12.pdf?at={UTC + 3600 * SECOND}").status_code == 404
    assert ask(app, f"/api/beds/gw-zz/ecg?at={UTC}").status_code == 404


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"diagnostic"}, "diagnostic band (the device says: diagnostic)"),
        ({"DIAG"}, "diagnostic band (the device says: DIAG)"),
        ({"0.05-150 Hz"}, "diagnostic band (the device says: 0.05-150 Hz)"),
        ({"0.5-40Hz"}, "monitor band: not for ST (the device says: 0.5-40Hz)"),
        ({"monitor"}, "monitor band: not for ST"),
        ({"diagnostic", ""}, "monitor band: not for ST (the device says: diagnostic, and of some nothing)"),
        ({"diagnostic", "monitor"}, "monitor band: not for ST (the device says: diagnostic, monitor)"),
        ({""}, "filter not stated: not for ST"),
    ],
)
def test_the_band_is_what_the_device_says(filters: set[str], said: str) -> None:
    assert ecg.band(filters) == said
