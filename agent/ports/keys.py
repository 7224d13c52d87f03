"""What a keyboard that types means: key events of Linux to text, by layout. Pure.

An event is (type, code, value); codes are those of `linux/input-event-codes.h`, which name places on the keyboard, not
characters: on the French layout the digits are the shifted ones. Whatever cannot be told is a SUB in the text, never
nothing: a character that is missing unseen would make another code of it.

Accents that wait for a letter (^ on the French layout) are told as they stand on the key. Codes typed with Alt and the
keypad are not understood.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

SYN, KEY = 0, 1
SYN_DROPPED = 3
UP, DOWN, REPEAT = 0, 1, 2
LOST = "\x1a"
SHIFTS, CONTROLS, ALTGR, CAPS_LOCK = (42, 54), (29, 97), 100, 58
SILENT = frozenset((*SHIFTS, *CONTROLS, ALTGR, CAPS_LOCK, 56, 69, 70, 125, 126))  # Alt, the locks, the logo keys
ROWS = ((41, 1), (2, 12), (16, 12), (30, 11), (43, 1), (86, 1), (44, 10))  # first code, how many
COMMON_KEYS: Final = {28: "\n", 96: "\n", 15: "\t", 57: " ", 55: "*", 74: "-", 78: "+", 98: "/", 83: "."}
KEYPAD = dict(zip((82, 79, 80, 81, 75, 76, 77, 71, 72, 73), "0123456789", strict=True))

# By row: the character left of 1, the digits, three rows of letters with the odd keys between. Plain, shifted, AltGr.
LAYOUTS = {
    "us": (
        ("`", "1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "\\", "<", "zxcvbnm,./"),
        ("~", "!@#$%^&*()_+", "QWERTYUIOP{}", 'ASDFGHJKL:"', "|", ">", "ZXCVBNM<>?"),
        {},
    ),
    "fr": (
        ("²", "&é\"'(-è_çà)=", "azertyuiop^$", "qsdfghjklmù", "*", "<", "wxcvbn,;:!"),
        (LOST, "1234567890°+", "AZERTYUIOP¨£", "QSDFGHJKLM%", "µ", ">", "WXCVBN?./§"),
        dict(zip(range(3, 14), "~#{[|`\\^@]}", strict=True)),
    ),
    "de": (
        ("^", "1234567890ß´", "qwertzuiopü+", "asdfghjklöä", "#", "<", "yxcvbnm,.-"),
        ("°", '!"§$%&/()=?`', "QWERTZUIOPÜ*", "ASDFGHJKLÖÄ", "'", ">", "YXCVBNM;:_"),
        {8: "{", 9: "[", 10: "]", 11: "}", 12: "\\", 16: "@", 27: "~", 86: "|"},
    ),
}


def _places(rows: tuple[str, ...]) -> dict[int, str]:
    """Character by code."""
    return {
        first + at: char
        for (first, count), row in zip(ROWS, rows, strict=True)
        for at, char in zip(range(count), row, strict=True)
    }


class Keys:
    """One keyboard and what is held down on it. Raises KeyError for a layout that is not there."""

    def __init__(self, layout: str) -> None:
        plain, shifted, third = LAYOUTS[layout]
        always = {**COMMON_KEYS, **KEYPAD}
        self._plain = {**_places(plain), **always}
        self._shifted = {**_places(shifted), **always}
        self._third = third
        self._held: set[int] = set()
        self._is_caps = False

    def feed(self, events: Iterable[tuple[int, int, int]]) -> str:
        """The text that these events type."""
        return "".join(self._one(*event) for event in events)

    def _one(self, kind: int, code: int, value: int) -> str:
        if kind == SYN and code == SYN_DROPPED:  # the kernel's buffer was full
            self._held.clear()
            return LOST
        if kind != KEY:
            return ""
        if value == UP:
            self._held.discard(code)
            return ""
        if value == REPEAT:  # of a key that is held: a reader holds none
            return "" if code in SILENT else LOST
        self._held.add(code)
        if code in SILENT:
            self._is_caps ^= code == CAPS_LOCK
            return ""
        return self._char(code)

    def _char(self, code: int) -> str:
        if ALTGR in self._held:
            return self._third.get(code, LOST)
        char = self._plain.get(code, LOST)
        is_shifted = not self._held.isdisjoint(SHIFTS)
        if is_shifted != (self._is_caps and char.isalpha()):
            char = self._shifted.get(code, LOST)
        if not self._held.isdisjoint(CONTROLS):
            char = chr(ord(char.upper()) & 0x1F) if "@" <= char.upper() <= "_" else LOST
        return char
