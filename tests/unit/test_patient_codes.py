"""What is written on wristbands: this hospital's, inert, in linear time (rows 20, 26); names as written (NUR-12)."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from agent.binding import codes, pseudonym
from agent.cli.entry import main

PATTERNS = ["LK-######=", "############ ######"]
NAMES = ["Бакирова Айгүл", "محمد علی‌زاده", "王丽娟", "გიორგი ბერიძე", "Ouédraogo Zoé", "Қасым Жомарт"]


@pytest.mark.parametrize(
    ("code", "check", "why"),
    [
        ("LK-4711026", "mod10", "check digit"),
        ("XX-4711020", "mod10", "site"),
        ("LK-47110200", "mod10", "site"),
        ("LK-471102'", "mod10", "site"),
        ("'; DROP TABLE patient; --", "", "form"),
        ("LK-47\x00110", "", "form"),
        ("LK-4711\u202e02", "", "form"),
        ("\x1b[2JLK-4711020", "", "form"),
        ("A" * 4096, "", "form"),
        ("", "", "form"),
        ("WLBED:north:bed 3", "", "site"),
    ],
)
def test_row_26_what_is_no_wristband_of_this_hospital_is_refused(code: str, check, why: str) -> None:
    with pytest.raises(codes.RefusedError, match=why):
        codes.wristband(code, PATTERNS, check)


@pytest.mark.parametrize(
    ("check", "digits", "good"),
    [
        ("mod10", "629104150021", "3"),  # GS1 General Specifications, the example of the GTIN-13 629104150021-3
        ("luhn", "7992739871", "3"),  # the usual example of ISO/IEC 7812-1
        ("mod11", "0794", "0"),  # ISO/IEC 7064, the example of MOD 11-2: 0794 0
        ("mod11", "079", "X"),
    ],
)
def test_check_digits_of_their_standards(check, digits: str, good: str) -> None:
    assert codes.CHECKS[check]([int(digit) for digit in digits]) == good
    pattern = "#" * len(digits) + "="
    assert codes.wristband(digits + good, [pattern], check) == digits + good
    wrong = "0" if good != "0" else "1"
    with pytest.raises(codes.RefusedError, match="check digit"):
        codes.wristband(digits + wrong, [pattern], check)


def test_row_20_a_pattern_cannot_stop_the_gateway() -> None:
    """Each letter is looked at once, whatever the pattern."""
    assert not codes.fits("A" * 48, "*" * 47 + "#")
    assert codes.problem("LK=###") == "the check digit '=' comes last"
    assert codes.problem("LOKOSSA")
    assert codes.problem("#" * 200)
    assert codes.problem("LK-##\u0661")
    assert all(codes.problem(pattern) == "" for pattern in PATTERNS)


def test_a_number_is_compared_in_one_form() -> None:
    assert codes.normalised("  lk-47a ") == "LK-47A"
    assert codes.normalised("ა12") == "ა12", "capitals of Georgian are other letters"
    assert codes.normalised(unicodedata.normalize("NFD", "É1")) == "É1"
    assert codes.normalised("00471") != codes.normalised("471"), "a zero is a digit"


@pytest.mark.parametrize("name", NAMES)
def test_nur_12_a_name_stays_as_written(name: str) -> None:
    assert codes.cleaned(name) == unicodedata.normalize("NFC", name)
    assert codes.cleaned(unicodedata.normalize("NFD", name)) == unicodedata.normalize("NFC", name)
    assert codes.cleaned(f"\u202e{name}\r\n\x1b\u2066") == unicodedata.normalize("NFC", name)
    assert len(codes.cleaned(name * 100)) <= 200


def test_birth_dates() -> None:
    said = ["19810131", "1981-01-31", "198101", "1981", "19811331", "Jan 1981", "1981013112", ""]
    assert [codes.born(text) for text in said] == [
        "1981-01-31",
        "1981-01-31",
        "1981-01",
        "1981",
        "",
        "",
        "1981-01-31",
        "",
    ]


def test_a_site_key_is_made_once_installed_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stick, keys, config = tmp_path / "site.key", tmp_path / "keys", tmp_path / "gateway.toml"
    keys.mkdir()
    config.write_text(f'site = "north"\nbroker = "mqtt://b"\nkeys = "{keys}"\n')
    there = ["--config", str(config)]
    assert main(["site-key", "show", *there]) == 1
    assert main(["site-key", "new", str(stick)]) == 0
    made = capsys.readouterr().out.strip()
    assert main(["site-key", "new", str(stick)]) == 1, "never overwritten"
    assert main(["site-key", "install", str(stick), *there]) == 0
    assert main(["site-key", "show", *there]) == 0
    assert capsys.readouterr().out.strip().endswith(made)
    assert (keys / "site.key").stat().st_mode & 0o077 == 0
    assert pseudonym.fingerprint(pseudonym.parsed(stick.read_text())) == made
    other = tmp_path / "other.key"
    assert main(["site-key", "new", str(other)]) == 0
    assert main(["site-key", "install", str(other), *there]) == 1
    assert main(["site-key", "install", str(other), "--replace", *there]) == 0
    said = "".join(capsys.readouterr())
    assert pseudonym.parsed(other.read_text()).hex() not in said
    assert other.read_text().strip() not in said
    assert main(["site-key", "install", str(config), *there]) == 1
