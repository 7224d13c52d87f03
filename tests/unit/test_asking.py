"""Asking who is there: who is found, who is never spoken to, and what leaves the port. All on virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import can_ask
from agent.ports.asking import (
    ANSWER_NS,
    FIRST_LOOK_NS,
    REST_NS,
    SILENT_NS,
    Asker,
    pairs,
)
from agent.ports.seek import SECOND_NS, UNKNOWN_NS, Found
from drivers import capture, registry
from drivers.capture import Capture
from drivers.contract import Driver, Info, Integrity, Numeric, Send, Serial
from tests.scripted import Scripted

CAPTURES = Path(__file__).parents[1] / "captures"
KINDS = [kind for kind in registry.all_drivers() if any(isinstance(claim, Serial) for claim in kind.info.claims)]
ASKABLE = [kind for kind in KINDS if can_ask(kind)]


def asked_stories():
    """Captures in which the host speaks first."""
    for kind in ASKABLE:
        for path in sorted((CAPTURES / kind.info.id).glob("*.cap")):
            story = capture.parse(path.read_text(encoding="utf-8"))
            entries = [entry for entry in story.entries if entry.kind in "<>"]
            if entries[0].kind == ">" and not entries[0].source:
                yield pytest.param(kind, story, id=f"{kind.info.id}/{path.stem}")


def story_of(driver_id: str) -> Capture:
    path = next(iter(sorted((CAPTURES / driver_id).glob("*.cap"))))
    return capture.parse(path.read_text(encoding="utf-8"))


class Bench:
    """An asker and a far end; time is a number. `sent` is all that left, with the line it left at."""

    def __init__(self, asker: Asker, far: Scripted | None = None) -> None:
        self.asker = asker
        self.far = far
        self.now = 0
        self.sent: list[tuple[int, str, bytes]] = []
        self.found: Found | None = None

    def run(self, until: int, said: tuple[tuple[int, bytes], ...] = ()) -> Found | None:
        """`said` comes from a device that speaks by itself, at every setting the same."""
        pending = list(said)
        while self.found is None:
            wakes = [wake + 1 for wake in (self.asker.wake_at,) if wake is not None]
            wakes += [at for at, _ in pending[:1]]
            wakes += [self.far.wake_at] if self.far and self.far.wake_at is not None else []
            if not wakes or min(wakes) > until:
                self.now = until
                break
            self.now = max(self.now, min(wakes))
            self._turn(pending)
        return self.found

    def _turn(self, pending: list[tuple[int, bytes]]) -> None:
        line = self.asker.line
        data = pending.pop(0)[1] if pending and pending[0][0] <= self.now else b""
        if self.far:
            answer = self.far.say(self.now)  # at another setting it is not understood
            data += answer if str(line) == str(self.far.line) else b""
        if data:
            self.found = self.asker.heard(data, self.now)
        elif self.asker.wake_at is not None and self.now > self.asker.wake_at:
            self.asker.woke(self.now)
        for one in self.asker.to_send():
            self.sent.append((self.now, str(self.asker.line), one))
            if self.far:
                self.far.hear(one, self.now, self.asker.line)

    @property
    def first_sent_ns(self) -> int | None:
        return self.sent[0][0] if self.sent else None


@pytest.mark.parametrize(("kind", "story"), [*asked_stories()])
def test_every_device_that_answers_is_found_by_asking_for_it(kind, story) -> None:
    """Its own driver alone is allowed to ask; the device stands at that driver's last setting."""
    line = [claim for claim in kind.info.claims if isinstance(claim, Serial)][-1]
    bench = Bench(Asker(KINDS, 0, None, [kind]), Scripted(story, line))
    found = bench.run(300 * SECOND_NS)
    assert found is not None
    assert (found.kind, str(found.line), found.is_asked) == (kind, str(line), True)
    assert bench.first_sent_ns is not None
    assert bench.first_sent_ns > SILENT_NS
    assert all(kind.info.allows(data) for _, _, data in bench.sent)


