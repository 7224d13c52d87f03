"""Residuals to bits: prefix codes whose table follows the size of the samples just seen.

Each row (one channel's residuals) is coded on its own. `level` says how large its numbers are, in
quarter octaves. A steady row keeps one level; any other row takes the level of each sample from the
16 before it, so no block pays for a scale parameter and a spike is over as soon as it is over.
A silent row (all zero) costs one bit. Byte-level description: docs/formats-codec.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wire.bits import CodecError, Fields, Ints, Reader
from wire.codes import (
    BELL,
    CODE_MAX_BITS,
    ESCAPE,
    FOLDED_BITS,
    LEVELS,
    PLAIN,
    START_OF,
    TAIL_OF,
    TAILED,
    lookups,
    table_of,
    tables,
)

WINDOW, RECENT = 16, 4  # a sample's level is that of the sum of the last 16 sizes plus 4 times the last 4
SCALE_BITS = 5  # so the sum counts 2**5 sizes
LEVEL_RICE = 1  # of the step from one row's level to the next
FIRST_LEVEL = 29
SILENT, STEADY, FOLLOWING = 0, 1, 2
MODE_BITS = 2
STEADY_BONUS = 0.4  # in quarter octaves: what following a row that does not change loses

WORD = (1 << 64) - 1
BEHIND = 64 - CODE_MAX_BITS

_TABLE_OF: NDArray[np.int64] = np.array([table_of(level) for level in range(LEVELS)], np.int64)
_START_OF = np.array(START_OF, np.int64)
_TAIL_OF = np.array(TAIL_OF, np.int64)
_BUCKET_STARTS = _START_OF[PLAIN + 1 : ESCAPE]
_LAST_BUCKET_END = START_OF[ESCAPE - 1] + (1 << TAIL_OF[ESCAPE - 1])


def write_rows(out: Fields, residuals: Ints) -> None:
    """Append the residuals, shape (rows, n), |residual| < 2**31."""
    n = residuals.shape[1]
    sizes = np.abs(residuals)
    totals = sizes.sum(axis=1)
    heads = _levels_of((sizes[:, :WINDOW].sum(axis=1) << SCALE_BITS) // min(WINDOW, n))
    whole = (totals << SCALE_BITS) / n
    levels = _follow(sizes, heads)
    steady = 4 * np.log2(whole + 1e-9) + 0.35 < levels.mean(axis=1) + STEADY_BONUS
    heads[steady] = _levels_of(whole[steady].astype(np.int64))
    levels[steady] = heads[steady, None]
    modes = np.where(totals == 0, SILENT, np.where(steady, STEADY, FOLLOWING))
    values, widths = _fields(2 * sizes - (residuals < 0), levels, np.where(steady, BELL, TAILED)[:, None])
    last = (SILENT, FIRST_LEVEL)
    for row, head in enumerate(zip(modes.tolist(), heads.tolist(), strict=True)):
        last = _write_head(out, head, last)
        if modes[row] != SILENT:
            out.extend(values[row], widths[row])


def _write_head(out: Fields, head: tuple[int, int], last: tuple[int, int]) -> tuple[int, int]:
    """Mode and level of a row, after those of the row before; the level a silent row hands on is the last one."""
    mode, level = head if head[0] != SILENT else (SILENT, last[1])
    if (mode, level) == last:
        out.put(0, 1)
        return last
    out.put(1, 1)
    out.put(mode, MODE_BITS)
    if mode != SILENT:
        out.put_signed(level - last[1], LEVEL_RICE)
    return mode, level


def _fields(folded: Ints, levels: Ints, shape: Ints) -> tuple[Ints, Ints]:
    """Code and plain bits of every number, as one field each."""
    codes, lengths = tables()
    chosen = _TABLE_OF[levels]
    table, dropped = chosen[..., 0], chosen[..., 1]
    high = folded >> dropped
    symbol = np.minimum(high, PLAIN)
    big = np.flatnonzero(high >= PLAIN)
    if big.size:
        above = high.ravel()[big]
        tail = PLAIN + np.searchsorted(_BUCKET_STARTS, above, side="right")
        symbol.ravel()[big] = np.where(above >= _LAST_BUCKET_END, ESCAPE, tail)
    plain = np.minimum(dropped + _TAIL_OF[symbol], FOLDED_BITS)
    rest = folded - (_START_OF[symbol] << dropped)
    value = codes[shape, table, symbol] << plain | rest
    return value, lengths[shape, table, symbol] + plain


def _follow(sizes: Ints, heads: Ints) -> Ints:
    """Level of each sample from the sizes before it; shape (rows, n)."""
    rows, n = sizes.shape
    totals = np.zeros((rows, n + WINDOW + 1), np.int64)
    totals[:, 1 : WINDOW + 1] = np.array([_size_of(int(level)) for level in heads])[:, None]
    totals[:, WINDOW + 1 :] = sizes
    np.cumsum(totals, axis=1, out=totals)
    upto = totals[:, WINDOW : WINDOW + n]
    return _levels_of(5 * upto - totals[:, :n] - 4 * totals[:, WINDOW - RECENT : WINDOW - RECENT + n])


def _levels_of(sums: Ints) -> Ints:
    """Quarter octaves: 0 for 0, else 4 * bit length + first three bits (4 to 7) - 7."""
    mantissa, exponent = np.frexp(sums.astype(np.float64))  # exact below 2**53
    levels: Ints = 4 * exponent.astype(np.int64) + (8 * mantissa).astype(np.int64) - 7
    return np.maximum(levels, 0)


def _size_of(level: int) -> int:
    """The size a row's level stands for, as if 16 such samples had gone before."""
    return (4 | (level + 7) & 3) << ((level + 7) >> 2) >> 4 >> SCALE_BITS


