"""What is written on wristbands, badges and bed labels: normalised, judged, cleaned. Pure; each step is linear in time.

A pattern says a number's form letter by letter, without regular expressions:

    #  a digit      @  a letter A to Z      *  a letter or digit      =  the check digit, last      else itself

`LK-######=` is two letters, a hyphen, six digits and a check digit. A hospital's own prefix is what tells its
wristbands from another's. Check digits: `mod10` (GS1 General Specifications, section 7.9), `luhn` (ISO/IEC 7812-1,
annex B), `mod11` (ISO/IEC 7064, MOD 11-2: 0 to 9 and X), over the digits of the number before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from agent.binding.terms import NAME_LIMIT_LETTERS, Person

ID_LIMIT_LETTERS = 48
BED_PREFIX = "WLBED:"  # a bed label: WLBED:<site>:<bed>
BLANKS = {0xA0: " ", 0x3000: " "}
JOINERS = "\u200c\u200d"  # Arabic script needs them within words
DIGITS = frozenset("0123456789")
LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
PLACES: Mapping[str, frozenset[str]] = {"#": DIGITS, "@": LETTERS, "*": DIGITS | LETTERS, "=": DIGITS | {"X"}}
Check = Literal["", "mod10", "luhn", "mod11"]


class RefusedError(Exception):
    """No number of this hospital: `form`, `site` or `check digit`."""


def normalised(code: str) -> str:
    """A number as it is compared: NFC, ASCII letters upper, no blanks around it; "" where it is none."""
    text = _composed(code[: 4 * ID_LIMIT_LETTERS]).strip()
    good = 0 < len(text) <= ID_LIMIT_LETTERS and text.isprintable() and text[0].isalnum()
    return "".join(letter.upper() if letter.isascii() else letter for letter in text) if good else ""


def cleaned(text: str) -> str:
    """A name as written: NFC, without control letters, overrides of direction and line ends, of a limited length."""
    plain = text[: 2 * NAME_LIMIT_LETTERS].translate(BLANKS)
    kept = [one for one in plain if one.isprintable() or one in JOINERS]
    return _composed("".join(kept)).strip()[:NAME_LIMIT_LETTERS]


def _composed(text: str) -> str:
    """NFC. The tables of Unicode are not loaded for plain ASCII: they take 0.6 MiB."""
    if text.isascii():
        return text
    import unicodedata  # noqa: PLC0415  most beds never need it

    return unicodedata.normalize("NFC", text)


def born(text: str) -> str:
    """A birth date of HL7 (YYYY, YYYYMM, YYYYMMDD and more) or ISO as YYYY, YYYY-MM, YYYY-MM-DD; "" if it is none."""
    digits = text[:10].replace("-", "")[:8]
    if not (digits.isascii() and digits.isdecimal() and len(digits) in (4, 6, 8)):
        return ""
    parts = [digits[:4], digits[4:6], digits[6:8]]
    good = 1 <= int(parts[1] or 1) <= 12 and 1 <= int(parts[2] or 1) <= 31
    return "-".join(part for part in parts if part) if good else ""


def person(said: Person) -> Person:
    """What somebody says of a person, in our form; without an id where it is none."""
    return Person(normalised(said.id), cleaned(said.name), born(said.born))


def wristband(code: str, patterns: Sequence[str], check: Check) -> str:
    """The number on a wristband, normalised; without patterns any number is one. Raises RefusedError."""
    text = normalised(code)
    if not text:
        raise RefusedError("form")
    if not patterns:
        return text
    fitting = [pattern for pattern in patterns if fits(text, pattern)]
    if not fitting:
        raise RefusedError("site")
    if not any(_is_checked(text, pattern, check) for pattern in fitting):
        raise RefusedError("check digit")
    return text


def fits(text: str, pattern: str) -> bool:
    """Whether a normalised number has this form."""
    places = zip(text, pattern.upper(), strict=False)
    return len(text) == len(pattern) and all(letter in PLACES.get(place, place) for letter, place in places)


def _is_checked(text: str, pattern: str, check: Check) -> bool:
    if not pattern.endswith("=") or not check:
        return True
    digits = [int(letter) for letter in text[:-1] if letter in DIGITS]
    return CHECKS[check](digits) == text[-1]


def _mod10(digits: Sequence[int]) -> str:
    return str(-sum(digit * (3, 1)[at % 2] for at, digit in enumerate(reversed(digits))) % 10)


def _luhn(digits: Sequence[int]) -> str:
    return str(-sum(sum(divmod(digit * (2, 1)[at % 2], 10)) for at, digit in enumerate(reversed(digits))) % 10)


def _mod11(digits: Sequence[int]) -> str:
    rest = 0
    for digit in digits:
        rest = (rest + digit) * 2 % 11
    return "0123456789X"[(12 - rest) % 11]


CHECKS: Mapping[str, Callable[[Sequence[int]], str]] = {"mod10": _mod10, "luhn": _luhn, "mod11": _mod11}


def bed_of(code: str, site: str) -> str | None:
    """The bed that a label of this site names; None if it is no bed label. Raises RefusedError for another site's."""
    if not code.upper().startswith(BED_PREFIX):
        return None
    where, _, bed = code[len(BED_PREFIX) :].partition(":")
    if where.lower() != site or not cleaned(bed):
        raise RefusedError("site")
    return cleaned(bed)


def problem(pattern: str) -> str:
    """Why a pattern is none; "" if it is one."""
    if not 3 <= len(pattern) <= ID_LIMIT_LETTERS or not all(" " <= letter <= "~" for letter in pattern):
        return f"3 to {ID_LIMIT_LETTERS} printable ASCII letters"
    if "=" in pattern[:-1]:
        return "the check digit '=' comes last"
    return "" if any(letter in "#@*" for letter in pattern) else "it has no '#', '@' or '*', so it is one number"
