"""What a driver is offered: an endless story, pure of (driver, seed, life), made of its captures and of their ruin.

A sentence is one idea: a run of a capture as it was, the same with some frames damaged (and most of these mended again,
so that the damage gets behind the checksum), noise, another device, a frame repeated, a flood that never ends.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from drivers import registry
from drivers.contract import Integrity
from tests.fuzz import corpus, mend
from tests.fuzz.corpus import Segment

SECOND_NS = 1_000_000_000
JUMPS_NS = (0, 1, SECOND_NS, 10 * SECOND_NS, 3600 * SECOND_NS, 30 * 86400 * SECOND_NS)
STRANGE = (0x00, 0x01, 0x7E, 0x7D, 0x7F, 0x80, 0x81, 0xFE, 0xFF, 0x0A, 0x0D, 0x2C, 0x2D)
TEXTS: tuple[bytes, ...] = (
    *(b"-", b"--.-", b"999999999999", b"00000000", b"1e9", b".", b",", b"\r\n", b" ", b"NaN", b"9" * 400),
    *(b"\xff\xff\xff\xff", b"\x80\x00\x00\x00", b"\x7f\xff\xff\xff", b"\xd9\xa1", b"\xc2\xb2", b"\xed\xa0\x80"),
)
FLOOD_BYTES = 80_000
TRIALS_ONE_IN = 400
FAR = "0000ffff-0000-1000-8000-00805f9b34fb"


class Step(NamedTuple):
    """Bytes at a time. `late`: the host was busy and wakes the driver once, not at each moment it asked for."""

    now: int
    data: bytes
    source: str
    late: bool


Piece = tuple[int, bytes, str]  # ns to wait before it, bytes, characteristic


class Feed:
    """All that is random in a life."""

    def __init__(self, driver_id: str, seed: str) -> None:
        self.driver_id = driver_id
        self.rng = random.Random(f"{driver_id} {seed}")
        self._own = corpus.of(driver_id)
        self._mender = mend.learnt(self._own)
        integrity = registry.driver(driver_id).info.integrity
        self._by_trial = integrity is not Integrity.NONE and not self._mender.checks
        self._others = [one for one in registry.ids() if one != driver_id]
        self._mark = random.Random(f"{driver_id} {seed} mark").choice(self._own.marks)
        self._is_stream = self._own.is_stream
        self._sources = [*self._own.sources, "", FAR]
        self._elsewhere = 0.3 if any(self._own.sources) else 0.02  # a radio's frames, but from its characteristics
        self._sentences: tuple[tuple[Callable[[], Iterator[Piece]], float], ...] = (
            (self._as_it_was, 25),
            (self._damaged, 50),
            (self._noise, 6),
            (self._foreign, 5),
            (self._repeated, 5),
            (self._spliced, 6),
            (self._flood, 0.02),
        )

    def mark(self) -> str:
        """What the host has of the device's memory."""
        return self._mark

    def steps(self) -> Iterator[Step]:
        """For ever."""
        rng = self.rng
        now = rng.choice((0, SECOND_NS, rng.randrange(1 << 58)))
        say, weights = zip(*self._sentences, strict=True)
        while True:
            (sentence,) = rng.choices(say, weights)
            late = rng.random() < 0.3
            for wait, data, source in self._cut(sentence()):
                now += wait
                yield Step(now, data, source, late)

    def _cut(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """A stream comes in other pieces than it was sent, a notification as it is."""
        how = self.rng.random()
        held, waited = b"", 0
        for wait, data, source in pieces:
            if source or how < 0.4 or not self._is_stream:
                yield wait, data, source
            elif how < 0.7:
                held, waited = held + data, waited + wait
                if self.rng.random() < 0.3:
                    yield waited, held, ""
                    held, waited = b"", 0
            else:
                at = 0
                while at < len(data):
                    size = 1 if how > 0.95 else self.rng.randint(1, 40)
                    yield wait if at == 0 else 0, data[at : at + size], ""
                    at += size
        if held:
            yield waited, held, ""

    def _wait(self, usual: int) -> int:
        drawn = self.rng.random()
        if drawn < 0.7:
            return usual
        return self.rng.randrange(3 * SECOND_NS) if drawn < 0.995 else self.rng.choice(JUMPS_NS)

    def _split(self, segment: Segment, data: bytes) -> Iterator[Piece]:
        """As notifications of the sizes that it came in; what was added comes with the last."""
        source = segment.source
        if self.rng.random() < (0.02 if source else self._elsewhere):
            source = self.rng.choice(self._sources)
        if not segment.source:
            yield self._wait(segment.wait), data, source
            return
        at, last = 0, len(segment.sizes) - 1
        for number, size in enumerate(segment.sizes):
            end = len(data) if number == last else min(len(data), at + size)
            yield self._wait(segment.wait) if number == 0 else 0, data[at:end], source
            at = end

    def _run(self) -> list[Segment]:
        run = self.rng.choice(self._own.runs)
        start = self.rng.randrange(len(run)) if self.rng.random() < 0.8 else 0
        return list(run[start : start + self.rng.randint(1, 12)])

    def _as_it_was(self) -> Iterator[Piece]:
        for segment in self._run():
            yield from self._split(segment, segment.data)

    def _damaged(self) -> Iterator[Piece]:
        for segment in self._run():
            data = segment.data
            if self.rng.random() < 0.6:
                data = self._ruined(data, self.rng.random() < 0.7)
            yield from self._split(segment, data)

    def _ruined(self, data: bytes, mended: bool) -> bytes:
        opened = bytearray(self._mender.opened(data))
        for _ in range(self.rng.choice((1, 1, 1, 2, 3, 8))):
            self._ruin(opened)
        ruined = bytes(opened[:4000])
        if not mended:
            return ruined
        if self._by_trial:
            is_tried = len(ruined) < 300 and self.rng.randrange(TRIALS_ONE_IN) == 0
            return mend.by_trial(self.driver_id, ruined) if is_tried else ruined
        return self._mender.closed(ruined)

    def _ruin(self, data: bytearray) -> None:
        """One wound, in place."""
        rng = self.rng
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 64)))
        match rng.randrange(12):
            case 0 | 1 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 2 if at < len(data):
                data[at] = rng.choice(STRANGE)
            case 3:
                data[at:end] = rng.randbytes(end - at)
            case 4:
                del data[at:end]
            case 5:
                data[at:at] = data[at:end] * rng.choice((1, 1, 2, 30))
            case 6:
                data[at:end] = rng.choice(TEXTS)
            case 7:
                data[at:at] = rng.randbytes(rng.choice((1, 2, 5)))
            case 8:
                self._number(data)
            case 9:
                other = rng.choice(rng.choice(self._own.runs)).data
                data[at:end] = other[at : at + rng.choice((end - at, 8, len(other)))]
            case 10 if data:
                k = rng.randrange(min(len(data), 10))  # where lengths and kinds stand
                data[k] = rng.choice((rng.randrange(256), data[k] - 1 & 0xFF, data[k] + 1 & 0xFF, 0, 0xFF))
            case _:
                del data[at:]

    def _number(self, data: bytearray) -> None:
        """A digit or a whole number in digits becomes another, or all of it the same byte."""
        digits = [k for k, byte in enumerate(data) if 0x30 <= byte <= 0x39]
        if digits:
            k = self.rng.choice(digits)
            data[k : k + 1] = self.rng.choice((b"0", b"9", b"-", b" ", b".", b"%d" % self.rng.randrange(10**6)))
        elif data:
            k = self.rng.randrange(len(data))
            data[k : k + 4] = bytes((self.rng.choice((0, 0x7F, 0x80, 0xFF)),)) * len(data[k : k + 4])

    def _noise(self) -> Iterator[Piece]:
        rng = self.rng
        size = rng.choice((0, 1, 2, 7, 20, 64, 500))
        letters = rng.choice((None, b"0123456789,.-:;/ \r\n", bytes(range(32, 127)) + b"\r\n", bytes(STRANGE), b"\0"))
        data = rng.randbytes(size) if letters is None else bytes(rng.choices(letters, k=size))
        yield self._wait(0), data, rng.choice(self._sources)

    def _foreign(self) -> Iterator[Piece]:
        other = corpus.of(self.rng.choice(self._others))
        source = self.rng.choice(self._sources)
        run = self.rng.choice(other.runs)
        start = self.rng.randrange(len(run))
        for segment in run[start : start + self.rng.randint(1, 4)]:
            yield self._wait(segment.wait), segment.data, source

    def _repeated(self) -> Iterator[Piece]:
        segment = self.rng.choice(self._run())
        data = self._ruined(segment.data, True) if self.rng.random() < 0.5 else segment.data
        for _ in range(self.rng.randint(2, 40) if len(data) < 400 else 3):
            yield from self._split(segment, data)

    def _spliced(self) -> Iterator[Piece]:
        one, other = self.rng.choice(self._run()), self.rng.choice(self._run())
        data = one.data[: self.rng.randrange(len(one.data) + 1)] + other.data[self.rng.randrange(len(other.data) + 1) :]
        yield from self._split(one, self._mender.closed(data) if self.rng.random() < 0.5 else data)

    def _flood(self) -> Iterator[Piece]:
        """The beginning of a frame, and then no end of it."""
        segment = self.rng.choice(self._run())
        head = segment.data[: self.rng.randrange(len(segment.data) + 1)]
        filler = self.rng.choice(
            (b"\0", b"0", b" ", b"\xff", b"\x80", head[-1:] or b"A", head[:1] or b"B", head or b"C")
        )
        data = head + filler * (FLOOD_BYTES // len(filler))
        for at in range(0, FLOOD_BYTES, 4096):
            yield 0, data[at : at + 4096], segment.source
