"""Asking who is there, where an engineer allowed it: listen first, then one driver after another at its own settings.

    listening --nobody is understood--> pair 1 --no answer--> pair 2 ... --no answer--> listening, for a minute
    any --somebody is understood--> found

A pair is a driver and one of its line settings. For two seconds its line is only listened to (REQUIREMENTS NUR-02);
then the driver says what its `on_open` says, and what it would say to a device of its kind. All other drivers of that
setting hear the answer too, so a rival counts here as it does in listening. What is sent is counted; leaving sends
nothing. Pure; times are monotonic nanoseconds.

Never asked is where somebody is understood, where several understand the same, or where good frames come, with a
checksum, of one who need not be asked; and who begins to speak by himself while we wait is listened to first.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.ports.evidence import Ear, Trial, Verdict
from agent.ports.seek import SECOND_NS, UNKNOWN_NS, Found, Seek, settings_of
from drivers.contract import Driver, Serial

SILENT_NS = 10 * SECOND_NS  # after the last byte: who speaks by himself does so more often
FIRST_LOOK_NS = 2 * SECOND_NS  # at each setting, before the first byte is sent there (NUR-02)
ANSWER_NS = 6 * SECOND_NS  # for the first good frame
NEAR_NS = 20 * SECOND_NS  # for all three, where there is one
DRAIN_NS = SECOND_NS // 2  # before the line is turned: what was sent must be gone
REST_NS = 60 * SECOND_NS  # after all were asked in vain
ECHO_BYTES = 4  # a shorter request is no frame
KEPT_LIMIT_BYTES = 262_144
log = logging.getLogger("wardlink.asking")


@dataclass(slots=True)
class Asked:
    """What was sent to find out who is there."""

    driver: str
    line: str
    requests: int = 0
    sent_bytes: int = 0


class Turn:
    """One driver at one setting: `ask` begins it. `events` is what came, in order; no bytes mean that it was woken."""

    def __init__(self, kind: type[Driver], line: Serial, kinds: Sequence[type[Driver]], now: int) -> None:
        self.kind = kind
        self.line = line
        self.began = now
        self.is_asking = False
        self.events: list[tuple[int, bytes]] = []
        self._kinds = kinds
        self._trial = Trial(kinds)
        self._sent: list[bytes] = []
        self._kept_bytes = 0

    @property
    def _ear(self) -> Ear:
        return self._trial.ears[self._kinds.index(self.kind)]

    @property
    def heard_bytes(self) -> int:
        return self._trial.heard_bytes

    def ask(self, now: int) -> list[bytes]:
        """From here on a trial of its own, which can be told again to a fresh driver."""
        self._trial = Trial(self._kinds)
        self.began, self.is_asking, self.events = now, True, [(now, b"")]
        self._ear.open(now)
        return self._sends()

    def hear(self, data: bytes, now: int) -> tuple[Verdict, list[bytes]]:
        self.events.append((now, data))
        self._kept_bytes += len(data)
        while self._kept_bytes > KEPT_LIMIT_BYTES:
            self._kept_bytes -= len(self.events.pop(1)[1])
        verdict = self._trial.hear(data, now)
        echoes = self._echoes()
        for ear in self._trial.ears:
            ear.echoes = echoes
        return (self._trial.verdict() if echoes else verdict), self._sends()

    def _echoes(self) -> int:
        """How many of our own requests came back: an adapter with an echo, or a plug with two pins joined."""
        if not self._sent:
            return 0
        heard = b"".join(data for _, data in self.events)
        return sum(heard.count(one) for one in set(self._sent) if len(one) >= ECHO_BYTES)

    @property
    def ends_at(self) -> int:
        if not self.is_asking:
            return self.began + FIRST_LOOK_NS
        return self.began + (NEAR_NS if self._ear.frames else ANSWER_NS)

    @property
    def wake_at(self) -> int:
        """When there is something to do."""
        wake = self._ear.driver.wake_at if self.is_asking and not self._ear.is_broken else None
        return self.ends_at if wake is None or wake >= self.ends_at - DRAIN_NS else min(wake, self.ends_at)

    def woke(self, now: int) -> list[bytes]:
        """The driver wanted to be woken, and its turn is not nearly over."""
        wake = self._ear.driver.wake_at
        if not self.is_asking or wake is None or now <= wake or wake >= self.ends_at - DRAIN_NS:
            return []
        self.events.append((now, b""))
        self._ear.woke(now)
        return self._sends()

    def _sends(self) -> list[bytes]:
        """Only what the driver's own list allows."""
        said = [one.data for one in self._ear.sends if self.kind.info.allows(one.data)]
        self._ear.sends.clear()
        self._sent += said
        return said


