"""Every page of the centre before axe-core, narrow and wide, light and dark; and the waves of all beds side by side.

History and the 12-lead page are looked at in test_page_history.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.lab.browser import Page, browser
from centre.access import people
from centre.access.people import User
from centre.web.access import Access
from tests.system.page_source import synthetic
from tests.system.test_page import SECOND, Ward, served
from tests.system.test_page_history import wrong

LOOKS = [(360, "light"), (1400, "light"), (1400, "dark")]
PAGES = {
    "/": "document.querySelectorAll('.card').length === 2",
    "/beds/gw-a1": "document.querySelectorAll('.tile').length === 7",
    "/waves": "document.querySelector('#beds .strip')",
}


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as tab:
        yield tab


@pytest.fixture(scope="module")
def ward() -> Iterator[Ward]:
    with served() as one:
        yield one


def live(page: Page, ward: Ward, path: str) -> None:
    """The page, with a live second on it."""
    page.call("Page.navigate", url="about:blank")
    page.open(ward.url(path), PAGES[path])
    ward.now += 5 * SECOND
    ward.say(synthetic(4, 5 * SECOND))


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_pages_are_for_everybody_and_fit(page: Page, ward: Ward, path: str, width: int, scheme: str) -> None:
    page.errors.clear()
    page.size(width, 900, scheme)
    live(page, ward, path)
    assert page.ask("document.documentElement.scrollWidth") <= width
    assert wrong(page) == []
    assert page.errors == []


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_the_way_in_is_for_everybody(page: Page, tmp_path: Path, width: int, scheme: str) -> None:
    users = tmp_path / "users.toml"
    people.write(users, (User("li", "doctor", token=people.token_hash("x")),))
    signer = Ed25519PrivateKey.from_private_bytes(bytes(32))
    page.size(width, 900, scheme)
    with served(lambda store: Access(users, tmp_path / "looks.log", signer, store)) as one:
        page.open(one.url("/login"), "document.querySelector('#password')")
        assert wrong(page) == []
        page.call("Page.navigate", url="about:blank")


def test_one_wave_of_each_bed_and_no_value(page: Page, ward: Ward) -> None:
    page.size(1400, 1000)
    live(page, ward, "/waves")
    page.until("document.querySelector('#beds .cover').hidden")
    text = page.ask("document.querySelector('main').innerText")
    assert "ECG II" in text
    assert "ECG V5" not in text, "one wave of a bed"
    assert "97" not in text, "no value"
    page.until("document.querySelector('main').innerText.includes('gateway offline: state unknown')")
    assert "without alarms" in text
    page.until("document.querySelectorAll('#beds section').length === 2")
