"""Prediction for a row that is now still, now steep: of four fixed predictors the one that did best lately.

Nothing travels with the row: both ends watch the same errors. It is slow to undo, so a chunk may use it
for few rows.
"""

from __future__ import annotations

import numpy as np

from wire.bits import CodecError, Ints

ROWS_MAX = 3
VALUE_LIMIT = 1 << 24  # of the row; a hostile one cannot make numbers grow
MEMORY = 8  # errors that count
REACH = 16
SHIFT = 8
# Weights of the samples 1, 2, 3 ... back, in 2**-SHIFT.
BANK = (
    (16,) * REACH,  # the mean of sixteen
    (171, 119, 68, 17, -34, -85),  # the line through six
    (288, 123, 5, -68, -96, -78, -14, 96),  # the parabola through eight
    (768, -768, 256),  # the parabola through three
)


def residuals_of(rows: Ints) -> Ints:
    """Residuals of rows, shape (rows, n)."""
    errors = np.empty((len(BANK), *rows.shape), np.int64)
    for row, values in enumerate(rows):
        for index, weights in enumerate(BANK):
            past = np.concatenate((np.zeros(len(weights), np.int64), values[:-1]))
            guesses = np.convolve(past, weights, "valid")
            errors[index, row] = values - ((guesses + (1 << SHIFT - 1)) >> SHIFT)
    residuals: Ints = np.take_along_axis(errors, _leaders(errors)[None], axis=0)[0]
    return residuals


def _leaders(errors: Ints) -> Ints:
    """Index of the predictor with the least error over the last MEMORY samples, the first of equals; (rows, n)."""
    bank, count, n = errors.shape
    totals = np.zeros((bank, count, MEMORY + 1 + n), np.int64)
    np.cumsum(np.abs(errors), axis=2, out=totals[:, :, MEMORY + 1 :])
    leaders: Ints = np.argmin(totals[:, :, MEMORY : MEMORY + n] - totals[:, :, :n], axis=0)
    return leaders


def undo(residuals: list[int]) -> list[int]:
    """The row again from its residuals."""
    past = [0] * REACH
    errors = [(0,) * len(BANK)] * MEMORY
    sums = [0] * len(BANK)
    for t, residual in enumerate(residuals):
        back = past[: -REACH - 1 : -1]
        guesses = [(sum(map(int.__mul__, weights, back)) + (1 << SHIFT - 1)) >> SHIFT for weights in BANK]
        value = residual + guesses[sums.index(min(sums))]
        if not -VALUE_LIMIT < value < VALUE_LIMIT:
            raise CodecError("a nimble row leaves its range")
        missed = tuple(abs(value - guess) for guess in guesses)
        sums = [total + new - old for total, new, old in zip(sums, missed, errors[t], strict=True)]
        errors.append(missed)
        past.append(value)
    return past[REACH:]
