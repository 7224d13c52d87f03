"""The pages in a real browser: what is seen, and what must never be (REQUIREMENTS NUR-14, NUR-16, ALM-03)."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
import uvicorn

from agent.lab.browser import Page, browser
from centre.rows import Anchored
from centre.web.access import Access
from centre.web.app import STATEMENT, make_app
from tests.system.page_source import BOOT_UTC, EPOCH, STREAMS, Memory, Said, bed, run, stream, synthetic
from wire import records

SECOND = 1_000_000
HOSTILE = "<img src=x onerror=document.title='broken'>\u202e"


class Ward:
    """The centre's pages on a port of their own, with a clock that the test sets."""

    def __init__(self, access: Callable[[Memory], Access] | None = None) -> None:
        self.memory = Memory(bed(), bed("gw-b2", bed=HOSTILE, site="naryn", online=False, lost=2, status="conflict"))
        self.memory.catalogue += STREAMS
        self.memory.anchored["gw-a1"].append(Anchored(EPOCH, 0, BOOT_UTC, 12_000, "ntp"))
        self.now = BOOT_UTC
        self.loop = asyncio.new_event_loop()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        app = make_app(self.memory, self.memory, now=lambda: self.now, access=access and access(self.memory))
        self.server = uvicorn.Server(uvicorn.Config(app, port=self.port, log_level="warning", lifespan="off"))

    def url(self, path: str) -> str:
        return f"http://localhost:{self.port}{path}"

    def do(self, act: Callable[[], object]) -> None:
        """In the loop of the pages, as the live source does."""
        done: Future[None] = Future()
        self.loop.call_soon_threadsafe(lambda: (act(), done.set_result(None)))
        done.result(10)

    def say(self, said: Said) -> None:
        self.do(lambda: self.memory.say(said))

    def later(self, seconds: int, **changes: object) -> None:
        """The clock goes on, and the gateway says something that is about no stream: pages hear the new time."""
        self.now += seconds * SECOND
        self.memory.known["gw-a1"] = replace(self.memory.known["gw-a1"], **changes)  # type: ignore[arg-type]
        self.say(Said("gw-a1", live=False))


@contextmanager
def served(access: Callable[[Memory], Access] | None = None) -> Iterator[Ward]:
    ward = Ward(access)
    started = threading.Event()
    ward.server.started = False
    thread = threading.Thread(target=lambda: ward.loop.run_until_complete(_serve(ward, started)))
    thread.start()
    try:
        assert started.wait(10)
        yield ward
    finally:
        ward.server.should_exit = ward.server.force_exit = True
        thread.join(10)
        ward.loop.close()


