"""Prediction of each sample from the ones before it in the same row, exactly undone.

A row is predicted in one of six ways, chosen by what its residuals would cost: differences of order 0
to 3, or `FITTED` (wire.fitted), or `NIMBLE` (wire.nimble). Every row first loses its start, so that
the zeros before the first sample are a fair guess; the first samples of a row of differences travel apart, as
its seeds, and leave no residual.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wire import fitted, nimble
from wire.bits import CodecError, Fields, Ints, Reader

ORDERS = 4
NIMBLE, FITTED = 4, 5
WAYS = 6
WAY_BITS = 3
RICE_BITS = 5  # width of a Rice parameter
SEED_RICE = 5
START_SAMPLES = 8
BLOCK = 16
SMALL = 0.4  # what a residual costs at least counts as this size

Floats = NDArray[np.float64]


class Prediction(NamedTuple):
    """The way of each row, shape (rows,), and the taps of the fitted ones."""

    ways: Ints
    taps: fitted.Taps


def plan_prediction(values: Ints, aside: int | None) -> Prediction:
    """The way that costs least for each row, by estimate.

    The row `aside` is unlike the others: it has no say in the fitted taps and may be nimble.
    """
    moved = values - _starts(values)[:, None]
    tried = [moved]
    for order in range(1, ORDERS):
        tried.append(differences(tried[-1], order))
    tried.append(_nimble_rows(moved, aside))
    costs = [price(residuals) for residuals in tried]
    taps = _plan_taps(moved, tried, costs, aside)
    costs.append(price(fitted.residuals_of(moved, taps)) if taps is not fitted.NO_TAPS else costs[0] + np.inf)
    if np.maximum(np.min(costs[:FITTED], axis=0) - costs[FITTED], 0).sum() < fitted.COST_BITS:
        costs[FITTED] += np.inf
    return Prediction(np.argmin(costs, axis=0), taps)


def _plan_taps(moved: Ints, tried: list[Ints], costs: list[Floats], aside: int | None) -> fitted.Taps:
    if moved.size < fitted.SAMPLES_MIN or int(np.abs(moved).max()) >= fitted.VALUE_LIMIT:
        return fitted.NO_TAPS
    asked = np.array([row for row in range(len(moved)) if row != aside], np.int64)
    return fitted.fit(moved, _pick(tried, np.argmin(costs, axis=0)), asked)


def predict(values: Ints, plan: Prediction) -> tuple[Ints, Ints] | None:
    """(residuals, seeds); None where the plan is of other rows and these leave what can be undone."""
    starts = _starts(values)
    residuals = values - starts[:, None]
    limit = min(nimble.VALUE_LIMIT, fitted.VALUE_LIMIT)
    if int(plan.ways.max()) >= NIMBLE and int(np.abs(residuals).max()) >= limit:
        return None
    for order in range(1, ORDERS):
        deep = (plan.ways >= order) & (plan.ways < ORDERS)
        if deep.any():
            residuals[deep] = differences(residuals[deep], order)
    for way, undone in ((NIMBLE, nimble.residuals_of), (FITTED, lambda rows: fitted.residuals_of(rows, plan.taps))):
        taken = plan.ways == way
        if taken.any():
            residuals[taken] = undone(residuals[taken])
    seeds = _take_seeds(residuals, plan.ways)
    seeds[:, 0] += starts
    return residuals, seeds


def write_prediction(out: Fields, plan: Prediction, seeds: Ints) -> None:
    """What `read_predicted` needs."""
    _write_ways(out, seeds, plan.ways)
    if FITTED in plan.ways:
        fitted.write_taps(out, plan.taps)


def _starts(values: Ints) -> Ints:
    starts: Ints = np.rint(values[:, :START_SAMPLES].mean(axis=1)).astype(np.int64)
    return starts


def _take_seeds(residuals: Ints, ways: Ints) -> Ints:
    """Move the first `order` residuals of each row of differences out of it; shape (rows, ORDERS - 1)."""
    seeds = np.zeros((len(residuals), ORDERS - 1), np.int64)
    for sample in range(min(ORDERS - 1, residuals.shape[1])):
        deep = (ways > sample) & (ways < ORDERS)
        seeds[deep, sample] = residuals[deep, sample]
        residuals[deep, sample] = 0
    return seeds


def read_predicted(source: Reader, rows: int) -> tuple[Ints, list[int], fitted.Taps]:
    """(seeds, ways, taps) of a chunk."""
    rice = source.take(RICE_BITS)
    seeds = np.zeros((rows, ORDERS - 1), np.int64)
    ways: list[int] = []
    for row in range(rows):
        ways.append(source.take(WAY_BITS) if row == 0 or source.take(1) else ways[-1])
        seeds[row, 0] = source.take_signed(rice)
        for sample in range(1, _seeds_of(ways[row])):
            seeds[row, sample] = source.take_signed(SEED_RICE)
    if max(ways) >= WAYS or ways.count(NIMBLE) > nimble.ROWS_MAX:
        raise CodecError(f"rows cannot be predicted so: {ways}")
    return seeds, ways, fitted.read_taps(source) if FITTED in ways else fitted.NO_TAPS


def undo_prediction(residuals: Ints, seeds: Ints, ways: list[int], taps: fitted.Taps) -> Ints:
    """The rows again from their residuals, shapes (rows, n)."""
    values = residuals.copy()
    kinds = np.array(ways)
    for sample in range(1, min(ORDERS - 1, values.shape[1])):
        values[:, sample] += seeds[:, sample]
    for order in range(ORDERS - 1, 0, -1):
        deep = (kinds >= order) & (kinds < ORDERS)
        values[deep, order - 1 :] = np.cumsum(values[deep, order - 1 :], axis=1)
    if FITTED in ways:
        values[kinds == FITTED] = fitted.undo_fit(residuals[kinds == FITTED], taps)
    for row in np.flatnonzero(kinds == NIMBLE):
        values[row] = nimble.undo(residuals[row].tolist())
    return values + seeds[:, :1]


def _seeds_of(way: int) -> int:
    return way if way < ORDERS else 0


def differences(values: Ints, order: int) -> Ints:
    """From the differences of the order below to those of `order`; the first `order` samples have none and stay."""
    changes = values.copy()
    changes[:, order:] -= values[:, order - 1 : -1]
    return changes


def price(residuals: Ints) -> Floats:
    """About what each row costs, in bits: the logarithm of the mean size of every block of 16."""
    rows, n = residuals.shape
    width = min(BLOCK, n)
    blocks = n // width
    sizes = np.abs(residuals[:, : blocks * width]).reshape(rows, blocks, width).sum(axis=2)
    bits: Floats = np.log2(sizes + SMALL * width).sum(axis=1) * (n / blocks)
    return bits


def _pick(tried: list[Ints], ways: Ints) -> Ints:
    return np.stack([tried[way][row] for row, way in enumerate(ways)])


def _nimble_rows(moved: Ints, aside: int | None) -> Ints:
    """Nimble residuals of the row set aside, or of all if they are few; other rows as they are."""
    if int(np.abs(moved).max()) >= nimble.VALUE_LIMIT:
        return moved
    if aside is None:
        return nimble.residuals_of(moved) if len(moved) <= nimble.ROWS_MAX else moved
    residuals = moved.copy()
    residuals[aside] = nimble.residuals_of(moved[aside : aside + 1])[0]
    return residuals


def _write_ways(out: Fields, seeds: Ints, ways: Ints) -> None:
    rice = int(fitted.median(np.abs(seeds[:, 0]))).bit_length()
    out.put(rice, RICE_BITS)
    for row, (seed, way) in enumerate(zip(seeds.tolist(), ways.tolist(), strict=True)):
        same = row > 0 and way == ways[row - 1]
        if row > 0:
            out.put(0 if same else 1, 1)
        if not same:
            out.put(way, WAY_BITS)
        out.put_signed(seed[0], rice)
        for slope in seed[1 : _seeds_of(way)]:
            out.put_signed(slope, SEED_RICE)
