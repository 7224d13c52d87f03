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
    """The row again from its residuals. BANK is written out: this loop is most of what a centre does with an ECG."""
    row = [0] * REACH
    missed = [(0, 0, 0, 0)] * MEMORY
    sixteen = mean = line = wide = steep = 0  # the sum of sixteen; what each of BANK missed lately
    a = b = c = d = e = f = g = h = 0  # the samples 1, 2, ... 8 back
    half = 1 << SHIFT - 1
    for residual, far, gone in zip(residuals, row, missed, strict=False):  # both grow: what is 16 and 8 back
        by_mean = (16 * sixteen + half) >> SHIFT
        by_line = (171 * a + 119 * b + 68 * c + 17 * d - 34 * e - 85 * f + half) >> SHIFT
        by_wide = (288 * a + 123 * b + 5 * c - 68 * d - 96 * e - 78 * f - 14 * g + 96 * h + half) >> SHIFT
        by_steep = (768 * (a - b) + 256 * c + half) >> SHIFT
        least = min(mean, line, wide, steep)
        if mean == least:  # the first of equals
            value = residual + by_mean
        elif line == least:
            value = residual + by_line
        elif wide == least:
            value = residual + by_wide
        else:
            value = residual + by_steep
        if not -VALUE_LIMIT < value < VALUE_LIMIT:
            raise CodecError("a nimble row leaves its range")
        errors = abs(value - by_mean), abs(value - by_line), abs(value - by_wide), abs(value - by_steep)
        mean += errors[0] - gone[0]
        line += errors[1] - gone[1]
        wide += errors[2] - gone[2]
        steep += errors[3] - gone[3]
        missed.append(errors)
        row.append(value)
        sixteen += value - far
        a, b, c, d, e, f, g, h = value, a, b, c, d, e, f, g
    return row[REACH:]
