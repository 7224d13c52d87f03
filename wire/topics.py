"""Topics and classes: `wl/1/<site>/<gateway>/<class>` (DESIGN 6).

A topic is read by brokers and logs, so it names no patient, bed or serial number. Names are `[a-z0-9-]`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

PREFIX = "wl/1"
TOPIC_LIMIT_BYTES = 64
_NAME = re.compile(r"[a-z0-9-]{1,24}\Z")


class Class(IntEnum):
    """The classes of envelopes; the number is what the header carries. Smaller goes first on the wire."""

    KEY = 0
    VITAL = 1
    WAVE = 2

    @property
    def word(self) -> str:
        return self.name.lower()


OTHER_WORDS = ("state", "receipt", "command", "reply", "relay", "clock", "time")
WORDS = tuple(c.word for c in Class) + OTHER_WORDS


class TopicError(Exception):
    """The text is no topic of ours; says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """One gateway at one site."""

    site: str
    gateway: str

    def __post_init__(self) -> None:
        for name in (self.site, self.gateway):
            if not is_name(name):
                raise TopicError(f"{name!r} is not 1 to 24 of a-z, 0-9 and '-'")

    def topic(self, word: str) -> str:
        """The topic of a class (`vital`) or of a lane to and from the centre (`receipt`)."""
        assert word in WORDS, word
        topic = f"{PREFIX}/{self.site}/{self.gateway}/{word}"
        assert len(topic) <= TOPIC_LIMIT_BYTES, topic
        return topic


def is_name(text: str) -> bool:
    return _NAME.match(text) is not None


def parse(topic: str) -> tuple[Address, str]:
    """(address, word) of a topic. Raises TopicError."""
    parts = topic.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != PREFIX or parts[4] not in WORDS:
        raise TopicError(f"not a topic of ours: {topic[:80]!r}")
    return Address(parts[2], parts[3]), parts[4]


def everything(word: str, site: str = "+") -> str:
    """The filter a centre subscribes with."""
    return f"{PREFIX}/{site}/+/{word}"
