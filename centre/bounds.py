"""What a genuine gateway may still say wrong: numbers that no table holds, classes and ratios that are none. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from wire.records import AuditHead, Block, Boot, Catalogue, DeviceTimeAt, EnvelopeGap, NumericAt, Ratio, Record, Room
from wire.statement import Ended, Manifest, Sealed, Statement
from wire.topics import Class

DECIMAL_LIMIT_CHARS = 64
BOOT_BYTES = 16
START_BYTES = 8
HASH_BYTES = 32
_WORD_LIMIT = 1 << 32  # epoch and seq are 32 bits on the wire
_INT_LIMIT = 1 << 62  # sums of two stay within 64 bits


class BoundsError(Exception):
    """A number out of bounds; says which."""


def check_records(said: Iterable[Record]) -> None:
    """Raises BoundsError."""
    for record in said:
        _check_fields(record)
        if isinstance(record, Catalogue):
            _check_catalogue(record)
        elif isinstance(record, EnvelopeGap):
            _check_run(record.epoch, record.cls, record.first, record.last + 1)
        elif isinstance(record, Room):
            _check_run(0, record.cls, 0, 0)
            if record.waiting < 0 or (record.seconds or 0) < 0:
                raise BoundsError("less than nothing")
        elif isinstance(record, Boot):
            if len(record.boot) != BOOT_BYTES or record.count < 0:
                raise BoundsError("a boot that is none")
        elif isinstance(record, AuditHead):
            if record.count < 1 or len(record.hash) != HASH_BYTES:
                raise BoundsError("a head of no log")
        elif isinstance(record, DeviceTimeAt | NumericAt):
            _check_ratios(record.hertz)


def check_blocks(blocks: Iterable[Block]) -> None:
    """Raises BoundsError."""
    for block in blocks:
        _check_fields(block)
        if block.stream < 0:
            raise BoundsError(f"stream {block.stream}")
        if any(mark.count < 1 or mark.count > block.count for mark in block.marks):
            raise BoundsError("a mark longer than its block")


def check_statement(epoch: int, said: Statement) -> None:
    """Raises BoundsError."""
    if len(said.nonce) != START_BYTES:
        raise BoundsError("a start that is none")
    if isinstance(said, Manifest):
        _check_sealed(epoch, said.sealed)
    elif isinstance(said, Ended):
        for ended, cls, following in said.tails:
            _check_run(ended, cls, 0, following)
        for one in said.recovered:
            _check_sealed(one.epoch, one.sealed)


def _check_sealed(epoch: int, sealed: Iterable[Sealed]) -> None:
    for one in sealed:
        _check_run(epoch, one.cls, one.first, one.first + one.count)


def _check_catalogue(said: Catalogue) -> None:
    for info in said.streams:
        _check_fields(info)
        _check_ratios(info.rate, info.gain, info.offset)
        if info.stream < 0 or info.rate[0] < 0:
            raise BoundsError(f"stream {info.stream} at a rate of {info.rate}")


def _check_ratios(*ratios: Ratio) -> None:
    for top, bottom in ratios:
        if bottom <= 0 or max(abs(top), bottom) >= _INT_LIMIT:
            raise BoundsError("a ratio that is none")


def _check_run(epoch: int, cls: int, first: int, following: int) -> None:
    if cls not in Class.__members__.values():
        raise BoundsError(f"class {cls}")
    if not (0 <= epoch < _WORD_LIMIT and 0 <= first <= following <= _WORD_LIMIT):
        raise BoundsError("epoch or seq of more than 32 bits")


def _check_fields(said: msgspec.Struct) -> None:
    for value in msgspec.structs.astuple(said):
        _check_value(value)


def _check_value(value: Any) -> None:
    if isinstance(value, int) and abs(value) >= _INT_LIMIT:
        raise BoundsError("a number of more than 62 bits")
    if isinstance(value, Decimal) and (not value.is_finite() or len(str(value)) > DECIMAL_LIMIT_CHARS):
        raise BoundsError("a decimal that is no reading")
