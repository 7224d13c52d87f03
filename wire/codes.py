"""The prefix codes of the waveform codec: tables every reader can rebuild from 58 numbers.

A table serves one size of numbers (a quarter octave, see `wire.entropy`) and one shape: Gaussian for
rows that keep one size, logistic (longer tails) for rows whose size is followed. Weights, Huffman
lengths and codes are integer rules, given step by step in docs/formats-codec.md.
"""

from __future__ import annotations

import heapq
from functools import cache

import numpy as np

from wire.bits import Ints

PLAIN = 32  # symbols with a code of their own
TAIL_BITS = (5, 8, 12, 18)  # above them: buckets of 2**bits numbers
ESCAPE = PLAIN + len(TAIL_BITS)  # the number itself, in FOLDED_BITS
FOLDED_BITS = 32
SYMBOLS = ESCAPE + 1
TAIL_OF = (
    *[0] * PLAIN,
    *TAIL_BITS,
    FOLDED_BITS,
)  # plain bits of each symbol; the dropped ones come on top, up to FOLDED_BITS
START_OF = (*range(PLAIN), 32, 64, 320, 4416, 0)  # first number of each symbol
CODE_MAX_BITS = 14
FLOOR = 6000  # no weight is below the sum of all divided by this, so that no code is longer than CODE_MAX_BITS
BASE_LEVELS = 29  # the levels with a table; each octave above drops one more low bit and uses the last four again
SMOOTH_FROM = 21  # from this table on the two signs of a number need not weigh the same
LEVELS = 146  # one more than the level of the largest sum, 32 * 2**31
ONE = 1 << 31

BELL, TAILED = 0, 1
# millionths, one per table: how much less likely a number half a unit larger is (logistic: at its far end;
# Gaussian: the first step). Fitted on ECG, pressure and pleth records; what the format means by a table is this list.
# fmt: off
RATIOS: tuple[tuple[int, ...], tuple[int, ...]] = (
    (
        294_580, 294_580, 294_580, 294_580, 294_580, 294_580, 294_580, 294_580, 294_580, 294_580, 294_580, 294_580,
        294_580, 294_580, 294_580, 491_341, 620_360, 739_207, 827_246, 877_147, 908_137, 936_479, 957_618,
        969_714, 977_279, 984_240, 989_459, 992_456, 994_336,
    ),
    (
        50_000, 50_000, 50_000, 50_000, 50_000, 50_000, 50_000, 50_000, 50_000, 430_000, 440_000, 440_000,
        440_000, 440_000, 440_000, 440_000, 440_000, 440_000, 440_000, 490_000, 500_000, 530_000, 580_000,
        640_000, 690_000, 750_000, 780_000, 810_000, 830_000,
    ),
)
# fmt: on


def _weights(shape: int, table: int) -> list[int]:
    """How likely each symbol of a table is, in 2**-31, by an exact integer rule."""
    ratio = RATIOS[shape][table] * ONE // 1_000_000
    weight = ONE
    slope = ratio
    steps = []
    for _ in range(2 * PLAIN + 2):
        if shape == TAILED:
            share = (weight << 31) // (ONE + weight)
            steps.append((share << 31) // (ONE + weight))
            weight = weight * ratio >> 31
        else:
            steps.append(weight)
            weight = weight * slope >> 31
            slope = slope * (ratio * ratio >> 31) >> 31
    spread = steps if table >= SMOOTH_FROM else [steps[2 * ((u + 1) >> 1)] for u in range(2 * PLAIN)]
    plain, tail = spread[:PLAIN], sum(spread[PLAIN : 2 * PLAIN])
    floor = (sum(plain) + tail) // FLOOR
    return [max(weight, floor) for weight in [*plain, tail, *[0] * len(TAIL_BITS)]]


def _code_lengths(weights: list[int]) -> list[int]:
    """Huffman; of equal weights the older node (symbols first, in order) goes first."""
    heap = [(weight, symbol, [symbol]) for symbol, weight in enumerate(weights)]
    heapq.heapify(heap)
    lengths = [0] * len(weights)
    for node in range(len(weights), 2 * len(weights) - 1):
        first, second = heapq.heappop(heap), heapq.heappop(heap)
        members = first[2] + second[2]
        for symbol in members:
            lengths[symbol] += 1
        heapq.heappush(heap, (first[0] + second[0], node, members))
    return lengths


def _canonical(lengths: list[int]) -> list[int]:
    """Codes counted upwards, shorter first, and by symbol among equals."""
    codes = [0] * len(lengths)
    code = 0
    last = 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths)):
        code <<= length - last
        codes[symbol] = code
        code += 1
        last = length
    return codes


@cache
def tables() -> tuple[Ints, Ints]:
    """(codes, lengths) of all symbols, shape (2, BASE_LEVELS, SYMBOLS)."""
    lengths = [[_code_lengths(_weights(shape, table)) for table in range(BASE_LEVELS)] for shape in (BELL, TAILED)]
    codes = [[_canonical(row) for row in shape] for shape in lengths]
    return np.array(codes, np.int64), np.array(lengths, np.int64)


def table_of(level: int) -> tuple[int, int]:
    """The table of a level and how many low bits travel as they are."""
    dropped = max(0, (level - BASE_LEVELS + 4) >> 2)
    return level - 4 * dropped, dropped


# For each CODE_MAX_BITS bits ahead: bits of the code, plain bits of the symbol, its first number.
Lookup = list[tuple[int, int, int]]


@cache
def lookups(shape: int) -> list[tuple[Lookup, int]]:
    """For each level: what to look up, and how many low bits were dropped."""
    codes, lengths = tables()
    found = [_lookup(codes[shape, table].tolist(), lengths[shape, table].tolist()) for table in range(BASE_LEVELS)]
    return [(found[table], dropped) for table, dropped in map(table_of, range(LEVELS))]


def _lookup(codes: list[int], lengths: list[int]) -> Lookup:
    found = [(0, 0, 0)] * (1 << CODE_MAX_BITS)
    for code, length, tail, start in zip(codes, lengths, TAIL_OF, START_OF, strict=True):
        count = 1 << (CODE_MAX_BITS - length)
        found[code * count : (code + 1) * count] = [(length, tail, start)] * count
    return found
