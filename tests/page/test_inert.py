"""Names that are attacks are text: they turn nothing round, hide nothing and fill no screen."""

from __future__ import annotations

import pytest

from agent.page.inert import shown


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Aïcha Dossou", "Aïcha Dossou"),
        ("Ai\u0308cha", "Aïcha"),
        ("\u202eabc\u2066", "[202E]abc[2066]"),
        ("a\nb\x00\x1b[31m", "a␊b␀␛[31m"),
        ("a\x7f\x85", "a[007F][0085]"),
        ("\ufeff\u200b\u2028", "[FEFF][200B][2028]"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("ქეთევან Әлия 王小明 عائشة", "ქეთევან Әлия 王小明 عائشة"),
        ("\ud800", "[D800]"),
    ],
)
def test_shown(text: str, seen: str) -> None:
    assert shown(text) == seen


def test_length() -> None:
    assert shown("a" * 64) == "a" * 64
    assert shown("a" * 65) == "a" * 64 + "…"
    assert len(shown("x" * 2**20)) == 65
    assert len(shown("\u202e" * 2**20)) == 64 * 6 + 1
    assert shown("a" + "\u0301" * 60).count("\u0301") <= 4
