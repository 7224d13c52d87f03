"""Which waves may go late: all, or (policy `waves` "ask", for links that cost) only those that the centre named."""

from __future__ import annotations

from collections.abc import Mapping

from agent.uplink.recent import Key
from wire.command import Wanted
from wire.ranges import Ranges
from wire.topics import Class

ASKED_LIMIT_COUNT = 64  # (class, epoch) that waves were named of


class Asked:
    """What was named since the policy began. What is relayed for another gateway is never held back."""

    def __init__(self) -> None:
        self.only = False
        self._named: dict[Key, Ranges] = {}

    def begin(self, only: bool) -> None:
        self.only = only
        self._named.clear()

    def add(self, said: Wanted) -> None:
        if not self.only or said.cls != Class.WAVE:
            return
        if len(self._named) >= ASKED_LIMIT_COUNT:
            self._named.clear()  # the centre asks again
        named = self._named.setdefault((said.cls, said.epoch), Ranges())
        for first, last in said.ranges:
            named.add(first, last)

    def frozen(self) -> Mapping[Key, Ranges] | None:
        """A copy for other threads; None: all may go."""
        return {key: Ranges(named) for key, named in self._named.items()} if self.only else None
