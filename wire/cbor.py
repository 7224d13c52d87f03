"""CBOR (RFC 8949) as we read it: arrays, integers of 64 bits, texts, bytes, null, decimals (tag 4), to the last byte.

A reader must not do more work than the bytes are long. What might (shared values, numbers of a billion digits,
dates, expressions, sets) is refused, whoever signed it.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

import cbor2

DEPTH_LIMIT_COUNT = 12
EXPONENT_LIMIT_DIGITS = 200
DECIMAL_TAG = 4
_BUILT_IN_TAGS = (0, 1, 2, 3, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)

CBORError = cbor2.CBORDecodeError


def loads(data: bytes) -> Any:
    """The one value that `data` is. Raises CBORError."""
    stream = io.BytesIO(data)
    decoder = cbor2.CBORDecoder(
        stream,
        tag_hook=_refuse,
        semantic_decoders=_DECODERS,
        max_depth=DEPTH_LIMIT_COUNT,
        allow_indefinite=False,
    )
    value = decoder.decode()
    if stream.tell() != len(data):
        raise CBORError("bytes after the end")
    return value


def _refuse(*_: object) -> NoReturn:
    raise CBORError("a tag that we never write")


def _decimal(parts: Any, _: bool) -> Decimal:
    exponent, mantissa = parts
    if type(exponent) is not int or type(mantissa) is not int or abs(exponent) > EXPONENT_LIMIT_DIGITS:
        raise CBORError("a decimal that is no reading")
    return Decimal(mantissa).scaleb(exponent)


_DECODERS: dict[int, Callable[[Any, bool], Any]] = {**dict.fromkeys(_BUILT_IN_TAGS, _refuse), DECIMAL_TAG: _decimal}
