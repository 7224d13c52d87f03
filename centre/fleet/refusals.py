"""Whom a mosquitto refused, read from its log: who, what, when. Pure.

The plugin refuses a subscription without a word: it shows as a topic that is asked for (`\\ttopic (QoS 1)`) and is not
followed by the line that says it is had. A Will that may not be published is dropped without a word as well; it is
told by its topic. A log of `log_type all` is needed. Source: lines of mosquitto 2.0.11, as tests/attack provokes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

from wire import topics
from wire.topics import TopicError

TEXT_LIMIT_CHARACTERS = 200
PENDING_LIMIT_COUNT = 10_000
UNKNOWN = "<unknown>"  # who has not said who they are
_WHEN = re.compile(r"([0-9][0-9T:.+-]*): (.*)\Z", re.DOTALL)
_ASKED = re.compile(r"\t(.*?)(?: \(QoS \d\))?\Z", re.DOTALL)
_DENIED = re.compile(  # a long line ends anywhere: mosquitto cuts it at 1000 bytes
    r"(?:Denied|Dropped too large) PUBLISH from (\S+) \(d\d, q\d, r\d, m\d+, '(.*?)(?:', \.\.\. \(\d+ bytes\)\))?\Z",
    re.DOTALL,
)
_CONNECTED = re.compile(r"New (?:client|bridge) connected from (\S+) as (\S+) \(")
_FAULT = re.compile(r"Client (\S+?)(?: \[\S+\])? disconnected(?: due to |: |, )(.*?)\.?\Z")
_SOCKET = re.compile(r"Bad socket read/write on client (\S+?): (.*?)\.?\Z")
_PUT_OUT = re.compile(r"Client (\S+) been disconnected by administrative action")
_TURNED = re.compile(r"Client connection from (\S+) (denied.*|failed)")  # `failed: e` says no more than that
_TLS = re.compile(r"OpenSSL Error\[\d+\]: (?:error:[0-9A-F]+:)?(.*)\Z")


@dataclass(frozen=True, slots=True)
class Refusal:
    """`who`: CN of the certificate, "" before it is known; `where`: address and port, "" where it could be several."""

    when: str
    who: str
    where: str
    what: str  # subscribe, publish, will, packet, connect
    topic: str
    why: str

    def line(self) -> str:
        """One line of JSON in ASCII: nothing that a topic holds can break the line or steer a terminal."""
        return json.dumps(asdict(self))


def read(lines: Iterable[str], may: Callable[[str, str], bool] | None = None) -> Iterator[Refusal]:
    """`lines` as they end with "\\n" alone. `may(name, topic)`: whether `name` may publish there, to judge Wills by."""
    reader = Reader(may or is_own)
    for line in lines:
        yield from reader.take(line.rstrip("\n"))


def is_own(name: str, topic: str) -> bool:
    """Whether it is a gateway's own topic, as far as a name tells; its site only the fleet knows."""
    try:
        return topics.parse(topic)[0].gateway == name
    except TopicError:
        return False


class Reader:
    """Follows one log."""

    def __init__(self, may: Callable[[str, str], bool]) -> None:
        self._may = may
        self._when = ""
        self._asks = ""  # whose SUBSCRIBE is being read
        self._topic: str | None = None  # asked for, and not given yet
        self._will = False
        self._fault = ""  # what TLS said last
        self._pending: dict[str, None] = {}  # addresses that have not said who they are
        self._where: dict[str, str] = {}

    def take(self, line: str) -> Iterator[Refusal]:
        found = _WHEN.match(line)
        if found is None:
            return
        self._when, text = found.groups()
        yield from self._subscription(text)
        yield from self._publication(text)
        yield from self._connection(text)

    def _subscription(self, text: str) -> Iterator[Refusal]:
        if self._asks and (asked := _ASKED.match(text)):
            yield from self._not_given()
            self._topic = asked[1]
        elif text.startswith("Received SUBSCRIBE from "):
            self._asks = text.removeprefix("Received SUBSCRIBE from ")
        elif self._topic is not None and re.match(rf"{re.escape(self._asks)} \d {re.escape(self._topic)}\Z", text):
            self._topic = None
        elif text.startswith(("Sending SUBACK to ", f"Client {self._asks} ")) and self._asks:
            yield from self._not_given()
            self._asks = ""

    def _not_given(self) -> Iterator[Refusal]:
        if self._topic is not None:
            yield self._refusal(self._asks, "subscribe", self._topic, "not authorised")
        self._topic = None

    def _publication(self, text: str) -> Iterator[Refusal]:
        if denied := _DENIED.match(text):
            yield self._refusal(denied[1], "publish", denied[2], "not authorised")
        elif self._will and text.startswith("\t"):
            topic, name = text[1:], next(reversed(self._where), "")
            if not self._may(name, topic):
                yield self._refusal(name, "will", topic, "not authorised, and never published")
        self._will = text.startswith("Will message specified")

    def _connection(self, text: str) -> Iterator[Refusal]:
        if text.startswith("New connection from "):
            self._pending[text.removeprefix("New connection from ").partition(" on port ")[0]] = None
            if len(self._pending) > PENDING_LIMIT_COUNT:
                self._pending.pop(next(iter(self._pending)))
        elif connected := _CONNECTED.match(text):
            self._pending.pop(connected[1], None)
            self._where.pop(connected[2], None)
            self._where[connected[2]] = connected[1]
        elif tls := _TLS.match(text):
            self._fault = tls[1].removeprefix("SSL routines::")
        elif turned := _TURNED.match(text):
            yield Refusal(self._when, "", turned[1], "connect", "", turned[2])
        elif put_out := _PUT_OUT.match(text):
            yield self._refusal(put_out[1], "connect", "", "put out by the admin")
        elif fault := _FAULT.match(text) or _SOCKET.match(text):
            yield self._broken(fault[1], fault[2])
            self._fault = ""
        elif text.startswith("Client "):
            self._fault = ""  # whoever closed without a word of farewell

    def _broken(self, who: str, why: str) -> Refusal:
        if who != UNKNOWN:
            return self._refusal(who, "packet", "", why)
        where = next(iter(self._pending)) if len(self._pending) == 1 else ""
        self._pending.pop(where, None)
        return Refusal(self._when, "", where, "connect", "", self._fault or why)

    def _refusal(self, who: str, what: str, topic: str, why: str) -> Refusal:
        return Refusal(self._when, _cut(who), self._where.get(who, ""), what, _cut(topic), why)


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT_CHARACTERS else text[:TEXT_LIMIT_CHARACTERS] + "..."
