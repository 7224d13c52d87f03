"""Order by number, whoever it came by."""

from __future__ import annotations

import random

from centre.sequence import LIMIT_S, Sequence
from wire.envelope import Header
from wire.topics import Class

GATEWAY = "a" * 20


def data(cls: Class, seq: int, epoch: int = 1, hour: int = 0) -> bytes:
    return Header(epoch, cls, seq, hour).pack() + bytes(16)


def put(sequence: Sequence[str], cls: Class, seq: int, now_s: float = 0.0, **more: int) -> None:
    sequence.put(GATEWAY, cls.word, data(cls, seq, **more), f"{cls.word} {seq}", now_s)


def opened() -> Sequence[str]:
    sequence = Sequence[str](lambda _place: 0)
    put(sequence, Class.KEY, 0)
    assert sequence.take(0.0) == ["key 0"]
    return sequence


def test_what_came_in_any_order_goes_on_in_its_own() -> None:
    for seed in range(20):
        dice, sequence, out = random.Random(seed), opened(), list[str]()
        numbers = list(range(50))
        dice.shuffle(numbers)
        for seq in numbers:
            put(sequence, Class.WAVE, seq)
            out += sequence.take(0.0)
        assert out == [f"wave {seq}" for seq in range(50)]
        assert len(sequence) == 0


def test_a_missing_number_is_waited_for_and_then_it_goes_on() -> None:
    sequence = opened()
    put(sequence, Class.VITAL, 1, 5.0)
    put(sequence, Class.VITAL, 2, 5.2)
    assert sequence.take(5.2) == []
    assert sequence.take(5.0 + LIMIT_S) == ["vital 1", "vital 2"], "the second has nothing more to wait for"
    put(sequence, Class.VITAL, 0, 9.0)
    assert sequence.take(9.0) == ["vital 0"], "late is late: it goes on at once"


def test_a_wave_waits_for_what_opens_its_hour() -> None:
    sequence = opened()
    put(sequence, Class.WAVE, 0, hour=1)
    assert sequence.take(0.1) == []
    put(sequence, Class.KEY, 1, hour=1)
    assert sequence.take(0.2) == ["key 1", "wave 0"]


def test_one_gateway_does_not_wait_for_another_nor_a_class_for_another() -> None:
    sequence = opened()
    put(sequence, Class.VITAL, 7)
    put(sequence, Class.WAVE, 0)
    sequence.put("b" * 20, "key", data(Class.KEY, 0), "other", 0.0)
    assert sequence.take(0.0) == ["other", "wave 0"]


def test_what_has_no_number_goes_on_at_once() -> None:
    sequence = opened()
    for word in ("state", "reply", "relay", "vital"):
        sequence.put(GATEWAY, word, b"noise", word, 0.0)
    assert sequence.take(0.0) == ["state", "reply", "relay", "vital"]


def test_a_sequence_goes_on_where_the_store_is() -> None:
    sequence = Sequence[str](lambda place: 500 if place.cls is Class.VITAL else 3)
    put(sequence, Class.KEY, 3)
    put(sequence, Class.VITAL, 500)
    assert sequence.take(0.0) == ["key 3", "vital 500"]


def test_what_is_drained_was_not_taken() -> None:
    sequence = opened()
    put(sequence, Class.VITAL, 4)
    assert sequence.drain() == ["vital 4"]
    assert len(sequence) == 0
    assert sequence.wait_s(0.0) is None
