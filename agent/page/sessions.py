"""Who stands before which screen: what a browser was given to prove that a deed comes from our own page. Pure.

A session is not a login: it holds who the person said they are, for fifteen minutes after the last deed.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

COOKIE = "wardlink"
IDLE_LIMIT_S = 900
SESSIONS_LIMIT_COUNT = 64
TOKEN_BYTES = 24


@dataclass(slots=True)
class Session:
    """`token` stands in each form; `notice` is the key of what the last deed came to, shown once."""

    name: str
    token: str
    touched_ns: int
    performer: str = ""
    notice: tuple[str, ...] = ()


class Sessions:
    """In memory only. Who never said who they are makes room first, then the one that was touched longest ago."""

    def __init__(self, now: Callable[[], int], random: Callable[[int], bytes]) -> None:
        self._now = now
        self._random = random
        self._kept: dict[str, Session] = {}

    def find(self, name: str) -> Session | None:
        found = self._kept.get(name)
        if found is not None and self._now() - found.touched_ns > IDLE_LIMIT_S * 1_000_000_000:
            del self._kept[name]
            return None
        return found

    def open(self) -> Session:
        while len(self._kept) >= SESSIONS_LIMIT_COUNT:
            del self._kept[min(self._kept, key=self._worth)]
        name, token = self._random(TOKEN_BYTES).hex(), self._random(TOKEN_BYTES).hex()
        session = self._kept[name] = Session(name, token, self._now())
        return session

    def _worth(self, name: str) -> tuple[bool, int]:
        return bool(self._kept[name].performer), self._kept[name].touched_ns

    def proven(self, name: str, token: str) -> Session | None:
        """The session whose own form this came from; touched."""
        found = self.find(name)
        if found is None or not hmac.compare_digest(found.token.encode(), token.encode("utf-8", "replace")):
            return None
        found.touched_ns = self._now()
        return found