def read_rows(source: Reader, rows: int, n: int) -> Ints:
    """The residuals, shape (rows, n)."""
    residuals = np.zeros((rows, n), np.int64)
    mode, level = SILENT, FIRST_LEVEL
    for row in range(rows):
        mode, level = _read_head(source, mode, level)
        if mode == SILENT:
            continue
        residuals[row] = _read_steady(source, level, n) if mode == STEADY else _read_following(source, level, n)
        if source.at > source.end:
            raise CodecError("the chunk ends too early")
    return residuals


def _read_head(source: Reader, mode: int, level: int) -> tuple[int, int]:
    if not source.take(1):
        return mode, level
    mode = source.take(MODE_BITS)
    if mode != SILENT:
        level += source.take_signed(LEVEL_RICE)
    if mode > FOLLOWING or not 0 <= level < LEVELS:
        raise CodecError(f"no row is coded in mode {mode} at level {level}")
    return mode, level


def _read_steady(source: Reader, level: int, n: int) -> list[int]:
    windows, at, end = source.windows, source.at, source.end
    ahead, dropped = lookups(BELL)[level]
    row = []
    for _ in range(n):
        if at > end:
            raise CodecError("the chunk ends too early")
        window = windows[at >> 3] << (at & 7) & WORD
        length, tail, start = ahead[window >> BEHIND]
        plain = tail + dropped if tail + dropped < FOLDED_BITS else FOLDED_BITS
        length += plain
        at += length
        folded = (start << dropped) + (window >> (64 - length) & ((1 << plain) - 1))
        row.append(-(folded >> 1) - 1 if folded & 1 else folded >> 1)
    source.at = at
    return row


def _read_following(source: Reader, level: int, n: int) -> list[int]:
    windows, at, end = source.windows, source.at, source.end
    levels = lookups(TAILED)
    sizes = [_size_of(level)] * WINDOW
    total = sizes[0] << SCALE_BITS
    row = []
    for t in range(n):
        if at > end:
            raise CodecError("the chunk ends too early")
        octave = total.bit_length()
        ahead, dropped = levels[4 * octave + (total << 2 >> (octave - 1)) - 7 if octave else 0]
        window = windows[at >> 3] << (at & 7) & WORD
        length, tail, start = ahead[window >> BEHIND]
        plain = tail + dropped if tail + dropped < FOLDED_BITS else FOLDED_BITS
        length += plain
        at += length
        folded = (start << dropped) + (window >> (64 - length) & ((1 << plain) - 1))
        if folded >> FOLDED_BITS:
            raise CodecError("a residual does not fit 32 bits")
        size = (folded + 1) >> 1
        row.append(-size if folded & 1 else size)
        total += 5 * size - sizes[t] - 4 * sizes[t + WINDOW - RECENT]
        sizes.append(size)
    source.at = at
    return row
