"""Every state in every language before axe-core in a real browser, and pictures of them.

`python -m tests.page.looked_at [--pictures FOLDER] [--languages fr,ar]` needs chromium, and axe-core of
`npm ci --ignore-scripts` in tests/page/tools. Exit 0 where nothing is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from agent.binding.words import Bed
from agent.health.status import Status
from agent.lab.browser import Page, browser
from agent.page import words
from agent.page.state import Word
from tests.page import beds
from tests.page.ward import Bench, bench
from tests.system.bell import until

TOOLS = Path(__file__).parent / "tools" / "node_modules"
AXE = TOOLS / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"phone": (360, 740), "display": (800, 480)}
replace = msgspec.structs.replace

STATES: dict[Word, tuple[Status | None, Bed | None]] = {
    Word.STARTING: (replace(beds.status(()), uptime_s=5.0), beds.NOBODY),
    Word.NO_DEVICE: (beds.status(()), beds.NOBODY),
    Word.WHO: (beds.status(), beds.PROPOSED),
    Word.SENDING: (beds.status(), beds.KNOWN),
    Word.STORING: (beds.status(link=beds.AWAY), beds.KNOWN),
    Word.SILENT: (beds.status((beds.port(heard_s=40.0),)), beds.KNOWN),
    Word.CONFLICT: (beds.status(), beds.CONFLICT),
    Word.ENGINEER: (beds.status(spool=beds.REFUSED), beds.KNOWN),
}
_AXE = """axe.run(document, {runOnly: {type: 'tag', values: %s}, resultTypes: ['violations']})
  .then((found) => found.violations.map((one) => one.id + ': ' + one.nodes.map((node) => node.html).join(' ')))"""
_SMALL = """Array.from(document.querySelectorAll('a, button, input:not([type=hidden])')).filter((one) => {
  const box = one.getBoundingClientRect(); return box.width < 44 || box.height < 44;
}).map((one) => 'less than 44 px: ' + one.outerHTML)"""
_WIDE = "document.documentElement.scrollWidth > window.innerWidth ? ['wider than the screen'] : []"


def show(one: Bench, page: Page, language: str, word: Word) -> None:
    """Open the state's page; the word must be the one that is meant."""
    status, bed = STATES[word]
    one.write(status)
    one.tell(bed)
    until(lambda: f'class="now {word}"' in one.get(f"/{language}")[2])
    page.open(f"{one.origin}/{language}", f"document.querySelector('.now.{word}')")


def arrived(page: Page, condition: str) -> None:
    """After a tap that leads elsewhere: what was asked of the page that is left has no answer."""

    def holds() -> bool:
        with contextlib.suppress(AssertionError):
            return bool(page.ask(condition))
        return False

    until(holds)


def ready(page: Page) -> None:
    page.until("document.fonts.status === 'loaded'")


def violations(page: Page, axe: str) -> list[str]:
    """What axe-core, of which `axe` is the text, finds."""
    page.ask(axe + "; true")
    return list(page.ask(_AXE % json.dumps(RULES)))


def wrong(page: Page, axe: str) -> list[str]:
    ready(page)
    return [*violations(page, axe), *page.ask(_SMALL), *page.ask(_WIDE)]


def who(page: Page, one: Bench, language: str) -> None:
    """Say who stands here, as a person does."""
    page.open(f"{one.origin}/{language}/patient", "document.querySelector('#people')")
    if page.ask("Boolean(document.getElementById('performer'))"):
        page.ask("document.getElementById('performer').value = 'AB'; document.querySelector('button.main').click()")
        arrived(page, "document.querySelector('.me') !== null")


def screens(one: Bench, page: Page, language: str) -> dict[str, Callable[[], None]]:
    """The patient's screens by name: what opens each."""
    own = f"{one.origin}/{language}/patient"
    earlier = replace(beds.episode(key="e3"), end_ns=beds.NOW_NS - 10**11, ended="wristband")
    anonymous = replace(
        beds.NOBODY.episode, key="e2", end_ns=beds.NOW_NS - 10**12, correct_until_ns=beds.NOW_NS + 10**14
    )
    history = [replace(earlier, correct_until_ns=beds.NOW_NS + 10**14), anonymous]
    proposed = replace(beds.PROPOSED, history=history, ended="unplugged", refused="site")

    def opened(bed: Bed, rest: str = "") -> Callable[[], None]:
        def act() -> None:
            one.tell(bed)
            until(lambda: one.bed is bed)
            page.open(own + rest, "document.querySelector('.me')")

        return act

    return {
        "nobody": opened(proposed),
        "bound": opened(beds.KNOWN),
        "conflict": opened(beds.CONFLICT),
        "wrong": opened(replace(beds.KNOWN, proposals=[beds.ADMITTED]), "?step=wrong&episode=e4"),
        "unbind": opened(beds.KNOWN, "?step=unbind"),
        "transport": opened(beds.KNOWN, "?step=transport"),
        "typed": opened(beds.NOBODY, "?step=typed"),
        "late": opened(proposed, "?step=late&episode=e2"),
    }


def one_language(one: Bench, page: Page, language: str, axe: str, pictures: Path | None) -> list[str]:
    found: list[str] = []

    def look(name: str) -> None:
        for size, (width, height) in SIZES.items():
            page.size(width, height)
            found.extend(f"{language} {name} {size}: {what}" for what in wrong(page, axe))
            if pictures:
                page.look(width, height, pictures / f"{language}-{name}-{size}.png")
        page.size(*SIZES["phone"], "dark")
        found.extend(f"{language} {name} dark: {what}" for what in wrong(page, axe))
        page.size(*SIZES["phone"])
        page.ask("document.body.classList.add('dim'); true")
        found.extend(f"{language} {name} dim: {what}" for what in wrong(page, axe))
        page.size(400, 370)  # 800 by 740 at 200 %
        found.extend(f"{language} {name} at 200 %: {what}" for what in wrong(page, axe))

    for word in Word:
        show(one, page, language, word)
        look(word)
    one.write(beds.status())
    page.open(f"{one.origin}/{language}/patient", "document.querySelector('#people')")
    if page.ask("Boolean(document.getElementById('performer'))"):
        look("performer")
    who(page, one, language)
    page.open(f"{one.origin}/{language}/sheet", "document.querySelector('.states')")
    look("sheet")
    for name, opened in screens(one, page, language).items():
        one.write(beds.status())
        opened()
        look(name)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--languages", default=",".join(words.LANGUAGES))
    args = parser.parse_args()
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
    axe = AXE.read_text("utf-8")
    found: list[str] = []
    with bench() as one, browser() as page:
        for language in args.languages.split(","):
            found += one_language(one, page, language, axe, args.pictures)
            sys.stdout.write(f"{language}: {len(found)} wrong so far\n")
            sys.stdout.flush()
        found += [f"console: {error}" for error in page.errors]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.stdout.write(json.dumps({"states": len(Word), "screens": 10, "wrong": len(found)}) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
