"""The ear of a radio device: what a killed process had heard is heard again, from the right characteristic, once."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from agent.ears import Ear
from agent.ports.radio.packing import pack, unpack
from agent.ports.tape import Tape
from agent.sessions.ward import Ward
from drivers.capture import full
from drivers.contract import Ble, Driver, Info, Integrity, Numeric, Output, Reached, Send, Subscribe
from wire import codec
from wire.records import NumericAt, SessionAt

ONE, TWO = full("fe01"), full("fe02")


class Halves(Driver):
    """Of each characteristic two bytes make a number. Asks for more after each."""

    info = Info("halves", ("h",), (Ble(full("fe00")),), ("spo2",), Integrity.NONE, "none", frozenset({b"more"}))

    def __init__(self) -> None:
        super().__init__()
        self._halves = {ONE: b"", TWO: b""}

    def pending(self) -> int:
        return sum(map(len, self._halves.values()))

    def on_open(self, now: int) -> Iterable[Output]:
        return [
            Subscribe(ONE),
            Send(b"more", TWO),
            *([Numeric("mark", int(self.reached), "1")] if self.reached else []),
        ]

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        whole = self._halves[source] + data
        for at in range(0, len(whole) - 1, 2):
            number = int.from_bytes(whole[at : at + 2], "big")
            out += [Numeric("spo2", number, "%"), Send(b"more", TWO), Reached(str(number))]
        self._halves[source] = whole[len(whole) // 2 * 2 :]
        return out


class Life:
    """One process: a tape that an earlier one may have left, and an ear."""

    def __init__(self, folder, was_durable=lambda sealed: False) -> None:
        self.ward = Ward(lambda: codec.Encoder().encode)
        self.marks: list[str] = []
        self.tape = Tape(folder, "ble meter")
        self.ear = Ear(self.ward, Halves, "ble C0", self.tape, self._reach)
        for now, chunk in self.tape.left(was_durable):
            self.ear.resume(chunk, now)
        self.ear.closed(99, "the gateway was started again")

    def _reach(self, mark: str | None = None) -> str:
        self.marks += [mark] if mark is not None else []
        return self.marks[-1] if self.marks else ""

    def numbers(self) -> list[int]:
        self.records = self.ward.take(0)[0]
        return [record.value for record in self.records if isinstance(record, NumericAt)]


@pytest.fixture
def life(tmp_path):
    lives: list[Life] = []

    def begin(was_durable=lambda sealed: False) -> Life:
        lives.append(Life(tmp_path, was_durable))
        return lives[-1]

    yield begin
    for one in lives:
        one.tape.close()


def test_what_was_heard_is_heard_again_though_it_came_at_one_moment(life) -> None:
    first = life()
    first.ear.opened(5)
    for number in (1, 2, 3):
        first.ear.heard(bytes([0, number]), 7, ONE)
    assert first.numbers() == [1, 2, 3]
    assert life().numbers() == [1, 2, 3]


def test_half_frames_wait_with_their_characteristic(life) -> None:
    first = life()
    first.ear.opened(5)
    first.ear.heard(b"\x01", 10, ONE)
    first.ear.heard(b"\x02", 11, TWO)
    first.ear.heard(b"\x03\x04", 12, TWO)
    assert dict(unpack(first.ear.half_frame())) == {ONE: b"\x01", TWO: b"\x04"}
    piece = first.tape.turn(first.ear.half_frame(), 13)
    first.tape.label(piece, (1, 1, 0))
    first.ear.heard(b"\x05", 14, ONE)
    first.ear.heard(b"\x06", 15, TWO)
    assert first.numbers() == [0x0203, 0x0105, 0x0406]
    assert life(lambda sealed: True).numbers() == [0x0105, 0x0406]


def test_a_half_of_one_connection_is_not_joined_to_the_next(life) -> None:
    first = life()
    first.ear.opened(5)
    first.ear.heard(b"\x01", 10, ONE)
    second = life()
    second.ear.opened(20)
    second.ear.heard(b"\x00\x02", 21, ONE)
    assert second.numbers() == [2]
    third = life()
    assert third.numbers() == [2]
    assert [r.phase for r in third.records if isinstance(r, SessionAt)] == ["open", "closed"] * 2


def test_nothing_is_asked_while_it_is_heard_again_and_the_mark_goes_on(life) -> None:
    first = life()
    assert first.ear.opened(5) == [Subscribe(ONE), Send(b"more", TWO)]
    assert first.ear.heard(b"\x00\x07", 6, ONE) == [Send(b"more", TWO)]
    second = life()
    assert second.marks == ["7"]
    assert second.ear.opened(20) == [Subscribe(ONE), Send(b"more", TWO)]
    assert second.numbers() == [7, 7]  # the reading, and what the new driver was given as its mark


def test_what_asks_only_is_not_heard(life) -> None:
    first = life()
    first.ear.opened(5)
    assert first.ear.hearing.session is not None
    assert first.ear.hearing.session.heard is None


def test_chunks_come_back_as_they_were() -> None:
    notes = [(ONE, b""), ("6e400003-b5a3-f393-e0a9-e50e24dcca9e", bytes(512)), ("", b"")]
    assert list(unpack(pack(notes))) == notes
