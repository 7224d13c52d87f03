"""Make damaged frames whole again, so that damage gets behind the checksum.

What protects a frame is learnt from the captures alone: which known sum stands at which place of every frame, and which
number at its beginning says its length. No driver tells; a driver whose sum is not known here is left to trial
(`by_trial`), one byte at a time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

from drivers import registry
from drivers.contract import Integrity
from tests.fuzz.corpus import Corpus

FRAMES_AT_MOST = 120
HOLDS = 0.5  # of the frames: captures hold damaged ones, and frames of other kinds
LAST_PLACES, FIRST_PLACES, STARTS = 8, 9, 8
Sum = Callable[[bytes], int]


def reflected(polynomial: int, start: int, final: int = 0) -> Sum:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        table.append(value)

    def crc(data: bytes) -> int:
        value = start
        for byte in data:
            value = value >> 8 ^ table[(value ^ byte) & 0xFF]
        return value ^ final

    return crc


def straight(width: int, polynomial: int, start: int) -> Sum:
    top, mask = 1 << width - 1, (1 << width) - 1
    table = []
    for byte in range(256):
        value = byte << width - 8
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value & top else 0)) & mask
        table.append(value)

    def crc(data: bytes) -> int:
        value = start
        for byte in data:
            value = (value << 8 ^ table[(value >> width - 8 ^ byte) & 0xFF]) & mask
        return value

    return crc


def xor(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
    return value


def last(data: bytes) -> int:
    return data[-1]


def first(data: bytes) -> int:
    return data[0]


SUMS: dict[str, Sum] = {
    "sum": sum,
    "xor": xor,
    "crc-8": straight(8, 0x07, 0),
    "crc-8 from ff": straight(8, 0x07, 0xFF),
    "crc-8 31": straight(8, 0x31, 0xFF),
    "crc-8 maxim": reflected(0x8C, 0),
    "crc-8 a1": reflected(0xA1, 0),
    "crc-16 ccitt": straight(16, 0x1021, 0xFFFF),
    "crc-16 xmodem": straight(16, 0x1021, 0),
    "crc-16 x25": reflected(0x8408, 0xFFFF, 0xFFFF),
    "crc-16 mcrf": reflected(0x8408, 0xFFFF),
    "crc-16 kermit": reflected(0x8408, 0),
    "crc-16 modbus": reflected(0xA001, 0xFFFF),
    "crc-16 arc": reflected(0xA001, 0),
    "byte before": last,
    "first byte": first,
}
WIDE = tuple(name for name in SUMS if name == "sum" or name.startswith("crc-16"))
TURNS: dict[str, Callable[[int], int]] = {"": lambda v: v, "inverted ": lambda v: ~v, "negated ": lambda v: -v}
WRITINGS: dict[str, tuple[int, Callable[[int], bytes]]] = {  # how a number stands in a frame: size, bytes
    "u8": (1, lambda v: bytes((v & 0xFF,))),
    "u7": (1, lambda v: bytes((v & 0x7F,))),
    "u16 le": (2, lambda v: (v & 0xFFFF).to_bytes(2, "little")),
    "u16 be": (2, lambda v: (v & 0xFFFF).to_bytes(2, "big")),
    "hex 2": (2, lambda v: b"%02X" % (v & 0xFF)),
    "hex 4": (4, lambda v: b"%04X" % (v & 0xFFFF)),
    "decimal 5": (5, lambda v: b"%05d" % (v % 256)),
}
LENGTHS: dict[str, tuple[int, Callable[[int], bytes]]] = {
    "decimal 5": (5, lambda v: b"%05d" % (v % 100000)),
    "u32 be": (4, lambda v: (v & 0xFFFFFFFF).to_bytes(4, "big")),
    "u32 le": (4, lambda v: (v & 0xFFFFFFFF).to_bytes(4, "little")),
    "u16 le": WRITINGS["u16 le"],
    "u16 be": WRITINGS["u16 be"],
    "u8": WRITINGS["u8"],
}


@dataclass(frozen=True, slots=True)
class Check:
    """The sum of `start`..place stands at `place` (counted from the end, so negative)."""

    place: int
    start: int
    sum: str
    turn: str
    writing: str

    def written(self, value: int) -> bytes:
        return WRITINGS[self.writing][1](TURNS[self.turn](value))

    def value(self, frame: bytes) -> bytes:
        covered = frame[self.start : max(0, len(frame) + self.place)]
        return self.written(SUMS[self.sum](covered)) if covered else b""

    def mend(self, frame: bytes) -> bytes:
        at, value = len(frame) + self.place, self.value(frame)
        return frame[:at] + value + frame[at + len(value) :] if value and at >= 0 else frame

    def holds(self, frame: bytes) -> bool:
        return frame.endswith(self.value(frame) + frame[self.place :][len(self.value(frame)) :])


@dataclass(frozen=True, slots=True)
class Length:
    """The length of the frame less `less` stands at `place`."""

    place: int
    less: int
    writing: str

    def mend(self, frame: bytes) -> bytes:
        size, write = LENGTHS[self.writing]
        value = write(len(frame) - self.less)
        return frame[: self.place] + value + frame[self.place + size :] if len(frame) >= self.place + size else frame

    def holds(self, frame: bytes) -> bool:
        return len(frame) >= self.place + LENGTHS[self.writing][0] and self.mend(frame) == frame


@dataclass(frozen=True, slots=True)
class Mender:
    driver_id: str
    stuffed: bool
    lengths: tuple[Length, ...]
    checks: tuple[Check, ...]
    held: int  # frames of the captures that do, summed over the checks

    def opened(self, frame: bytes) -> bytes:
        """The frame as it was before its bytes were escaped."""
        return unstuffed(frame) if self.stuffed else frame

    def closed(self, frame: bytes) -> bytes:
        """The frame with its length and sums made right, as it travels."""
        for length in self.lengths:
            frame = length.mend(frame)
        for check in self.checks:
            frame = check.mend(frame)
        return restuffed(frame) if self.stuffed else frame


def unstuffed(frame: bytes) -> bytes:
    return re.sub(rb"\x7d(.)", lambda found: bytes((found[1][0] ^ 0x20,)), frame, flags=re.DOTALL)


def restuffed(frame: bytes) -> bytes:
    """The flags at both ends stay; what looks like one between them is escaped."""
    special = b"\x7d" + frame[:1] + frame[-1:]
    body = b"".join(bytes((0x7D, byte ^ 0x20)) if byte in special else bytes((byte,)) for byte in frame[1:-1])
    return frame[:1] + body + frame[-1:]


@cache
def learnt(corpus: Corpus) -> Mender:
    """What protects these frames, plain or as escaped bytes of 7D; nothing where nothing was found."""
    frames = list(dict.fromkeys(one.data for one in corpus.segments if one.frames == 1 and len(one.data) > 2))
    plain = _mender(corpus.driver_id, False, frames)
    if not any(b"\x7d" in frame for frame in frames):
        return plain
    stuffed = _mender(corpus.driver_id, True, [unstuffed(frame) for frame in frames])
    return max(plain, stuffed, key=lambda one: one.held)


def _mender(driver_id: str, stuffed: bool, frames: Sequence[bytes]) -> Mender:
    frames = sorted(frames[:: max(1, len(frames) // FRAMES_AT_MOST)], key=len)  # guesses die soonest at short ones
    protected = registry.driver(driver_id).info.integrity is not Integrity.NONE
    found = list(checks(frames)) if protected else []
    held = sum(one.holds(frame) for one in found for frame in frames)
    return Mender(driver_id, stuffed, tuple(lengths(frames)), tuple(found), held)


def checks(frames: Sequence[bytes]) -> Iterator[Check]:
    """Of each place the sum that most frames hold."""
    known: dict[tuple[int, int, int, str], int] = {}
    for place in range(-LAST_PLACES, 0):
        counted = [(count(one, frames, known), one) for one in guesses(place)]
        most, best = max(counted, key=lambda one: one[0])
        if most:
            yield best


def guesses(place: int) -> Iterator[Check]:
    """Wide numbers first: the half of one looks like one."""
    for writing, (size, _) in sorted(WRITINGS.items(), key=lambda one: -one[1][0]):
        if size > -place:
            continue
        yield from (Check(place, 0, name, "inverted ", writing) for name in ("byte before", "first byte"))
        for name, turn, start in product(SUMS, TURNS, range(STARTS)):
            if SUMS[name] not in (last, first) and (name in WIDE or not writing.startswith("u16")):
                yield Check(place, start, name, turn, writing)


def count(one: Check, frames: Sequence[bytes], known: dict[tuple[int, int, int, str], int]) -> int:
    """How many frames hold it; 0 where too few do, or what stands there hardly changes and proves nothing."""
    missed, seen = 0, Counter[bytes]()
    for number, frame in enumerate(frames):
        end = len(frame) + one.place
        if end <= one.start:
            continue
        key = number, one.place, one.start, one.sum
        if key not in known:
            known[key] = SUMS[one.sum](frame[one.start : end])
        value = one.written(known[key])
        if frame.startswith(value, end):
            seen[value] += 1
            continue
        missed += 1
        if missed > (1 - HOLDS) * len(frames) or (not seen and missed > 4):
            return 0
    held = seen.total()
    return held if len(seen) >= 3 and max(seen.values()) * 2 <= held else 0


def lengths(frames: Sequence[bytes]) -> Iterator[Length]:
    """The first number that follows the length of most frames, the widest of its place."""
    for place, writing, less in product(range(FIRST_PLACES), LENGTHS, range(16)):
        one = Length(place, less, writing)
        mine = {len(frame) for frame in frames if one.holds(frame)}
        if len(mine) > 1 and sum(one.holds(frame) for frame in frames) >= HOLDS * len(frames):
            yield one
            return


def by_trial(driver_id: str, frame: bytes) -> bytes:
    """The frame with one of its last bytes changed so that a fresh driver takes it; as it was where none does."""
    kind = registry.driver(driver_id)
    for place in range(1, min(4, len(frame)) + 1):
        for value in range(256):
            tried = frame[:-place] + bytes((value,)) + frame[len(frame) - place + 1 :]
            driver = kind()
            list(driver.on_open(0))
            list(driver.on_bytes(tried, 0))
            if driver.counts.frames:
                return tried
    return frame
