"""The words: complete in eight languages, counted as CLDR says, unaltered, and drafts say so (REQUIREMENTS 9)."""

from __future__ import annotations

import re
import shutil
import string
from pathlib import Path
from typing import get_args

import pytest

from agent.binding import words as told
from agent.page import plurals, words
from agent.page.state import Data, Device, Patient, Word

WORDS, WRONG = words.load()
ENGLISH = WORDS["en"]
COUNTS = (0, 1, 2, 3, 5, 11, 21, 100)
CLDR = {"zh-Hans": "zh"}


def holes(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_all_eight_are_good() -> None:
    assert tuple(WORDS) == words.LANGUAGES
    assert not WRONG


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_every_key_is_there_and_no_other(language: str) -> None:
    one = WORDS[language]
    assert one.text.keys() == ENGLISH.text.keys()
    assert one.safety.keys() == ENGLISH.safety.keys()
    assert [key for key, text in one.text.items() if not text.strip()] == ["todo.sending", "todo.storing"]
    for key, text in one.text.items():
        assert holes(text) == holes(ENGLISH.text[key]), key
    assert one.direction == ("rtl" if language == "ar" else "ltr")


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_digits_are_latin_and_nothing_acts(language: str) -> None:
    texts = [*WORDS[language].text.values(), *(one.text for one in WORDS[language].safety.values())]
    for text in texts:
        assert not re.search(r"[\u0660-\u0669\u06f0-\u06f9]|\d,\d", text)
        assert not re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069<>&]", text)


def test_autonyms() -> None:
    autonyms = ["Français", "English", "中文", "Русский", "Кыргызча", "Қазақша", "العربية", "ქართული"]
    assert [one.autonym for one in WORDS.values()] == autonyms


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_plurals_are_those_of_cldr(language: str) -> None:
    babel = pytest.importorskip("babel", reason="pip install babel")
    rule = babel.Locale.parse(CLDR.get(language, language)).plural_form
    assert plurals.FORMS[language][1] == rule.tags | {"other"}
    for n in (*range(2000), 1_000_000, 2_000_000):
        assert plurals.form(language, n) == rule(n), n
    for word in ENGLISH.plural:
        assert WORDS[language].plural[word].keys() == plurals.FORMS[language][1]


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("n", COUNTS)
def test_a_count_says_its_number(language: str, n: int) -> None:
    for word in ENGLISH.plural:
        assert str(n) in WORDS[language].count(word, n)


def test_counts_in_russian_and_arabic() -> None:
    said = [WORDS["ru"].count("hours", n) for n in COUNTS]
    assert said == ["0 часов", "1 час", "2 часа", "3 часа", "5 часов", "11 часов", "21 час", "100 часов"]
    assert WORDS["ar"].count("minutes", 3) == "3 دقائق"
    assert WORDS["ar"].count("minutes", 11) == "11 دقيقة"


def test_every_word_that_can_come_is_there() -> None:
    wanted = {f"state.{one}" for one in Word} | {f"todo.{one}" for one in Word}
    wanted |= {f"device.{one}" for one in Device} | {f"patient.{one}" for one in Patient}
    wanted |= {f"data.{one}" for one in Data}
    wanted |= {f"source.{one}" for one in get_args(told.Source)}
    wanted |= {f"ended.{one}" for one in get_args(told.Ended) if one}
    assert not wanted - ENGLISH.text.keys()


def test_the_safety_sentences_are_the_agreed_ones() -> None:
    assert ENGLISH.safety["stored"].text == (
        "Data is being stored here. The remote doctor does not see live values. Watch the bedside monitor."
    )
    assert ENGLISH.safety["purpose"].text == (
        "Transfers, stores, converts and displays device data. Not intended for active patient monitoring. "
        "Does not generate or replace alarms."
    )


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_what_nobody_has_reviewed_is_a_draft(language: str) -> None:
    for key, sentence in WORDS[language].safety.items():
        assert WORDS[language].is_draft(key) == (language != "en")
        assert sentence.reviewed_by == ()


def test_a_file_that_was_altered_is_not_offered(tmp_path: Path) -> None:
    folder = shutil.copytree(words.FOLDER, tmp_path / "words")
    altered = folder / "fr.toml"
    altered.write_bytes(altered.read_bytes().replace(b"Surveillez le moniteur", b"Ne surveillez pas le moniteur"))
    good, wrong = words.load(folder)
    assert "fr" not in good
    assert len(good) == 7
    assert wrong == ["fr.toml is not the file that SHA256SUMS names"]
    (folder / "en.toml").unlink()
    with pytest.raises(words.WordsError):
        words.load(folder)


def test_the_manifest_names_each_file() -> None:
    assert (words.FOLDER / words.SUMS_FILE).read_text("ascii") == words.sums()
    assert {file.name for file in words.FOLDER.iterdir()} == {f"{one}.toml" for one in WORDS} | {words.SUMS_FILE}


def test_values_are_escaped_and_isolated() -> None:
    said = WORDS["ar"].say("todo.silent", device="<script>\u202e")
    assert "<bdi>&lt;script&gt;[202E]</bdi>" in said
