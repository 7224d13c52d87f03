"""Rows that look alike are made to look less alike, exactly undone.

Two ways, beside leaving them alone. A chain takes from each row a weighted sum of the rows before it: that
covers the limb leads of a 12-lead ECG (III = II - I, aVR = -(I + II) / 2 ...), whatever rounding the device
did, and neighbours among the chest leads. A turn collects what all rows share in one of them, `main`, and
leaves the others nearly pure noise: a rotation of the plane of `main` and the shared direction, done as
three integer shears, so that no noise is amplified.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wire.bits import CodecError, Fields, Ints, Reader
from wire.predict import differences, price

ALONE, CHAIN, TURN = 0, 1, 2
MODE_BITS = 2
ROWS_MAX = 16  # beyond, the weights would cost more than they save
ROW_BITS = 4
CHAIN_SHIFT, CHAIN_RICE = 4, 2  # coarse on purpose: -1, 1 and 1/2 of the limb leads are hit exactly
TURN_SHIFT, TURN_RICE = 9, 7
TURN_ROUNDS = 12
TINY = 1e-30
WEIGHT_LIMIT = 1 << 11
VALUE_LIMIT = 1 << 34  # of mixed rows: what a start can say
CHAIN_COST_BITS, TURN_COST_BITS = 3, 9  # about what a weight takes
NOISE = 2  # a row whose unexplained second differences have less variance is rounding, and explains nothing

Floats = NDArray[np.float64]


class Mix(NamedTuple):
    """How rows are mixed: `weights` of a chain, shape (rows, rows), or shares of a turn around `main`."""

    mode: int = ALONE
    main: int = 0
    weights: Ints = np.zeros(0, np.int64)

    @property
    def aside(self) -> int | None:
        """The row that collects what the others share, if there is one."""
        return self.main if self.mode == TURN else None


def plan_mix(values: Ints) -> Mix:
    """The way that costs least, by estimate."""
    rows, n = values.shape
    if not 1 < rows <= ROWS_MAX or n < 2 * rows:
        return Mix()
    first = differences(values - values[:, :1], 1)
    weights = _plan_chain(differences(first, 2).astype(np.float64))
    main, shares = _plan_turn(first.astype(np.float64))
    costs = (
        _price(values),
        _price(chain(values, weights)) + CHAIN_COST_BITS * rows * rows // 2,
        _price(turn(values, main, shares)) + TURN_COST_BITS * rows,
    )
    return (Mix(), Mix(CHAIN, 0, weights), Mix(TURN, main, shares))[int(np.argmin(costs))]


def mix(values: Ints, plan: Mix) -> Ints | None:
    """The mixed rows; None where they would leave what can be undone."""
    if plan.mode == ALONE:
        return values
    mixed = chain(values, plan.weights) if plan.mode == CHAIN else turn(values, plan.main, plan.weights)
    return mixed if int(np.abs(mixed).max()) < VALUE_LIMIT else None


def write_mix(out: Fields, plan: Mix) -> None:
    """What `read_mixed` needs."""
    out.put(plan.mode, MODE_BITS)
    if plan.mode == CHAIN:
        _write_chain(out, plan.weights)
    elif plan.mode == TURN:
        out.put(plan.main, ROW_BITS)
        for share in np.delete(plan.weights, plan.main).tolist():
            out.put_signed(share, TURN_RICE)


def read_mixed(source: Reader, rows: int) -> tuple[int, int, Ints]:
    """(mode, main, weights or shares) of a chunk."""
    mode = source.take(MODE_BITS)
    if mode == ALONE:
        return mode, 0, np.zeros(0, np.int64)
    if mode > TURN or rows > ROWS_MAX:
        raise CodecError(f"{rows} rows cannot be mixed in way {mode}")
    if mode == CHAIN:
        return mode, 0, _read_chain(source, rows)
    main = source.take(ROW_BITS)
    if main >= rows:
        raise CodecError(f"there is no row {main} to turn to")
    shares = [_read_weight(source, TURN_RICE) for _ in range(rows - 1)]
    return mode, main, np.insert(np.array(shares, np.int64), main, 0)


def undo_mix(mixed: Ints, mode: int, main: int, weights: Ints) -> Ints:
    if mode == CHAIN:
        return unchain(mixed, weights)
    return unturn(mixed, main, weights) if mode == TURN else mixed


def chain(values: Ints, weights: Ints) -> Ints:
    """Row r loses the rounded sum of weights[r, :r] * values[:r]."""
    return values - _rounded(weights @ values, CHAIN_SHIFT)


def unchain(chained: Ints, weights: Ints) -> Ints:
    values = chained.copy()
    for row in range(1, len(values)):
        values[row] += _rounded(weights[row, :row] @ values[:row], CHAIN_SHIFT)
    return values


def turn(values: Ints, main: int, shares: Ints) -> Ints:
    """Three shears: into `main`, from `main` into the others, into `main` again."""
    rest, spread, gather = _shears(main, shares)
    turned = values.copy()
    turned[main] += _rounded(gather @ turned[rest], TURN_SHIFT)
    turned[rest] -= _rounded(spread[:, None] * turned[main], TURN_SHIFT)
    turned[main] += _rounded(gather @ turned[rest], TURN_SHIFT)
    return turned


def unturn(turned: Ints, main: int, shares: Ints) -> Ints:
    rest, spread, gather = _shears(main, shares)
    values = turned.copy()
    values[main] -= _rounded(gather @ values[rest], TURN_SHIFT)
    values[rest] += _rounded(spread[:, None] * values[main], TURN_SHIFT)
    values[main] -= _rounded(gather @ values[rest], TURN_SHIFT)
    return values


def _shears(main: int, shares: Ints) -> tuple[Ints, Ints, Ints]:
    """The other rows, what each loses of main, what main gains of each: share / (1 + share of main)."""
    rest = np.array([row for row in range(len(shares)) if row != main], np.int64)
    spread = shares[rest]
    squares = (1 << 2 * TURN_SHIFT) - int((spread * spread).sum())
    own = _root(max(squares, 0))
    return rest, spread, (spread << TURN_SHIFT) // ((1 << TURN_SHIFT) + own)


def _root(square: int) -> int:
    """Whole square root, of at most 2 * TURN_SHIFT bits."""
    root = 0
    for bit in range(TURN_SHIFT, -1, -1):
        if (root | 1 << bit) ** 2 <= square:
            root |= 1 << bit
    return root


def _rounded(products: Ints, shift: int) -> Ints:
    return (products + (1 << shift - 1)) >> shift


def _price(values: Ints) -> float:
    return float(price(differences(values - values[:, :1], 1)).sum())


def _plan_chain(rough: Floats) -> Ints:
    """Weights of each row's predecessors, shape (rows, rows), lower triangle, in 2**-CHAIN_SHIFT."""
    rows, n = rough.shape
    calm = 1 / (np.abs(rough).mean(axis=0) + 1)  # a steep instant must not outvote the quiet ones
    scaled = rough * calm
    swept = scaled @ scaled.T
    swept[np.diag_indices(rows)] += 1e-9 * np.trace(swept) + 1e-9
    weights = np.zeros((rows, rows))
    kept = [0]
    _sweep(swept, 0)
    for row in range(1, rows):
        weights[row, kept] = swept[kept, row]
        left = rough[row] - weights[row] @ rough
        if left @ left > NOISE * n:
            kept.append(row)
            _sweep(swept, row)
    return np.clip(np.rint(weights * (1 << CHAIN_SHIFT)), -WEIGHT_LIMIT, WEIGHT_LIMIT).astype(np.int64)


