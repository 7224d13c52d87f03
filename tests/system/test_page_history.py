"""History and the 12-lead page in a real browser: where it is, what is missing, by keys, and never as the present."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.lab.browser import Page, browser
from centre.rows import Gap
from tests.page.looked_at import violations
from tests.system.page_source import BOOT_UTC, EPOCH, ecg_mv, run, stream
from tests.system.test_page import SECOND, Ward, served
from wire.records import MarkAt

AXE = Path(os.environ.get("AXE", Path(__file__).parents[1] / "page/tools/node_modules/axe-core/axe.min.js"))
LANE = "document.querySelector('#lanes .strip')"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as tab:
        tab.size(1400, 1000)
        yield tab


@pytest.fixture(scope="module")
def ward() -> Iterator[Ward]:
    """Two minutes of ECG II and V1 with ten seconds that were damaged; nothing of it was ever live on a page."""
    with served() as one:
        memory = one.memory
        for number, channel in ((0, "ecg.ii"), (30, "ecg.v1")):
            if number:
                memory.catalogue.append(
                    stream(number, channel, "mV", memory.catalogue[0].rate, gain=memory.catalogue[0].gain)
                )
            for second in range(120):
                values = [round(200 * ecg_mv(second + i / 250)) for i in range(250)]
                marks = [MarkAt(0, 100, "lead-off", 125)] if second == 100 else []
                if not 40 <= second < 50:
                    memory.runs["gw-a1", EPOCH, number].append(
                        run(number, second * 250, values, (second + 1) * SECOND, *marks)
                    )
        memory.lost["gw-a1"].append(Gap(EPOCH, 0, 50 * SECOND, 40 * 250, 10 * 250, "parse"))
        one.now = BOOT_UTC + 121 * SECOND
        yield one


def key(page: Page, name: str) -> None:
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key=name, code=name)


def opened(page: Page, ward: Ward) -> None:
    page.errors.clear()
    page.call("Page.navigate", url="about:blank")
    page.open(ward.url("/beds/gw-a1"), "document.querySelectorAll('#facts .chip').length >= 4")


def windowed(page: Page, seconds: int) -> None:
    page.ask(f"(() => {{ const one = document.getElementById('axis-span'); one.value = '{seconds}';"
             " one.dispatchEvent(new Event('change')); one.blur(); })()")  # fmt: skip
    page.until(f"!document.getElementById('past').hidden && {LANE} && document.getElementById('past-state')"
               ".textContent.startsWith('History, not live')")  # fmt: skip


def wrong(page: Page) -> list[str]:
    if not AXE.exists():
        pytest.skip("axe-core is missing: npm ci in tests/page/tools, or AXE=path")
    return violations(page, AXE.read_text("utf-8"))


def test_a_window_of_the_past_is_said_to_be_one_and_live_returns(page: Page, ward: Ward) -> None:
    opened(page, ward)
    windowed(page, 600)
    assert page.ask("document.getElementById('live').hidden")
    assert "History, not live" in page.ask("document.getElementById('axis-window').textContent")
    page.until(f"{LANE}.innerText.includes('damaged on the line')")
    text = page.ask(f"{LANE}.innerText")
    assert "grade A" in text
    assert "monitor band: not for ST" in text
    assert "nothing held" in text
    assert page.ask("[...document.querySelectorAll('.value')].map((one) => one.textContent).join('')") == ""
    page.ask("document.getElementById('axis-live').click()")
    page.until("document.getElementById('past').hidden && !document.getElementById('live').hidden")
    assert page.errors == []


def test_what_nobody_can_date_stands_above_and_in_no_picture(page: Page, ward: Ward) -> None:
    opened(page, ward)
    told = {"epoch": 5, "mapping": "2-x", "earliest": None, "latest": BOOT_UTC, "grade": "D", "streams": [0]}
    page.ask("(() => { const real = fetch; window.fetch = async (path, more) => {"
             " const answer = await real(path, more); if (!path.includes('/history')) return answer;"
             " const body = await answer.json();"
             f" body.undated = [{json.dumps(told)}]; return new Response(JSON.stringify(body)); }}; }})()")  # fmt: skip
    windowed(page, 600)
    page.until("document.getElementById('past-undated').innerText.includes('no clock vouches')")
    assert "epoch 5, before 2027-01-15" in page.ask("document.getElementById('past-undated').innerText")
    assert page.ask("document.querySelectorAll('#lanes .strip').length") == 2


def test_keys_zoom_and_pan_down_to_samples(page: Page, ward: Ward) -> None:
    opened(page, ward)
    page.ask("window.asked = []; (() => { const real = fetch; window.fetch = (path, more) => {"
             " window.asked.push(path); return real(path, more); }; })()")  # fmt: skip
    windowed(page, 60)
    page.ask("document.getElementById('past').focus()")
    for name in ("+", "+", "ArrowLeft"):
        key(page, name)
    page.until("window.asked.some((path) => path.includes('/ranges?'))")
    page.until(f"!{LANE}.querySelector('canvas').getAttribute('aria-label').includes('no value')")
    key(page, "Escape")
    page.until("document.getElementById('past').hidden")
    assert page.ask("document.activeElement.id") == "axis-live"
    assert page.errors == []


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1400, "light"), (1400, "dark")])
def test_history_is_for_everybody_and_fits(page: Page, ward: Ward, width: int, scheme: str) -> None:
    page.size(width, 900, scheme)
    opened(page, ward)
    windowed(page, 600)
    assert page.ask("document.documentElement.scrollWidth") <= width
    assert wrong(page) == []
    page.size(1400, 1000)


def test_twelve_leads_are_true_to_scale_after_a_card(page: Page, ward: Ward) -> None:
    page.errors.clear()
    url = ward.url(f"/beds/gw-a1/ecg12?at={BOOT_UTC + 96 * SECOND}")
    page.open(url, "document.querySelectorAll('#leads li').length === 12")
    text = page.ask("document.querySelector('main').innerText")
    for words in ("monitor band: not for ST", "grade A", "I: not sent by the device, and not derived here", "LEAD OFF"):
        assert words in text
    assert "Nobody has measured this screen" in text
    assert page.ask("document.getElementById('sheet').clientWidth") == pytest.approx(260 * 96 / 25.4, abs=1)
    page.ask("(() => { const one = document.getElementById('ruler'); one.value = '1.25';"
             " one.dispatchEvent(new Event('input')); })()")  # fmt: skip
    assert page.ask("document.getElementById('sheet').clientWidth") == pytest.approx(325 * 96 / 25.4, abs=1)
    assert page.ask("document.getElementById('card').getBoundingClientRect().width") == pytest.approx(
        107 * 96 / 25.4, abs=1
    )
    page.open(url, "document.querySelectorAll('#leads li').length === 12")
    assert "was measured by somebody" in page.ask("document.getElementById('ruler-words').textContent")
    assert wrong(page) == []
    assert page.errors == []


def test_without_an_ecg_it_says_so(page: Page, ward: Ward) -> None:
    page.open(ward.url(f"/beds/gw-a1/ecg12?at={BOOT_UTC + 3600 * SECOND}"), "true")
    page.until("document.getElementById('state').textContent.includes('no dated ECG')")
