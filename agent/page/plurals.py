"""Which form of a counted word a language takes for a whole number: CLDR's rules for the eight languages. Pure.

Source: Unicode CLDR 48, plurals.xml, cardinal, for integers without decimals. A test compares with Babel's.
"""

from __future__ import annotations

from collections.abc import Callable


def _one_other(n: int) -> str:
    return "one" if n == 1 else "other"


def _french(n: int) -> str:
    if n in (0, 1):
        return "one"
    return "many" if n % 1_000_000 == 0 else "other"


def _russian(n: int) -> str:
    if n % 10 == 1 and n % 100 != 11:
        return "one"
    return "few" if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14 else "many"


def _arabic(n: int) -> str:
    if n < 3:
        return ("zero", "one", "two")[n]
    if 3 <= n % 100 <= 10:
        return "few"
    return "many" if 11 <= n % 100 <= 99 else "other"


FORMS: dict[str, tuple[Callable[[int], str], frozenset[str]]] = {
    "en": (_one_other, frozenset({"one", "other"})),
    "fr": (_french, frozenset({"one", "many", "other"})),
    "zh-Hans": (lambda _n: "other", frozenset({"other"})),
    "ru": (_russian, frozenset({"one", "few", "many", "other"})),
    "ky": (_one_other, frozenset({"one", "other"})),
    "kk": (_one_other, frozenset({"one", "other"})),
    "ar": (_arabic, frozenset({"zero", "one", "two", "few", "many", "other"})),
    "ka": (_one_other, frozenset({"one", "other"})),
}


def form(language: str, n: int) -> str:
    """zero, one, two, few, many or other, for n >= 0."""
    return FORMS[language][0](n)