@pytest.mark.parametrize(("kind", "story"), [*asked_stories()])
def test_a_fresh_driver_that_is_told_it_again_wants_to_send_the_same(kind, story) -> None:
    line = next(claim for claim in kind.info.claims if isinstance(claim, Serial))
    bench = Bench(Asker(KINDS, 0, None, [kind]), Scripted(story, line))
    found = bench.run(300 * SECOND_NS)
    assert found is not None
    driver = kind()
    again = [one.data for one in driver.on_open(found.heard[0][0]) if isinstance(one, Send)]
    for at, data in found.heard[1:]:
        said = driver.on_bytes(data, at) if data else driver.on_time(at)
        again += [one.data for one in said if isinstance(one, Send)]
    assert again == [data for _, _, data in bench.sent][-len(again) :]


@pytest.mark.parametrize("driver_id", ["ge_s5", "draeger_medibus", "philips_intellivue", "contec_v7"])
def test_found_among_all_who_may_ask_and_one_at_a_time(driver_id) -> None:
    kind = registry.driver(driver_id)
    line = next(claim for claim in kind.info.claims if isinstance(claim, Serial))
    asker = Asker(KINDS, 0, None, ASKABLE)
    bench = Bench(asker, Scripted(story_of(driver_id), line))
    found = bench.run(600 * SECOND_NS)
    assert found is not None
    assert found.kind is kind
    lines = [line for _, line, _ in bench.sent]
    starts = [at for at, _, _ in bench.sent]
    for before, after, one, other in zip(starts, starts[1:], lines, lines[1:], strict=False):
        assert one == other or after - before >= FIRST_LOOK_NS, "the line is listened to before it is spoken to"


class Caller(Driver):
    """Says CALL; three B from a device are a frame; its own call is a frame, too."""

    info = Info(
        "caller", ("one",), (Serial(9600), Serial(19200)), ("spo2",), Integrity.CRC, "none", frozenset({b"CALL"})
    )

    def on_open(self, now):
        self.wake_at = now + 2 * SECOND_NS
        return [Send(b"CALL")]

    def on_time(self, now):
        return self.on_open(now)

    def on_bytes(self, data, now, source=""):
        good = data.count(b"BBB") + data.count(b"CALL")
        self.counts.frames += good
        self.counts.skipped += 0 if good else len(data)
        return [Numeric("spo2", 97, "%")] * good


class Shouter(Caller):
    """Wants to send what it may not."""

    info = Info("shouter", ("two",), (Serial(9600),), ("spo2",), Integrity.CRC, "none", frozenset({b"ASK"}))

    def on_open(self, now):
        return [Send(b"SET THE LIMIT"), Send(b"ASK")]


class Talker(Driver):
    """Needs no question."""

    info = Info("talker", ("three",), (Serial(9600),), ("spo2",), Integrity.SUM, "none")

    def on_bytes(self, data, now, source=""):
        good = data.count(b"TTT")
        self.counts.frames += good
        self.counts.skipped += 0 if good else len(data)
        return [Numeric("spo2", 97, "%")] * good


class Broken(Caller):
    info = Info("broken", ("four",), (Serial(9600),), ("spo2",), Integrity.CRC, "none", frozenset({b"CALL"}))

    def on_open(self, now):
        raise ZeroDivisionError


def test_nothing_is_sent_before_it_was_listened_to_and_after_all_were_asked_there_is_rest() -> None:
    bench = Bench(Asker([Caller, Talker], 0, None, [Caller]))
    bench.run(SILENT_NS - 1)
    assert bench.sent == []
    over = SILENT_NS + ANSWER_NS + FIRST_LOOK_NS + ANSWER_NS  # the search stood at the first setting all the time
    bench.run(over + SECOND_NS)
    assert [(line, data) for _, line, data in bench.sent] == [("9600 8N1", b"CALL")] * 3 + [("19200 8N1", b"CALL")] * 3
    bench.run(over + REST_NS - 1)
    assert len(bench.sent) == 6
    bench.run(over + REST_NS + SECOND_NS)
    assert len(bench.sent) > 6


