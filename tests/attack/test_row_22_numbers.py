"""Row 22: numbers that are traps: NaN, infinities, minus zero, 1e308, 2^31, 2^63 and beyond, and their texts.

They are kept as they are, or refused in a typed error: never another number, never an exception that is no error of
ours, and absent is never zero.
"""

from __future__ import annotations

import math
from decimal import Decimal

import cbor2
import numpy as np
import pytest

from drivers import registry
from drivers.contract import Numeric, Output, Wave
from tests.attack.long import IS_LONG
from tests.fuzz import corpus
from tests.system.page_caller import ask
from tests.unit.test_web_guard import app
from wire import bundle, codec
from wire.bits import CodecError
from wire.bundle import BundleError
from wire.records import NumericAt

TRAPS = (2**31 - 1, -(2**31), 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30)
FLOATS = (math.nan, math.inf, -math.inf, -0.0, 1e308, 5e-324, 0.1)
TEXTS = (
    "NaN",
    "nan",
    "Infinity",
    "-inf",
    "1e308",
    "1E+999999999",
    "-0",
    "0x7f",
    "١٢٣",
    "²",
    "1_0",
    "9" * 400,
    "",
    "--",
)


@pytest.mark.parametrize("value", TRAPS)
def test_the_codec_keeps_a_sample_or_refuses_the_chunk(value: int) -> None:
    samples = np.array([[0, value, 1]], dtype=object)
    if -(2**31) <= value < 2**31:
        data = codec.encode(samples.astype(np.int64))
        assert codec.decode(data, 1, 3).tolist() == [[0, value, 1]]
    else:
        with pytest.raises((CodecError, OverflowError)):
            codec.encode(samples.astype(np.int64))


@pytest.mark.parametrize("value", FLOATS)
def test_no_float_is_a_reading_on_the_wire(value: float) -> None:
    for wire in (value, [value], {1: value}):
        with pytest.raises(BundleError):
            bundle.read_vital(cbor2.dumps([0, [[3, 0, 1, wire, ""]]]))


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), Decimal("1E+999999"), Decimal("1E-999999")])
def test_no_decimal_that_is_none_is_a_reading(value: Decimal) -> None:
    with pytest.raises((BundleError, ValueError, TypeError)):
        bundle.read_vital(bundle.pack_vital([NumericAt(0, 1, value, "")]))


def test_minus_zero_keeps_its_digits() -> None:
    said = bundle.read_vital(bundle.pack_vital([NumericAt(0, 1, Decimal("0.00"), "")]))
    assert str(said[0].value) == "0.00"


def test_absent_is_not_zero() -> None:
    said = bundle.read_vital(bundle.pack_vital([NumericAt(0, 1, None, "probe-off"), NumericAt(0, 1, 0, "")]))
    assert [one.value for one in said] == [None, 0]


@pytest.mark.parametrize("query", ["limit=1e308", "limit=NaN", "limit=-0", "since=9223372036854775808", "limit=0"])
@pytest.mark.parametrize("path", ["numerics", "notices"])
def test_the_json_interface_answers_or_says_why_not(path: str, query: str) -> None:
    said = ask(app(), f"/api/beds/gw-a1/{path}?{query}")
    assert said.status_code in (200, 404, 422)
    assert b"NaN" not in said.content
    assert b"Infinity" not in said.content


@pytest.mark.parametrize("text", TEXTS if IS_LONG else TEXTS[:1])
@pytest.mark.parametrize("driver_id", registry.ids())
def test_a_number_in_a_device_s_text_is_taken_or_left(driver_id: str, text: str) -> None:
    """Each number of its captures, one after the other, is this instead: what a driver says stays a number."""
    own = corpus.of(driver_id)
    driver = registry.driver(driver_id)()
    said: list[Output] = list(driver.on_open(0))
    now = 0
    for segment in own.segments[:40]:
        for data in (segment.data, replaced(segment.data, text.encode())):
            now += segment.wait + 1
            said += driver.on_bytes(data, now, segment.source)
    for one in said:
        if isinstance(one, Numeric):
            assert one.value is None or is_number(one.value), one
        elif isinstance(one, Wave):
            assert all(type(sample) is int and abs(sample) < 2**31 for sample in one.samples)


def is_number(value: object) -> bool:
    return type(value) is int or (isinstance(value, Decimal) and value.is_finite())


def replaced(data: bytes, text: bytes) -> bytes:
    """The first number of three digits in it, if there is one, is `text`."""
    for at in range(len(data) - 2):
        if data[at : at + 2].isdigit():
            end = at
            while end < len(data) and data[end : end + 1].isdigit():
                end += 1
            return data[:at] + text + data[end:]
    return data
