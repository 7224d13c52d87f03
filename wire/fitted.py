"""Linear prediction with one set of taps for all rows of a chunk, fitted to them by least squares.

The taps reach 64 samples back in 8 steps that double in length, so they describe a sharp curve and a
long mean at the price of 8 numbers. Fitting is floating point and the encoder's own business; applying
and undoing are integer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wire.bits import CodecError, Fields, Ints, Reader

Floats = NDArray[np.float64]

# A tap weighs the sum of the samples `first + 1` to `last` back.
SPANS = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 8), (8, 16), (16, 32), (32, 64))
REACH = 64
PRECISION_BITS = 4
PRECISION_MIN, PRECISION_MAX = 6, 13
RICE_BITS = 5
TAP_LIMIT = 1 << 17
VALUE_LIMIT = 1 << 24  # of the rows: keeps float64 exact where the encoder applies taps
COST_BITS = 110  # about what the taps take
SAMPLES_MIN = 600  # of all rows together; fewer never repay the taps
ROUNDS = 2
BLOCK = 16  # samples that share a weight


class Taps(NamedTuple):
    weights: Ints  # one per span, in 2**-precision
    precision: int


NO_TAPS = Taps(np.zeros(len(SPANS), np.int64), 1)


def fit(rows: Ints, guess: Ints, asked: Ints) -> Taps:
    """Taps for rows of shape (rows, n).

    `guess` are residuals of a first prediction: where they are large, samples count for little.
    Only the rows in `asked` have a say.
    """
    target = rows[asked].astype(np.float64).ravel()
    inputs = _span_sums(rows[asked]).reshape(len(SPANS), -1)
    shape = (len(asked), rows.shape[1])
    residuals: Floats = guess[asked].astype(np.float64).ravel()
    weights: Floats = np.zeros(len(SPANS))
    for _ in range(ROUNDS):
        weighted = inputs * _quiet(residuals.reshape(shape)).ravel()
        square = weighted @ inputs.T
        square[np.diag_indices(len(SPANS))] += 1e-7 * np.diag(square) + 1e-3
        weights = _solved(square, weighted @ target)
        residuals = target - weights @ inputs
    precision = _precision(inputs, residuals)
    whole = np.clip(np.rint(weights * (1 << precision)), -TAP_LIMIT, TAP_LIMIT)
    return Taps(whole.astype(np.int64), precision)


def _solved(square: Floats, right: Floats) -> Floats:
    """The weights of the least squares; `square` is symmetric, positive and 8 by 8: not worth LAPACK's memory."""
    system = np.column_stack((square, right))
    for pivot in range(len(right)):
        line = system[pivot] / system[pivot, pivot]
        system -= np.outer(system[:, pivot], line)
        system[pivot] = line
    return system[:, -1]


def residuals_of(rows: Ints, taps: Taps) -> Ints:
    """What the taps leave, shape (rows, n); exact in float64 within VALUE_LIMIT."""
    sums = _span_sums(rows).reshape(len(SPANS), -1)
    predicted = np.floor((taps.weights @ sums + (1 << taps.precision - 1)) / (1 << taps.precision))
    return rows - predicted.astype(np.int64).reshape(rows.shape)


def undo_fit(residuals: Ints, taps: Taps) -> Ints:
    """Sample after sample, all rows at once; shapes (rows, n)."""
    rows, n = residuals.shape
    weights = np.zeros(REACH, np.int64)
    for weight, (first, last) in zip(taps.weights, SPANS, strict=True):
        weights[REACH - last : REACH - first] = weight
    past = np.zeros((REACH + n, rows), np.int64)
    past[REACH:] = residuals.T
    half = 1 << taps.precision - 1
    for t in range(n):
        past[REACH + t] += (weights @ past[t : t + REACH] + half) >> taps.precision
    if np.abs(past).max() >= VALUE_LIMIT:
        raise CodecError("fitted rows leave their range")
    return past[REACH:].T


def write_taps(out: Fields, taps: Taps) -> None:
    rice = int(np.abs(taps.weights).sum() // len(SPANS)).bit_length()
    out.put(taps.precision, PRECISION_BITS)
    out.put(rice, RICE_BITS)
    for weight in taps.weights.tolist():
        out.put_signed(weight, rice)


def read_taps(source: Reader) -> Taps:
    precision, rice = source.take(PRECISION_BITS), source.take(RICE_BITS)
    if not PRECISION_MIN <= precision <= PRECISION_MAX:
        raise CodecError(f"taps cannot have {precision} fractional bits")
    weights = [source.take_signed(rice) for _ in SPANS]
    if max(map(abs, weights)) > TAP_LIMIT:
        raise CodecError("a tap is too large")
    return Taps(np.array(weights, np.int64), precision)


def _span_sums(rows: Ints) -> Floats:
    """What each tap sees before each sample, shape (spans, rows, n); before the first all is zero."""
    count, n = rows.shape
    totals = np.zeros((count, REACH + 1 + n), np.int64)
    np.cumsum(rows, axis=1, out=totals[:, REACH + 1 :])
    sums = np.empty((len(SPANS), count, n))
    for span, (first, last) in enumerate(SPANS):
        near, far = REACH - first, REACH - last
        np.subtract(totals[:, near : near + n], totals[:, far : far + n], out=sums[span])
    return sums


def median(values: Ints | Floats) -> float:
    """Of all values, at least one. numpy's own loads masked arrays, a MiB that nothing else needs."""
    ordered, half = np.sort(values, axis=None), values.size // 2
    return float(ordered[half]) if values.size % 2 else float(ordered[half - 1] + ordered[half]) / 2


def _quiet(residuals: Floats) -> Floats:
    """One over the local variance, shape (rows, n)."""
    n = residuals.shape[1]
    width = min(BLOCK, n)
    sizes = np.add.reduceat(np.abs(residuals), np.arange(0, n, width), axis=1) / width + 0.5
    return np.repeat(1 / (sizes * sizes), width, axis=1)[:, :n]


def _precision(inputs: Floats, residuals: Floats) -> int:
    """As fine as the signal needs: the rounding of the taps must drown in the residuals."""
    reach = np.abs(inputs).mean() / (median(np.abs(residuals[::7])) + 0.2)
    return int(np.clip(np.ceil(np.log2(reach + 1)) + 3, PRECISION_MIN, PRECISION_MAX))
