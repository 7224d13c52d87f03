"""The bedside page as its process gives it: the three facts, who the patient is, and what a form may ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlencode

import msgspec
import pytest

from agent.binding import words as told
from agent.binding.words import (
    Bed,
    Choose,
    Confirm,
    Dismiss,
    Person,
    Proposal,
    Scanned,
    Transport,
    Typed,
    Unbind,
    Wrong,
)
from agent.page import forms, words
from agent.page.state import Word
from agent.page.told import Setup
from tests.page import beds
from tests.page.looked_at import STATES
from tests.page.ward import Bench, bench
from tests.system.bell import until

WORDS = words.load()[0]
TOTAL_LIMIT_BYTES = 300_000
replace = msgspec.structs.replace
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[2J'


@pytest.fixture(scope="module")
def page() -> Iterator[Bench]:
    with bench("fr") as one:
        yield one


class Somebody:
    """Someone at the screen: follows links and presses buttons, and counts the taps."""

    def __init__(self, page: Bench, path: str = "/en") -> None:
        self.page = page
        self.cookie = ""
        self.taps = 0
        self.go(path)

    def go(self, path: str) -> None:
        self.path = path
        status, headers, self.text = self.page.get(path, {"Cookie": self.cookie} if self.cookie else {})
        assert status == 200, (status, path)
        self._keep(headers)

    def _keep(self, headers: dict[str, str]) -> None:
        if "set-cookie" in headers:
            self.cookie = headers["set-cookie"].partition(";")[0]

    def tap(self, link: str) -> None:
        """A link by its words."""
        found = re.search(rf'<a [^>]*href="([^"]+)"[^>]*>{re.escape(link)}</a>', self.text)
        assert found, link
        self.taps += 1
        self.go(found[1].replace("&amp;", "&"))

    def press(self, button: str, nth: int = 0, **typed: str) -> None:
        """A button by its words; `typed` are the fields of its form that a person fills in."""
        forms = re.findall(r"<form .*?</form>", self.text, re.DOTALL)
        forms = [form for form in forms if re.search(rf"<button[^>]*>{re.escape(button)}</button>", form)]
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', forms[nth])
        fields = {name: unescape(value) for name, value in hidden} | typed
        self.taps += 1
        headers = {"Cookie": self.cookie, "Origin": self.page.origin}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        status, got, _ = self.page.ask(
            "POST", re.search(r'action="([^"]+)"', forms[nth])[1], urlencode(fields), headers
        )
        assert status == 303
        self._keep(got)
        self.go(got["location"])

    def known(self) -> Somebody:
        """Says who stands here, if that is asked."""
        self.go("/en/patient")
        if 'id="performer"' in self.text:
            self.press("Continue", performer="AB")
        self.taps = 0
        self.page.deeds.clear()
        return self


def stand(page: Bench, bed: Bed | None, status: object = None) -> None:
    page.write(status or beds.status())  # type: ignore[arg-type]
    page.tell(bed)
    mark = {"conflict": "fact conflict", None: "fact unknown"}.get(bed.status if bed else None, "")
    known = bed is not None and bed.status in ("validated", "corrected")
    until(lambda: (mark or ("fact known" if known else "fact nobody")) in page.get("/en")[2])


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_each_state_says_its_word_and_the_three_facts(page: Bench, language: str) -> None:
    own = WORDS[language]
    for word, (status, bed) in STATES.items():
        page.write(status)
        page.tell(bed)
        until(lambda word=word: f'class="now {word}"' in page.get(f"/{language}")[2])
        text = page.get(f"/{language}")[2]
        assert f'<html lang="{language}" dir="{own.direction}">' in text
        assert str(own.say(f"state.{word}", code=13)) in text
        labels = [own.text[f"fact.{one}"] for one in ("device", "patient", "data")]
        assert re.findall(r'class="label">(.*?)<', text) == labels
        assert (words.Markup.escape(own.safety["stored"].text) in text) == (word is Word.STORING)
        assert words.Markup.escape(own.safety["purpose"].text) in text
        assert text.count('class="draft"') == (0 if language == "en" else 3 if word is Word.STORING else 2)
        for beside in ("en", "fr"):
            assert words.Markup.escape(WORDS[beside].safety["purpose"].text) in text or language == "en"
        assert beds.PERSON.name not in text
        assert beds.PERSON.id not in text


@pytest.mark.parametrize("path", ["/fr", "/fr/patient"])
def test_each_screen_leads_to_each_language_by_one_tap(page: Bench, path: str) -> None:
    text = page.get(path)[2]
    for one in WORDS.values():
        assert re.search(rf'<a href="/{one.language}(/patient)?" lang="{one.language}"[^>]*>{one.autonym}</a>', text)


def test_the_engineers_language_is_what_a_screen_begins_with(page: Bench) -> None:
    assert '<html lang="fr"' in page.get("/")[2]
    assert page.get("/de")[0] == 404


def test_how_long_and_how_much_room(page: Bench) -> None:
    stand(page, beds.KNOWN, beds.status(link=beds.AWAY))
    text = page.get("/ru")[2]
    assert "сохраняются здесь: <bdi>12 минут</bdi>" in text
    assert "места хватит: <bdi>71 час</bdi>" in text


def test_it_says_so_when_nobody_writes(page: Bench) -> None:
    page.tell(None)
    page.write(beds.status(), age_s=70)
    until(lambda: "code <bdi>11</bdi>" in page.get("/en")[2])
    assert page.get("/en")[2].count("fact unknown") == 3
    page.set_up(Setup("failed", 23))
    until(lambda: "code <bdi>23</bdi>" in page.get("/en")[2])
    page.set_up(None)


def test_without_javascript_it_loads_itself_anew(page: Bench) -> None:
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page.get("/en")[2]
    assert 'content="30;url=/en"' in page.get("/en/patient")[2]


def test_everything_together_is_small_and_nothing_is_foreign(page: Bench) -> None:
    """Every font, even those of other scripts, for one screen."""
    text = page.get("/ar/patient")[2]
    names = set(re.findall(r'(?:href|src)="(/static/[^"?]+)', text)) | {"/static/plain.css"}
    total = len(text.encode())
    for name in sorted(names):
        status, headers, body = page.get(name)
        assert status == 200
        assert "immutable" in headers["cache-control"]
        total += len(body.encode())
    fonts = re.findall(r'url\("([^"]+)"\)', page.get("/static/fonts.css")[2])
    assert all("/" not in font for font in fonts)
    folder = words.FOLDER.parent / "static"
    total += sum((folder / font).stat().st_size for font in set(fonts))
    assert total <= TOTAL_LIMIT_BYTES
    assert not re.search(r'(?:src|href|action)="(?!/)', text)


def test_no_name_before_somebody_said_who_they_are(page: Bench) -> None:
    stand(page, beds.KNOWN)
    person = Somebody(page, "/en/patient")
    assert beds.PERSON.name not in person.text
    person.press("Continue", performer="AB")
    for identifier in (beds.PERSON.name, beds.PERSON.id, beds.PERSON.born):
        assert f"<bdi>{identifier}</bdi>" in person.text
    person.press("Someone else")
    assert beds.PERSON.name not in person.text


def test_who_is_proposed_is_confirmed_by_one_tap(page: Bench) -> None:
    stand(page, beds.PROPOSED)
    person = Somebody(page).known()
    assert "<bdi>8811-204</bdi>" in person.text
    page.judge = lambda _deed: ("", beds.KNOWN)
    person.press("Yes, this patient")
    (deed,) = page.deeds
    assert deed == Confirm(deed.n, "scan", "AB")
    until(lambda: 'class="now sending"' in page.get("/en")[2])


def test_what_is_refused_is_said(page: Bench) -> None:
    stand(page, beds.PROPOSED)
    person = Somebody(page).known()
    for why in (one for one in told.Refusal.__args__ if one):
        page.judge = lambda _deed, why=why: (why, None)
        person.press("Yes, this patient")
        said = words.Markup.escape(WORDS["en"].text[f"refused.{forms.REFUSED[why]}"])
        assert f"Not done. {said}" in person.text
    page.judge = lambda _deed: ("", None)
    page.tell(None)
    person.go("/en/patient")
    assert "The gateway does not answer." in person.text


def test_the_wrong_patient_is_told_in_three_taps(page: Bench) -> None:
    stand(page, beds.KNOWN)
    person = Somebody(page).known()
    person.go("/en")
    person.tap("Patient")
    person.tap("Wrong patient")
    assert not page.deeds
    person.press("Yes, it was the wrong patient")
    assert person.taps == 3
    (deed,) = page.deeds
    assert deed == Wrong(deed.n, "e4", "AB", "")


def test_the_wrong_patient_and_who_it_was(page: Bench) -> None:
    stand(page, replace(beds.KNOWN, proposals=[beds.ADMITTED]))
    person = Somebody(page).known()
    person.tap("Wrong patient")
    person.press("It was this patient")
    (deed,) = page.deeds
    assert deed == Wrong(deed.n, "e4", "AB", "adt")


def test_a_conflict_shows_both_and_chooses_nobody(page: Bench) -> None:
    stand(page, beds.CONFLICT)
    person = Somebody(page).known()
    first, second = re.findall(r'<li class="card">.*?</li>', person.text, re.DOTALL)
    assert beds.PERSON.name in first
    assert beds.OTHER.name in second
    assert not re.search(r"checked|selected|autofocus", person.text)
    assert first.count("<button") == second.count("<button") == 1
    assert re.findall(r'<button class="(.*?)">', first) == re.findall(r'<button class="(.*?)">', second)
    person.press("It is this patient", nth=1)
    assert page.deeds == [Choose(page.deeds[0].n, "adt", "AB")]
    person.go("/en/patient")
    page.deeds.clear()
    person.press("Leave unbound")
    assert page.deeds == [Unbind(page.deeds[0].n, "AB")]


def test_who_is_bound_is_a_side_of_its_own(page: Bench) -> None:
    stand(page, replace(beds.CONFLICT, sides=["bound", "adt"]))
    person = Somebody(page).known()
    first, second = re.findall(r'<li class="card">.*?</li>', person.text, re.DOTALL)
    assert 'name="proposal" value="bound"' in first
    assert 'name="proposal" value="adt"' in second


def test_transport_removal_scan_and_number(page: Bench) -> None:
    stand(page, beds.KNOWN)
    page.judge = lambda _deed: ("", None)
    person = Somebody(page).known()
    for link, deed in (("Transport", Transport), ("Remove patient", Unbind)):
        person.go("/en/patient")
        person.tap(link)
        person.press(link)
        assert isinstance(page.deeds[-1], deed)
        assert page.deeds[-1].performer == "AB"
    stand(page, beds.PROPOSED)
    person.known().press("Not this patient")
    person.press("Continue", code="8811-204\x1d")
    person.tap("Type the number")
    person.press("Show to confirm", id="8811-204", name="Әлия <b>", born="1984")
    dismissed, scanned, typed = page.deeds
    assert dismissed == Dismiss(dismissed.n, "scan")
    assert scanned == Scanned(scanned.n, "8811-204\x1d")
    assert typed == Typed(typed.n, "8811-204", "Әлия <b>", "1984")


def test_a_name_that_is_an_attack_is_text(page: Bench) -> None:
    evil = Proposal('a"b', "device", Person(EVIL, EVIL * 1000, EVIL), 0, EVIL)
    status = beds.status((beds.port(driver="<b>evil", heard_s=99.0),))
    stand(page, replace(beds.PROPOSED, proposals=[evil], bed=EVIL), replace(status, bed=EVIL))
    person = Somebody(page).known()
    for text in (person.text, page.get("/en")[2]):
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "<b>" not in text
        assert "\u202e" not in text
        assert "\x1b" not in text
        assert "[202E]␛" in text
        assert len(text) < 12_000
    person.press("Yes, this patient")
    assert page.deeds == [Confirm(page.deeds[0].n, 'a"b', "AB")]


def test_what_a_technician_needs_and_no_patient(page: Bench) -> None:
    stand(page, beds.KNOWN, beds.status(spool=beds.REFUSED))
    status, headers, text = page.get("/technician")
    assert status == 200
    assert headers["content-type"].startswith("text/plain")
    assert "code 13\n13 " in text
    assert "storage: input/output error" in text
    assert beds.PERSON.name not in text
