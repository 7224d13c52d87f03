"""Who advertises and may not be connected: counted, and as many remembered as a person can read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.ports.radio.air import Seen
from agent.ports.radio.policy import Choice, Known

REMEMBERED_LIMIT_COUNT = 64
NAME_WAIT_NS = 1_000_000_000  # the name comes in a second packet, and decides between drivers
AGAIN_NS = 2_000_000_000


@dataclass(slots=True)
class Stranger:
    """`words` say why it was not taken, where somebody tried."""

    seen: Seen
    first_ns: int
    last_ns: int
    choice: Choice
    words: str = ""
    count: int = 1
    tried_ns: int | None = None

    def may_try(self, now: int) -> bool:
        """Whether enough is known of it, and it was not tried just now."""
        is_named = bool(self.seen.name) or now - self.first_ns >= NAME_WAIT_NS
        return is_named and (self.tried_ns is None or now - self.tried_ns >= AGAIN_NS)


class Strangers:
    """By address, the one heard last at the end."""

    def __init__(self) -> None:
        self.advertisements = 0
        self.forgotten = 0
        self._all: dict[str, Stranger] = {}

    def meet(self, seen: Seen, now: int, choice: Callable[[], Choice]) -> Stranger:
        """`choice` is asked only for what was not heard before."""
        self.advertisements += 1
        stranger = self._all.pop(seen.address, None)
        if stranger is None:
            stranger = Stranger(seen, now, now, choice(), count=0)
        elif (stranger.seen.name, stranger.seen.services) != (seen.name, seen.services):
            stranger.choice = choice()
        stranger.seen, stranger.last_ns = seen, now
        stranger.count += 1
        self._all[seen.address] = stranger
        if len(self._all) > REMEMBERED_LIMIT_COUNT:
            del self._all[next(iter(self._all))]
            self.forgotten += 1
        return stranger

    def drop(self, address: str) -> None:
        """It is no stranger any more."""
        self._all.pop(address, None)

    def tell(self, known: Known, words: str, now: int) -> None:
        """It was tried, and it is a stranger again."""
        seen = Seen(known.address, "", known.name, frozenset(), None, False)
        stranger = self._all.setdefault(known.address, Stranger(seen, now, now, Choice(None, ""), count=0))
        stranger.words, stranger.tried_ns = words, now

    def claimed(self) -> list[Stranger]:
        """Those that a driver claims, or that were tried: what a person may look for."""
        return [one for one in self._all.values() if one.choice.driver is not None or one.words]
