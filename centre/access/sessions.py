"""Who has come in by a browser: a random word in a cookie, kept here in memory, so a restart lets nobody stay."""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from centre.access.people import Person

WORD_BYTES = 32
LIFE_LIMIT_S = 12 * 3600.0
IDLE_LIMIT_S = 1800.0
SESSIONS_LIMIT_COUNT = 10_000


class _Session(msgspec.Struct):
    person: Person
    began: float
    used: float


class Sessions:
    """`now` counts seconds that only grow; `dice` gives random bytes. Used in the asyncio loop alone."""

    def __init__(self, now: Callable[[], float], dice: Callable[[int], bytes]) -> None:
        self._now = now
        self._dice = dice
        self._known: OrderedDict[bytes, _Session] = OrderedDict()

    def open(self, person: Person) -> str:
        """The word to put into the cookie. Of too many sessions the oldest ends."""
        word = base64.urlsafe_b64encode(self._dice(WORD_BYTES)).decode().rstrip("=")
        now = self._now()
        self._known[_name(word)] = _Session(person, now, now)
        while len(self._known) > SESSIONS_LIMIT_COUNT:
            self._known.popitem(last=False)
        return word

    def person(self, word: str) -> Person | None:
        """Whose it is; counts as use. None: it ended, or never was."""
        found = self._known.get(_name(word))
        now = self._now()
        if found is None:
            return None
        if now - found.began >= LIFE_LIMIT_S or now - found.used >= IDLE_LIMIT_S:
            del self._known[_name(word)]
            return None
        found.used = now
        return found.person

    def close(self, word: str) -> None:
        self._known.pop(_name(word), None)


def _name(word: str) -> bytes:
    """Only the hash is kept: who reads our memory's dictionary finds no cookie."""
    return hashlib.sha256(word.encode()).digest()