class Asker:
    """A search that may ask for `askable`. It has the face of a `Seek`, and `to_send` beside it."""

    def __init__(
        self,
        kinds: Iterable[type[Driver]],
        now: int,
        first: Serial | None,
        askable: Sequence[type[Driver]],
        known: str = "",
        asked: dict[tuple[str, str], Asked] | None = None,
    ) -> None:
        """`first` and `known`: the setting and the driver of last time. What is sent is counted in `asked`."""
        self._kinds = tuple(kinds)
        self._first = first
        self._pairs = pairs(askable, first, known)
        self._strangers = {kind.info.id for kind in self._kinds if kind not in askable}
        # Who answered here before is waited for no longer than at any setting.
        self._silent_ns = FIRST_LOOK_NS if known in {kind.info.id for kind in askable} else SILENT_NS
        self._settings = {str(line): who for line, who in settings_of(self._kinds)}
        self._asked = {} if asked is None else asked
        self._unsent: list[bytes] = []
        self._tried: tuple[str, ...] = ()
        self._has_rivals = False
        self._listen(now, now)

    @property
    def line(self) -> Serial:
        return self._turn.line if self._turn else self._seek.line

    @property
    def tried(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._tried, *self._seek.tried)))

    @property
    def wake_at(self) -> int | None:
        if self._turn:
            return self._turn.wake_at
        wakes = (
            [] if self._has_rivals or not self._pairs else [max(self._last_byte + self._silent_ns, self._not_before)]
        )
        return min([*wakes, *([] if self._seek.wake_at is None else [self._seek.wake_at])], default=None)

    def to_send(self) -> list[bytes]:
        """What shall leave now; ask after each `heard` and `woke`."""
        unsent, self._unsent = self._unsent, []
        return unsent

    def heard(self, data: bytes, now: int) -> Found | None:
        self._last_byte = now
        if self._turn is None:
            found = self._seek.heard(data, now)
            self._look(self._seek.verdict, now)
            self._consider(now)
            return found
        turn = self._turn
        verdict, sends = turn.hear(data, now)
        found = self._found(turn, verdict) if verdict.is_sure else None
        if found is None or found.is_asked:
            self._say(sends)
        if found is not None:
            return found
        self._look(verdict, now)
        if self._has_rivals or self._not_before > now or not (turn.is_asking or self._is_baffled):
            self._listen(now, self._not_before)
        self._step(now)
        return None

    def _look(self, verdict: Verdict, now: int) -> None:
        """Who rivals, and who speaks without being asked."""
        self._has_rivals = self._has_rivals or len(verdict.ids) > 1
        if self._strangers.intersection(verdict.proved):
            self._not_before = now + REST_NS

    def woke(self, now: int) -> None:
        if self._turn is None:
            self._seek.woke(now)
            self._consider(now)
        else:
            self._say(self._turn.woke(now))
            self._step(now)

    def misread(self, now: int) -> None:
        """While listening only: who is asked may be noisy and is given his time."""
        if self._turn is None:
            self._seek.misread(now)

    def words(self, now: int) -> str:
        if self._turn is None:
            asked = ", ".join(dict.fromkeys(driver for driver, _ in self._asked))
            return self._seek.words(now) + (f"; asked: {asked}" if asked else "")
        heard = "unknown device" if self._is_baffled else "nothing is heard"
        doing = "asking for" if self._turn.is_asking else "listening before asking for"
        return f"{heard}: {doing} {self._turn.kind.info.id} at {self._turn.line}"

    def _listen(self, now: int, not_before: int) -> None:
        """From the start, as if nobody ever asked."""
        self._turn: Turn | None = None
        self._at = 0
        self._seek = Seek(self._kinds, now, self._first)
        self._began = self._last_byte = now
        self._not_before = not_before
        self._is_baffled = False

    def _consider(self, now: int) -> None:
        """Ask, where nobody speaks, or nobody understands who does."""
        if now < self._not_before or self._has_rivals or not self._pairs:
            return
        self._is_baffled = now - self._began >= UNKNOWN_NS and self._seek.has_tried_all
        if self._is_baffled or now - self._last_byte >= self._silent_ns:
            self._tried = self.tried
            self._enter(now)

    def _enter(self, now: int) -> None:
        """Where the line has stood so already, that was the first look."""
        kind, line = self._pairs[self._at]
        since = self._last_byte if self._turn is None and str(line) == str(self._seek.line) else now
        self._turn = Turn(kind, line, self._settings[str(line)], since)

    def _step(self, now: int) -> None:
        """What comes after what is over."""
        turn = self._turn
        if turn is None or now < turn.ends_at:
            return
        if not turn.is_asking:
            self._begin(turn, now)
            return
        one = self._asked[turn.kind.info.id, str(turn.line)]
        log.info("asked driver=%s line=%r requests=%d answer=none", one.driver, one.line, one.requests)
        self._at += 1
        if self._at < len(self._pairs):
            self._enter(now)
        else:
            self._listen(now, now + REST_NS)

    def _begin(self, turn: Turn, now: int) -> None:
        key = turn.kind.info.id, str(turn.line)
        self._asked.setdefault(key, Asked(*key))
        log.info("asking driver=%s line=%r", *key)
        self._say(turn.ask(now))

    def _say(self, sends: list[bytes]) -> None:
        if self._turn and sends:
            one = self._asked[self._turn.kind.info.id, str(self._turn.line)]
            one.requests += len(sends)
            one.sent_bytes += sum(map(len, sends))
            self._unsent += sends

    def _found(self, turn: Turn, verdict: Verdict) -> Found:
        """Who answers. A stranger who was understood meanwhile by all drivers of the line is not one we asked for."""
        (who,) = verdict.ids
        kind = next(kind for kind in self._settings[str(turn.line)] if kind.info.id == who)
        is_asked = turn.is_asking and kind is turn.kind
        events = tuple(turn.events if is_asked else [(at, data) for at, data in turn.events if data])
        return Found(kind, turn.line, events, verdict.frames, verdict.integrity, is_asked)


def pairs(askable: Sequence[type[Driver]], first: Serial | None, known: str) -> list[tuple[type[Driver], Serial]]:
    """In which order to ask: who was there last time, then each driver's own first choice, then the others."""
    found = [
        (place, kind, line)
        for kind in askable
        for place, line in enumerate(claim for claim in kind.info.claims if isinstance(claim, Serial))
    ]
    found.sort(key=lambda one: (one[1].info.id != known or str(one[2]) != str(first), one[0]))
    return [(kind, line) for _, kind, line in found]