def test_what_was_sent_is_counted_and_said() -> None:
    asked = {}
    bench = Bench(Asker([Caller], 0, None, [Caller], "", asked))
    bench.run(SILENT_NS + FIRST_LOOK_NS + SECOND_NS)
    assert bench.asker.words(bench.now) == "nothing is heard: asking for caller at 9600 8N1"
    bench.run(60 * SECOND_NS)
    counts = {key: (one.requests, one.sent_bytes) for key, one in asked.items()}
    assert counts == {("caller", "9600 8N1"): (3, 12), ("caller", "19200 8N1"): (3, 12)}
    assert bench.asker.words(bench.now) == "listening: nothing is heard; asked: caller"


def test_who_speaks_by_himself_is_never_asked() -> None:
    said = tuple((second * 3 * SECOND_NS, b"TTT") for second in range(1, 4))
    bench = Bench(Asker([Caller, Talker], 0, None, [Caller]))
    found = bench.run(60 * SECOND_NS, said)
    assert found is not None
    assert (found.kind, found.is_asked, bench.sent) == (Talker, False, [])


def test_a_frame_now_and_then_with_a_checksum_keeps_everybody_quiet() -> None:
    """A device that reports a measurement, and is then silent for longer than a search waits."""
    said = tuple((second * 15 * SECOND_NS, b"TTT") for second in range(1, 3))
    bench = Bench(Asker([Caller, Talker], 0, None, [Caller]))
    bench.run(SILENT_NS // 2)
    bench.run(60 * SECOND_NS, ((6 * SECOND_NS, b"TTT"), *said))
    assert bench.sent == []


def test_where_two_understand_the_same_nobody_is_asked() -> None:
    class Twin(Talker):
        info = Info("twin", ("five",), (Serial(9600),), ("spo2",), Integrity.SUM, "none")

    said = tuple((at * SECOND_NS, b"TTT") for at in range(1, 5))
    bench = Bench(Asker([Caller, Talker, Twin], 0, None, [Caller]))
    bench.run(600 * SECOND_NS, said)
    assert bench.sent == []


def test_a_stranger_who_is_understood_at_no_setting_is_asked_after_twenty_seconds() -> None:
    said = tuple((at * SECOND_NS, b"zzz" * 300) for at in range(1, 120))
    bench = Bench(Asker([Caller, Talker], 0, None, [Caller]))
    bench.run(UNKNOWN_NS, said[:20])
    assert bench.sent == []
    bench.run(40 * SECOND_NS, said[20:])
    assert bench.sent


def test_our_own_request_that_comes_back_is_no_device() -> None:
    class Echo(Scripted):
        def hear(self, data, now, line):
            self._script.append((now, "<", data))

    bench = Bench(Asker([Caller], 0, None, [Caller]), Echo(capture.Capture({}, ()), Serial(9600)))
    assert bench.run(60 * SECOND_NS) is None
    assert len(bench.sent) >= 6


def test_only_what_is_on_the_list_leaves_and_a_bug_costs_its_own_turn() -> None:
    bench = Bench(Asker([Broken, Shouter, Caller], 0, None, [Broken, Shouter, Caller]))
    bench.run(120 * SECOND_NS)
    assert {data for _, _, data in bench.sent} == {b"ASK", b"CALL"}


def test_who_answered_here_last_time_is_asked_first_and_soon() -> None:
    order = pairs(ASKABLE, Serial(19200), "philips_intellivue")
    assert (order[0][0].info.id, str(order[0][1])) == ("philips_intellivue", "19200 8N1")
    firsts = [str(line) for kind, line in order[1 : len(ASKABLE)]]
    assert firsts.count("19200 8N1") <= 2, "then everybody's own first choice"
    known = Bench(Asker([Caller, Talker], 0, Serial(19200), [Caller], "caller"))
    known.run(60 * SECOND_NS)
    assert known.first_sent_ns is not None
    assert FIRST_LOOK_NS < known.first_sent_ns < FIRST_LOOK_NS + SECOND_NS
    assert known.sent[0][1] == "19200 8N1"
