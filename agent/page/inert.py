"""Somebody else's text made harmless to look at: a name must not turn a line round, hide itself or fill a screen. Pure.

Markup is the template's to escape; here characters that act instead of being seen are shown by their number.
"""

from __future__ import annotations

import unicodedata

LETTERS_LIMIT_COUNT = 64
MARKS_LIMIT_COUNT = 4  # on one letter
JOINERS = "\u200c\u200d"  # they belong to Arabic and Indic names
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def shown(text: str, limit: int = LETTERS_LIMIT_COUNT) -> str:
    """At most `limit` characters of the text and a mark that more was cut; composed (NFC), nothing that acts."""
    composed = unicodedata.normalize("NFC", text[: 4 * limit])
    out: list[str] = []
    marks = 0
    for one in composed[:limit]:
        marks = marks + 1 if unicodedata.combining(one) else 0
        if marks <= MARKS_LIMIT_COUNT:
            out.append(_seen(one))
    return "".join(out) + ("…" if len(composed) > limit or len(text) > 4 * limit else "")


def _seen(one: str) -> str:
    if one in JOINERS or unicodedata.category(one) not in _UNSEEN:
        return one
    code = ord(one)
    return chr(0x2400 + code) if code < 0x20 else f"[{code:04X}]"
