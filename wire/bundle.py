"""Bundles: the plain contents of an envelope, CBOR (RFC 8949), one per class and interval (docs/formats.md).

    bundle := [t0, [record, ...]]     class vital; record := [kind, t - t0, ...]
    bundle := [t0, [block, ...]]      class wave;  block  := [t - t0, ...]

Readers refuse what is too large, too deep or not of these shapes, with BundleError and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import cbor2
import msgspec

from wire import cbor
from wire.records import Association, Block, NumericAt, Record

BUNDLE_LIMIT_BYTES = 1 << 20
CHANNELS_LIMIT = 64
SAMPLES_LIMIT = 65535
BUNDLE_SAMPLES_LIMIT = CHANNELS_LIMIT * SAMPLES_LIMIT  # as the largest block: a flat line is 150 000 in a byte
_KEPT = (bytes, Decimal)


class BundleError(Exception):
    """The bytes are no bundle; says why."""


def pack_vital(records: Sequence[Record]) -> bytes:
    """Records of one interval, at least one."""
    start = min(record.t for record in records)
    return cbor2.dumps([start, [_shift(_record(record), 1, -start) for record in records]])


def pack_wave(blocks: Sequence[Block]) -> bytes:
    """Blocks of one interval, at least one."""
    start = min(block.t for block in blocks)
    return cbor2.dumps([start, [_shift(_block(block), 0, -start) for block in blocks]])


def _record(record: Record) -> list[Any]:
    """Most readings, and who nobody is, are of now: what says of when they are is left out."""
    row: list[Any] = msgspec.to_builtins(record, builtin_types=_KEPT)
    of_now = isinstance(record, NumericAt) and not record.is_dated
    return row[:-3] if of_now or (isinstance(record, Association) and record.since is None) else row


def _block(block: Block) -> list[Any]:
    row: list[Any] = msgspec.to_builtins(block, builtin_types=_KEPT)
    return row if block.marks else row[:-1]


def _shift(row: list[Any], at: int, by: int) -> list[Any]:
    return [*row[:at], row[at] + by, *row[at + 1 :]]


def read_vital(data: bytes) -> list[Record]:
    """Raises BundleError."""
    start, rows = _rows(data)
    try:
        return [msgspec.convert(_shift(row, 1, start), type=Record, builtin_types=_KEPT) for row in rows]
    except (msgspec.ValidationError, TypeError, IndexError, OverflowError) as error:
        raise BundleError(f"not a record: {error}") from error


def read_wave(data: bytes) -> list[Block]:
    """Raises BundleError."""
    start, rows = _rows(data)
    try:
        blocks = [msgspec.convert(_shift(row, 0, start), type=Block, builtin_types=_KEPT) for row in rows]
    except (msgspec.ValidationError, TypeError, IndexError, OverflowError) as error:
        raise BundleError(f"not a block: {error}") from error
    for block in blocks:
        if not (0 < block.rows <= CHANNELS_LIMIT and 0 < block.count <= SAMPLES_LIMIT and block.first >= 0):
            raise BundleError(f"a block of {block.rows} channels and {block.count} samples from {block.first}")
        if not all(0 <= mark.row < block.rows and 0 <= mark.at < block.count for mark in block.marks):
            raise BundleError("a mark outside its block")
    if samples_of(blocks) > BUNDLE_SAMPLES_LIMIT:
        raise BundleError(f"{samples_of(blocks)} samples is more than a bundle may have")
    return blocks


def samples_of(blocks: Sequence[Block]) -> int:
    """How many samples the blocks say they have; decoding costs memory for each."""
    return sum(block.rows * block.count for block in blocks)


def _rows(data: bytes) -> tuple[int, list[list[Any]]]:
    if len(data) > BUNDLE_LIMIT_BYTES:
        raise BundleError(f"{len(data)} bytes is more than a bundle may have")
    try:
        start, rows = msgspec.convert(cbor.loads(data), type=tuple[int, list[list[Any]]], builtin_types=_KEPT)
    except (cbor.CBORError, msgspec.ValidationError) as error:
        raise BundleError(f"not a bundle: {error}") from error
    return start, rows
