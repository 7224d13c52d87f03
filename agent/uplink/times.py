"""The exchange of time stamps with the centre, as the uplink sees it: what to ask and when is somebody else's."""

from __future__ import annotations

from typing import Protocol

from agent.uplink.link import Link


class Times(Protocol):
    """Who knows the time, and wants to know it better."""

    def connected(self) -> None:
        """A road to the centre is open."""

    def question(self) -> bytes | None:
        """What leaves at once, if anything; asked once a second."""

    def answered(self, data: bytes) -> None:
        """Something came as an answer, this moment."""

    async def before_dial(self) -> None:
        """Certificates will want to know the time."""


class Nobody:
    """Wants to know nothing."""

    def connected(self) -> None:
        """It asks nobody."""

    def question(self) -> None:
        """Nothing."""

    def answered(self, data: bytes) -> None:
        """It asked for nothing."""

    async def before_dial(self) -> None:
        """At once."""


def ask(times: Times, link: Link, topic: str) -> None:
    """A question leaves at once: what waits on the way is part of its error."""
    nonce = times.question()
    if nonce is not None:
        link.tell(topic, nonce)
        link.flush()
