"""Numbers that stand for topics on one connection: 30 bytes less a packet (MQTT 5.0, 3.3.2.3.4).

A number stands alone only once the broker has accepted a packet that said both: one that it refused may not count.
"""

from __future__ import annotations

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


class Aliases:
    """`limit_count` is the Topic Alias Maximum of the CONNACK; 0 where it says none."""

    def __init__(self, limit_count: int) -> None:
        self._limit_count = limit_count
        self._numbers: dict[str, Properties] = {}
        self._agreed: set[str] = set()
        self._proposed: dict[int, str] = {}  # by packet identifier

    def shorten(self, topic: str) -> tuple[str, Properties | None]:
        """What to publish under: a topic, empty where the number in the properties is enough."""
        number = self._numbers.get(topic)
        if number is None and len(self._numbers) < self._limit_count:
            number = self._numbers[topic] = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            number.TopicAlias = len(self._numbers)
        return ("" if topic in self._agreed else topic), number

    def published(self, mid: int, topic: str) -> None:
        if topic in self._numbers and topic not in self._agreed:
            self._proposed[mid] = topic

    def answered(self, mid: int, accepted: bool) -> None:
        topic = self._proposed.pop(mid, None)
        if topic is not None and accepted:
            self._agreed.add(topic)