async def _serve(ward: Ward, started: threading.Event) -> None:
    class Told(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

    ward.server = Told(ward.server.config)
    await ward.server.serve()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as tab:
        tab.size(1400, 1000)
        yield tab


@pytest.fixture
def ward(page: Page) -> Iterator[Ward]:
    page.errors.clear()
    with served() as one:
        yield one
        page.call("Page.navigate", url="about:blank")
    assert page.errors == []


def tile(channel: str, part: str = "") -> str:
    return f"document.querySelector('.tile[title^=\"{channel},\"] {part}')"


def opened(page: Page, ward: Ward) -> None:
    """The page of gw-a1 with its socket open and its catalogue read."""
    page.open(ward.url("/beds/gw-a1"), "document.querySelectorAll('.tile').length === 7")
    page.until("document.querySelectorAll('#facts .chip').length >= 4")


def test_all_beds_at_a_glance_and_strangers_text_is_inert(page: Page, ward: Ward) -> None:
    page.open(ward.url("/"), "document.querySelectorAll('.card').length === 2")
    text = page.ask("document.body.innerText")
    assert "Bed 4, window" in text
    assert "offline: state of the bed unknown" in text
    assert "patient in conflict" in text
    assert "2 lost, 0 missing" in text
    assert STATEMENT in text
    assert "<img src=x" in text
    assert "\u202e" not in text
    assert page.ask("document.querySelectorAll('main img').length") == 0
    assert page.ask("document.title") == "Beds · wardlink centre"


def test_a_live_bed_says_values_units_times_and_grades(page: Page, ward: Ward) -> None:
    opened(page, ward)
    assert "no live data yet" in page.ask(f"{tile('spo2')}.innerText")
    ward.now += 5 * SECOND
    ward.say(synthetic(4, 5 * SECOND))
    page.until(f"{tile('spo2', '.value')}.textContent === '97'")
    text = page.ask(f"{tile('spo2')}.innerText")
    assert "%" in text
    assert "UTC ± 13 ms" in text
    assert page.ask(f"{tile('spo2', '.grade')}.textContent") == "A"
    skin = page.ask(f"{tile('temp.skin')}.innerText")
    assert "sensor off the patient" in skin
    assert page.ask(f"{tile('temp.skin', '.value')}.textContent") == ""
    assert "monitor band: not for ST" in page.ask("document.getElementById('waves').innerText")
    assert "128 mmHg" in page.ask("document.getElementById('dated').innerText")


def test_a_value_goes_grey_and_then_goes(page: Page, ward: Ward) -> None:
    opened(page, ward)
    ward.now += 5 * SECOND
    ward.say(synthetic(4, 5 * SECOND))
    page.until(f"{tile('ecg.hr')}.className.includes('fresh')")
    ward.later(31)
    page.until(f"{tile('ecg.hr')}.className.includes('stale')")
    assert page.ask(f"{tile('ecg.hr', '.value')}.textContent") == "72"
    ward.later(30, online=False)
    page.until(f"{tile('ecg.hr')}.className.includes('gone')")
    text = page.ask(f"{tile('ecg.hr')}.innerText")
    since = page.ask(f"new Date({(BOOT_UTC + 5 * SECOND) // 1000}).toISOString().slice(11, 16)")
    assert f"no live data since {since} (UTC ± 13 ms)" in text
    assert "72" not in text.replace(since, "")
    page.until("document.querySelector('.cover').textContent.startsWith('no live data since')")
    assert "state of this bed is unknown" in page.ask("document.getElementById('warning').innerText")


def test_an_outage_replayed_shows_nothing_as_the_present(page: Page, ward: Ward) -> None:
    opened(page, ward)
    ward.now += 3 * 3600 * SECOND
    for at in range(0, 60, 4):
        ward.say(replace(synthetic(at, (at + 1) * SECOND), live=False))
    page.until("document.getElementById('dated').innerText.includes('128 mmHg')")
    values = page.ask("[...document.querySelectorAll('.value')].map((one) => one.textContent).join('')")
    assert values == ""
    assert page.ask("document.querySelectorAll('.tile.waiting').length") == 7
    assert page.ask("[...document.querySelectorAll('.cover')].every((one) => !one.hidden)")
    assert "Alarm state unknown" in page.ask("document.getElementById('notices-state').textContent")


def test_gaps_and_lead_off_are_said_in_words(page: Page, ward: Ward) -> None:
    ward.memory.catalogue.append(stream(20, HOSTILE, HOSTILE))
    page.open(ward.url("/beds/gw-a1"), "document.querySelectorAll('.tile').length === 8")
    page.ask(
        "(() => { const pen = CanvasRenderingContext2D.prototype; const fill = pen.fillText; window.words = new Set();"
        " pen.fillText = function (text, ...at) { window.words.add(text); return fill.call(this, text, ...at); }; })()"
    )
    for at in range(37, 42):  # second 39 of every twelve lacks the plethysmogram's 33 to 34; 40 is lead-off
        ward.now = BOOT_UTC + (at + 1) * SECOND
        said = synthetic(at, (at + 1) * SECOND)
        if at == 39:
            said = replace(said, samples=[r for r in said.samples if r.stream != 2])
            said.records.append(records.StreamGap(said.samples[0].t, 2, 39 * 75, 75, "parse"))
        ward.say(said)
    page.until("window.words.has('LEAD OFF')")
    page.until("document.querySelector('.strip-gaps').closest('#waves').innerText.includes('damaged on the line')")
    page.until("document.getElementById('notices').innerText.includes('ECG lead V off')")
    assert "device alarm on" in page.ask("document.getElementById('notices').innerText")


# Of a canvas: the topmost and lowest inked row, and the columns where one ink column spans more than half of that.
MEASURE = """(() => {
  const canvas = document.querySelector('.ecg canvas');
  const { width, height } = canvas;
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
  const columns = Array.from({ length: width }, (_, x) =>
    Array.from({ length: height }, (_, y) => y).filter((y) => data[(y * width + x) * 4 + 3] > 128));
  const [top, low] = [Math.min(...columns.flat()), Math.max(...columns.flat())];
  const edges = columns.flatMap((ys, x) => (ys.length > (low - top) / 2 ? [x] : []));
  return { top, low, edges };
})()"""


def test_ecg_is_drawn_at_ten_millimetres_a_millivolt_and_25_a_second(page: Page, ward: Ward) -> None:
    opened(page, ward)
    ward.now += 6 * SECOND
    square = [8192 + 200 * (i // 250 % 2) for i in range(6 * 250)]  # 1 mV up and down, a second each
    ward.say(Said("gw-a1", samples=[run(0, 0, square, 6 * SECOND)]))
    page.until("document.querySelector('.ecg .strip-meta').textContent.includes('10 mm/mV')")
    page.until(f"{MEASURE}.edges.length >= 4")
    drawn = page.ask(MEASURE)
    millimetre = 96 / 25.4
    assert drawn["low"] - drawn["top"] == pytest.approx(10 * millimetre, abs=2.5)  # the line itself is 1.5 px thick
    groups = [x for i, x in enumerate(drawn["edges"]) if i == 0 or x - drawn["edges"][i - 1] > 3]
    seconds = [after - before for before, after in pairwise(groups)]
    assert seconds
    assert all(one == pytest.approx(25 * millimetre, abs=1.5) for one in seconds)
    height = page.ask("document.querySelector('.ecg .bar').getBoundingClientRect().height")
    assert height == pytest.approx(10 * millimetre, abs=0.2)


@pytest.mark.parametrize("width", [360, 1400, 3840])
def test_the_page_fits_its_window(page: Page, ward: Ward, width: int) -> None:
    page.size(width, 900)
    opened(page, ward)
    ward.say(synthetic(4, 5 * SECOND))
    page.until(f"{tile('spo2', '.value')}.textContent === '97'")
    assert page.ask("document.documentElement.scrollWidth") <= width
    page.size(1400, 1000)


def test_a_wave_that_leaves_its_strip_is_fitted_again(page: Page, ward: Ward) -> None:
    opened(page, ward)
    for at, level in enumerate((5, 5, 5, 900, 900)):
        ward.now += SECOND
        values = [level + i % 10 for i in range(75)]
        ward.say(Said("gw-a1", samples=[run(2, at * 75, values, (at + 1) * SECOND)]))
    # The third canvas is the plethysmogram's. Its level goes from 5 to 900: the lower rows are inked, then the upper.
    page.until("document.querySelectorAll('.strip .bar-text')[2].textContent === '200'")


def test_a_doubted_value_is_shown_with_its_doubt(page: Page, ward: Ward) -> None:
    opened(page, ward)
    ward.now += SECOND
    ward.say(Said("gw-a1", [records.NumericAt(SECOND, 5, Decimal("88"), "questionable")]))
    page.until(f"{tile('spo2', '.words')}.textContent === 'questionable'")
    assert page.ask(f"{tile('spo2', '.value')}.textContent") == "88"


def test_a_number_is_never_cut_nor_broken(page: Page, ward: Ward) -> None:
    page.size(360, 900)
    opened(page, ward)
    ward.now += SECOND
    values = {4: "128", 5: "100.0", 6: "1234.56", 7: "-1234567.89"}
    ward.say(Said("gw-a1", [records.NumericAt(SECOND, n, Decimal(v)) for n, v in values.items()]))
    page.until("document.querySelectorAll('.tile.fresh').length === 4")
    for value in page.ask(
        """[...document.querySelectorAll('.tile.fresh')].map((tile) => {
          const value = tile.querySelector('.value');
          const [inner, outer] = [value.getBoundingClientRect(), tile.getBoundingClientRect()];
          return [value.textContent, value.getClientRects().length, inner.right <= outer.right];
        })"""
    ):
        assert value[0] in values.values()
        assert value[1:] == [1, True], value
    page.size(1400, 1000)


def test_a_device_plugged_in_again_takes_the_place_of_its_old_streams(page: Page, ward: Ward) -> None:
    opened(page, ward)
    again = [replace(old, stream=old.stream + 20, session=2) for old in STREAMS if old.session == 0]
    ward.do(lambda: ward.memory.catalogue.extend(again))
    ward.now += SECOND
    catalogue = records.Catalogue(SECOND, 2, "mindray_beneview", "crc", "usb-1.2", "", "", "", "", [])
    ward.say(Said("gw-a1", [catalogue, records.NumericAt(SECOND, 25, Decimal(95))]))
    page.until(f"{tile('spo2', '.value')}?.textContent === '95'")
    assert page.ask("document.querySelectorAll('.tile').length") == 7
    assert page.ask("document.querySelectorAll('.strip').length") == 4


def test_a_catalogue_announced_while_one_is_being_read_is_read_too(page: Page, ward: Ward) -> None:
    """The page has its streams and still waits for the past when a device is plugged in again."""
    ward.memory.past.clear()
    opened(page, ward)
    again = [replace(old, stream=old.stream + 20, session=2) for old in STREAMS if old.session == 0]
    ward.do(lambda: ward.memory.catalogue.extend(again))
    ward.now += 3600 * SECOND
    catalogue = records.Catalogue(SECOND, 2, "mindray_beneview", "crc", "usb-1.2", "", "", "", "", [])
    ward.say(Said("gw-a1", [catalogue, records.NumericAt(3600 * SECOND, 25, Decimal(95))]))
    heard = datetime.fromtimestamp(ward.now / SECOND, UTC)
    page.until(f"document.getElementById('clock').textContent.includes('{heard:%H:%M}')")
    ward.memory.past.set()
    page.until(f"{tile('spo2', '.value')}?.textContent === '95'")