def _sweep(square: Floats, pivot: int) -> None:
    """Gauss-Jordan: column r then holds the regression of row r on the rows swept so far."""
    line = square[pivot] / square[pivot, pivot]
    square -= np.outer(square[:, pivot], line)
    square[pivot] = line


def _plan_turn(first: Floats) -> tuple[int, Ints]:
    """The row that has most of what all share, and each row's share, in 2**-TURN_SHIFT."""
    square = first @ first.T
    direction = square[:, int(np.argmax(square.diagonal()))]
    for _ in range(TURN_ROUNDS):  # towards the eigenvector; any direction can be undone, a good one saves most
        direction = square @ (direction / (np.sqrt((direction * direction).sum()) + TINY))
    direction = direction / (np.sqrt((direction * direction).sum()) + TINY)
    main = int(np.argmax(np.abs(direction)))
    return main, np.rint(direction * np.sign(direction[main]) * (1 << TURN_SHIFT)).astype(np.int64)


def _write_chain(out: Fields, weights: Ints) -> None:
    for row in range(1, len(weights)):
        for weight in weights[row, :row].tolist():
            out.put(1 if weight else 0, 1)
            if weight:
                out.put_signed(weight, CHAIN_RICE)


def _read_chain(source: Reader, rows: int) -> Ints:
    weights = np.zeros((rows, rows), np.int64)
    for row in range(1, rows):
        for before in range(row):
            if source.take(1):
                weights[row, before] = _read_weight(source, CHAIN_RICE)
    return weights


def _read_weight(source: Reader, rice: int) -> int:
    weight = source.take_signed(rice)
    if abs(weight) > WEIGHT_LIMIT:
        raise CodecError(f"a weight is too large: {weight}")
    return weight
