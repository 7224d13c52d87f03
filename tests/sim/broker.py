"""A broker with the semantics of MQTT 5, QoS 1: acknowledges, retains, queues for the centre's session, and misbehaves.

`moods` are what is wrong with it now, by name, with how often it shows (0..1).
"""

from __future__ import annotations

from collections import deque
from random import Random

from agent.uplink.account import UNHEARD
from agent.uplink.pace import Terms

CENTRE_LATENCY_S = 0.01


class Broker:
    def __init__(self, timeline, random: Random, count, tell) -> None:
        self._timeline = timeline
        self._random = random
        self._count = count
        self._tell = tell
        self.is_up = True
        self.moods: dict[str, float] = {}
        self.receive_limit_count = random.choice((1, 5, 20, 65535))
        self._tells_unheard = random.choice((True, False))  # MQTT leaves it to brokers
        self._retained: dict[str, bytes] = {}
        self._ears: dict = {}  # link -> topics
        self._wills: dict = {}
        self._has_session = False
        self._queue: deque[tuple[str, bytes]] = deque()
        self._flying: dict[int, tuple[str, bytes]] = {}
        self._centre = None
        self._mid = 0
        self.arrived = 0

    def _is(self, mood: str) -> bool:
        """Whether it shows now; counted."""
        if mood in self.moods and self._random.random() < self.moods[mood]:
            self._count(f"broker {mood}")
            return True
        return False

    # The gateway's side.

    def accept(self, link) -> Terms:
        for other in list(self._wills):
            other.taken_over = True
            other.cut("taken over")
        self._wills[link] = link.will
        return Terms(receive_limit_count=self.receive_limit_count)

    def published(self, link, mid: int, topic: str, data: bytes, retain: bool) -> None:
        if not self.is_up:
            return
        self.arrived += 1
        word = topic.rpartition("/")[2]
        self._tell(f"broker < {word} {len(data)}", b"" if word == "key" else data)  # HPKE throws dice of its own
        if self._is("refuses"):
            link.hear(link.acknowledged, mid, "Quota exceeded")
            return
        if self._is("drops the link before PUBACK"):
            self._route(topic, data, retain)
            link.cut("reset by the broker")
            return
        is_unheard = self._tells_unheard and not self._has_session
        self._route(topic, data, retain)
        if not self._is("never acknowledges"):
            failure = UNHEARD if is_unheard or self._is("denies its subscribers") else None
            delay = self._random.uniform(0.5, 8.0) if self._is("acknowledges late") else 0.0005
            self._timeline.after(delay, link.hear, link.acknowledged, mid, failure)

    def told(self, link, topic: str, data: bytes) -> None:
        """QoS 0: for a centre that is there now."""
        if self.is_up and self._centre is not None and not self._is("never acknowledges"):
            self._timeline.after(CENTRE_LATENCY_S, self._centre.asked, topic, data)

    def subscribed(self, link, topic: str) -> None:
        self._ears.setdefault(link, []).append(topic)
        if topic in self._retained:
            link.hear(link.received, topic, self._retained[topic])

    def left(self, link) -> None:
        self._wills.pop(link, None)
        self._ears.pop(link, None)

    def vanished(self, link) -> None:
        will = self._wills.pop(link, None)
        self._ears.pop(link, None)
        if will is not None and self.is_up:
            self._route(will.topic, will.data, True)

    # The centre's side: one session that is kept.

    def welcome(self, centre) -> None:
        self._centre = centre
        self._queue.extendleft(reversed(self._flying.values()))
        self._flying.clear()
        if not self._has_session:
            self._has_session = True
        for topic, data in sorted(self._retained.items()):
            if topic.endswith("/state"):
                self._queue.append((topic, data))
        self._push()

    def goodbye(self) -> None:
        self._centre = None
        self._queue.extendleft(reversed(self._flying.values()))
        self._flying.clear()

    def settled(self, mid: int) -> None:
        """The centre acknowledged a delivery."""
        self._flying.pop(mid, None)

    def say(self, topic: str, data: bytes, retain: bool = True) -> None:
        """The centre, or an intruder, publishes towards gateways."""
        if not self.is_up:
            return
        if topic.endswith("/receipt") and self._is("loses receipts"):
            return
        if retain:
            self._retained[topic] = data
        for link, wanted in list(self._ears.items()):
            if topic in wanted:
                link.hear(link.received, topic, data)

    def inject(self, topic: str, data: bytes) -> None:
        """An intruder publishes towards the centre."""
        self._route(topic, data, False)

    def _route(self, topic: str, data: bytes, retain: bool) -> None:
        if retain:
            self._retained[topic] = data
        if not self._has_session:
            return
        for _ in range(2 if self._is("duplicates") else 1):
            self._queue.append((topic, data))
        self._push()

    def _push(self) -> None:
        while self._queue and self._centre is not None:
            at = 0
            if self._is("reorders"):
                at = self._first_of(self._random.choice(sorted({topic for topic, _ in self._queue})))
            self._mid += 1
            topic, data = self._queue[at]
            del self._queue[at]
            self._flying[self._mid] = (topic, data)
            self._timeline.after(CENTRE_LATENCY_S, self._centre.delivered, self._mid, topic, data)

    def _first_of(self, topic: str) -> int:
        return next(at for at, (wanted, _) in enumerate(self._queue) if wanted == topic)

    @property
    def is_idle(self) -> bool:
        return not self._queue and not self._flying

    # Its own life.

    def stop(self, forgets: bool) -> None:
        """`forgets`: everything, sessions and what is retained too."""
        self.is_up = False
        for link in list(self._wills):
            link.cut("the broker went down")
        self._wills.clear()
        self._ears.clear()
        centre, self._centre = self._centre, None
        self._queue.extendleft(reversed(self._flying.values()))
        self._flying.clear()
        if forgets:
            self._queue.clear()
            self._retained.clear()
            self._has_session = False
        if centre is not None:
            centre.disconnected()

    def start(self) -> None:
        self.is_up = True
