"""Text of strangers made harmless: device names, alarm texts, bed names (REQUIREMENTS attack rows 18 and 19).

Pages show text by `textContent` only, so markup is inert anyway. What is left to do here: no control characters
(terminals, logs), no bidirectional overrides (text that reads as other text), no megabytes.
"""

from __future__ import annotations

import unicodedata

TEXT_LIMIT_CHARS = 120
_REPLACED = "\N{REPLACEMENT CHARACTER}"
_CUT = "\N{HORIZONTAL ELLIPSIS}"
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKS_LIMIT_CHARS = 4  # combining marks on one letter; more pile up over neighbouring lines


def plain(text: str, limit_chars: int = TEXT_LIMIT_CHARS) -> str:
    """At most `limit_chars` characters of `text`, in one line; each refused character becomes U+FFFD."""
    cut = text[:limit_chars]
    shown = _thinned("".join(_REPLACED if unicodedata.category(c) in _REFUSED else c for c in cut))
    return shown[: limit_chars - 1] + _CUT if len(text) > limit_chars else shown


def _thinned(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character).startswith("M") else 0
        if marks <= _MARKS_LIMIT_CHARS:
            kept.append(character)
    return "".join(kept)
