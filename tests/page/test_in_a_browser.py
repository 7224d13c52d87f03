"""The page in a real browser: it changes in place, says when it is old, hides names, and is operated by keys alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import msgspec
import pytest

from agent.binding.words import Confirm, Scanned
from agent.lab.browser import CHROMIUM, Page, browser
from tests.page import beds
from tests.page.looked_at import arrived, who
from tests.page.ward import Bench, bench
from tests.system.bell import until

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="apt-get install chromium")
OUTAGE_LIMIT_S = 10.0
WORD = "document.querySelector('#word span').textContent === '%s'"
replace = msgspec.structs.replace


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as page:
        yield page


@pytest.fixture(scope="module")
def running() -> Iterator[Bench]:
    with bench() as one:
        yield one


@pytest.fixture
def ward(running: Bench, tab: Page) -> Bench:
    tab.call("Network.clearBrowserCookies")
    running.deeds.clear()
    running.write(beds.status())
    running.tell(beds.KNOWN)
    until(lambda: 'class="now sending"' in running.get("/en")[2])
    return running


def key(tab: Page, name: str, code: int, text: str = "") -> None:
    for kind in ("keyDown", "keyUp"):
        more = {"text": text} if text and kind == "keyDown" else {}
        tab.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code, **more)


def scan(tab: Page, code: str) -> None:
    """As a reader types: the code and Enter."""
    tab.call("Input.insertText", text=code)
    key(tab, "Enter", 13, "\r")


def test_it_changes_in_place_and_says_so(ward: Bench, tab: Page) -> None:
    tab.errors.clear()
    tab.open(f"{ward.origin}/en", "document.querySelector('.now.sending')")
    tab.ask("window.mark = 1; document.getElementById('live').mark = 1")
    begun = time.monotonic()
    ward.write(beds.status(link=beds.AWAY))
    tab.until("document.querySelector('.now.storing')")
    assert time.monotonic() - begun < 4
    assert tab.ask("window.mark") == 1
    assert tab.ask("document.getElementById('live').mark") == 1, "a live region that is replaced says nothing"
    assert tab.ask("document.getElementById('live').textContent") == "Stored here"
    assert tab.ask("document.title") == "Stored here – ward 3, bed 12"
    assert "The remote doctor does not see live values" in tab.ask("document.getElementById('now').textContent")
    assert tab.errors == []


def test_a_screen_that_hears_nothing_shows_nothing_old(tab: Page) -> None:
    with bench() as one:
        one.write(beds.status())
        one.tell(beds.KNOWN)
        tab.open(f"{one.origin}/en", "document.getElementById('now')")
        tab.until("document.querySelector('.now.sending')")
    tab.until("document.getElementById('now').hidden && !document.getElementById('stale').hidden")
    assert tab.ask("getComputedStyle(document.getElementById('now')).display") == "none"
    shown = tab.ask("document.getElementById('stale').textContent")
    assert "This screen is not up to date. Watch the bedside monitor." in shown
    assert "not up to date" in tab.ask("document.getElementById('live').textContent")


def test_names_are_hidden_30_seconds_after_the_last_touch(ward: Bench, tab: Page) -> None:
    who(tab, ward, "en")
    shown = "getComputedStyle(document.querySelector('.person')).visibility"
    tab.until("document.querySelector('.person')")
    assert tab.ask(shown) == "visible"
    later = "document.getAnimations().forEach((one) => { one.currentTime = %d; }); " + shown
    assert tab.ask(later % 29_000) == "visible"
    assert tab.ask(later % 30_002) == "hidden", "by the style alone, whatever became of the script"
    key(tab, "Shift", 16)
    assert tab.ask(shown) == "visible"
    later_s = "Date.prototype.getTime = (() => { const real = Date.prototype.getTime; return function () {"
    tab.ask(f"{later_s} return real.call(this) + 31000; }}; }})(); true")
    arrived(tab, "location.pathname === '/en'")


def test_a_reader_that_types_needs_no_touch(ward: Bench, tab: Page) -> None:
    ward.tell(beds.PROPOSED)
    until(lambda: 'class="now who"' in ward.get("/en")[2])
    tab.open(f"{ward.origin}/en/patient", "document.activeElement.id === 'performer'")
    scan(tab, "N-12")
    arrived(tab, "document.activeElement.id === 'code'")
    assert tab.ask("window.scrollY") == 0, "the facts stay in sight"
    scan(tab, "8811-204")
    until(lambda: ward.deeds)
    assert ward.deeds == [Scanned(ward.deeds[0].n, "8811-204")]


def test_keys_alone_confirm_a_patient(ward: Bench, tab: Page) -> None:
    ward.tell(beds.PROPOSED)
    until(lambda: 'class="now who"' in ward.get("/en")[2])
    who(tab, ward, "en")
    tab.ask("document.body.focus(); document.activeElement.blur(); true")
    for _ in range(20):
        key(tab, "Tab", 9)
        if tab.ask("document.activeElement.textContent") == "Yes, this patient":
            break
    assert tab.ask("getComputedStyle(document.activeElement).outlineWidth") == "4px"
    key(tab, "Enter", 13, "\r")
    until(lambda: ward.deeds)
    assert ward.deeds == [Confirm(ward.deeds[0].n, "scan", "AB")]


def test_what_somebody_types_is_not_taken_away_and_a_conflict_comes_by_itself(ward: Bench, tab: Page) -> None:
    ward.tell(beds.NOBODY)
    who(tab, ward, "en")
    tab.until("document.activeElement.id === 'code'")
    tab.call("Input.insertText", text="88")
    ward.tell(beds.CONFLICT)
    tab.until("document.querySelector('.now.conflict')")
    assert tab.ask("document.getElementById('code').value") == "88"
    tab.ask("document.getElementById('code').value = ''; true")
    tab.until("document.querySelectorAll('.both .card').length === 2")
    boxes = tab.ask(
        "Array.from(document.querySelectorAll('.both .card')).map((one) => one.getBoundingClientRect().top)"
    )
    assert boxes[0] == boxes[1], "side by side"


def test_without_javascript_it_loads_itself_anew(ward: Bench, tab: Page) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.call("Page.navigate", url=f"{ward.origin}/en")
        arrived(tab, WORD % "Sent")
        ward.write(beds.status(link=beds.AWAY))
        begun = time.monotonic()
        arrived(tab, WORD % "Stored here")
        assert time.monotonic() - begun < OUTAGE_LIMIT_S
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)


def test_at_night_it_is_dim_and_a_touch_wakes_it(ward: Bench, tab: Page) -> None:
    tab.open(f"{ward.origin}/en", "document.querySelector('.now.sending')")
    tab.ask("Date.prototype.getHours = () => 23; true")
    later = "const real = Date.prototype.getTime; Date.prototype.getTime = function () { return real.call(this) + %d; }"
    tab.ask(later % 61_000 + "; true")
    tab.until("document.body.classList.contains('dim')")
    assert tab.ask("getComputedStyle(document.body).backgroundColor") == "rgb(0, 0, 0)"
    key(tab, "Shift", 16)
    tab.until("!document.body.classList.contains('dim')")


def test_200_percent_and_long_words_stay_within_the_screen(ward: Bench, tab: Page) -> None:
    """Every text 40 % longer, on the width that a phone of 360 px has at 200 %."""
    tab.open(f"{ward.origin}/en", "document.querySelector('.now.sending')")
    tab.size(320, 400)
    longer = """Array.from(document.querySelectorAll('.line, .label, .word span, .safe, .button')).forEach((one) => {
      one.textContent += 'ÄÖ'.repeat(Math.ceil(one.textContent.length * 0.2)); }); true"""
    tab.ask(longer)
    assert tab.ask("document.documentElement.scrollWidth") <= 320
    tab.size(800, 600)
    assert json.loads(tab.ask("JSON.stringify(document.getElementById('now') !== null)"))
