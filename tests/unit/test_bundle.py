"""Bundles: every kind of record comes back as it was, and hostile CBOR costs little and is an error of ours."""

import time
from decimal import Decimal

import cbor2
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wire.bundle import (
    BUNDLE_LIMIT_BYTES,
    BUNDLE_SAMPLES_LIMIT,
    BundleError,
    pack_vital,
    pack_wave,
    read_vital,
    read_wave,
    samples_of,
)
from wire.presence import Presence, PresenceError
from wire.presence import read as read_presence
from wire.records import (
    AlarmAt,
    Anchor,
    Association,
    Block,
    Boot,
    Catalogue,
    DeviceTimeAt,
    EnvelopeGap,
    Line,
    MarkAt,
    NumericAt,
    PatientIdAt,
    SessionAt,
    StatusAt,
    StreamGap,
    StreamInfo,
)

HOSTILE_LIMIT_S = 0.5
COUNT = st.integers(0, 2**62)
WORD = st.text(max_size=12)
RATIO = st.tuples(st.integers(-(2**62), 2**62), st.integers(1, 2**62))
DIGITS = st.tuples(st.integers(0, 1), st.lists(st.integers(0, 9), min_size=1, max_size=18), st.integers(-20, 20))
READING = st.none() | st.integers(-(2**62), 2**62) | DIGITS.map(lambda d: Decimal((d[0], tuple(d[1]), d[2])))
STREAM = st.builds(StreamInfo, COUNT, WORD, COUNT, WORD, RATIO, RATIO, RATIO, st.integers(0, 64), WORD, COUNT)
RECORDS = st.one_of(
    st.builds(Catalogue, COUNT, COUNT, *[WORD] * 7, st.lists(STREAM, max_size=4)),
    st.builds(Anchor, COUNT, COUNT, st.none() | COUNT, WORD),
    st.builds(NumericAt, COUNT, COUNT, READING, WORD),
    st.builds(AlarmAt, COUNT, COUNT, WORD, WORD, WORD, WORD, WORD),
    st.builds(StatusAt, COUNT, COUNT, WORD, WORD, WORD, WORD),
    st.builds(DeviceTimeAt, COUNT, COUNT, WORD, st.none() | COUNT, RATIO),
    st.builds(StreamGap, COUNT, COUNT, COUNT, st.none() | COUNT, WORD),
    st.builds(EnvelopeGap, COUNT, COUNT, COUNT, COUNT, COUNT, WORD),
    st.builds(Association, COUNT, WORD, WORD, WORD, WORD, WORD),
    st.builds(Association, COUNT, *5 * [WORD], st.tuples(COUNT, COUNT), st.none() | st.tuples(COUNT, COUNT), WORD),
    st.builds(SessionAt, COUNT, COUNT, WORD, WORD),
    st.builds(PatientIdAt, COUNT, COUNT, WORD, WORD),
    st.builds(Line, COUNT, COUNT, COUNT, COUNT, COUNT),
    st.builds(Boot, COUNT, st.binary(min_size=16, max_size=16), COUNT),
)
BLOCKS = st.builds(Block, COUNT, COUNT, st.integers(1, 64), COUNT, st.integers(1, 65535), st.binary(max_size=40))


def marked(block: Block, kind: str) -> Block:
    marks = [MarkAt(block.rows - 1, block.count - 1, kind), MarkAt(0, 0, kind, block.count)]
    return Block(block.t, block.stream, block.rows, block.first, block.count, block.coded, marks)


@given(st.lists(RECORDS, min_size=1, max_size=8))
def test_every_record_comes_back(records) -> None:
    assert read_vital(pack_vital(records)) == records


@given(st.lists(BLOCKS, min_size=1, max_size=5), st.lists(BLOCKS, max_size=2), WORD)
def test_every_block_comes_back(plain, others, kind) -> None:
    blocks = plain + [marked(block, kind) for block in others]
    assume(samples_of(blocks) <= BUNDLE_SAMPLES_LIMIT)
    assert read_wave(pack_wave(blocks)) == blocks


@pytest.mark.parametrize("digits", ["0", "97", "36.60", "1E+5", "-0.5", "1844674407370955161.5", "0.00"])
def test_a_reading_keeps_its_digits(digits: str) -> None:
    (record,) = read_vital(pack_vital([NumericAt(5, 0, Decimal(digits))]))
    assert str(record.value) == digits


def test_times_are_kept_apart_from_the_start() -> None:
    records = [NumericAt(2_000_000, 0, 1), NumericAt(1_000_000, 0, 2)]
    assert cbor2.loads(pack_vital(records))[0] == 1_000_000
    assert read_vital(pack_vital(records)) == records


def vital(value: str) -> bytes:
    """A bundle of one numeric whose value is these bytes."""
    return bytes.fromhex("8200818402 00 00" + value)


HOSTILE = {
    "deep arrays": b"\x81" * 900_000,
    "deep maps": b"\xa1" * 900_000,
    "deep tags": b"\xc1" * 900_000,
    "an array of 2^63": bytes.fromhex("9b7fffffffffffffff"),
    "an array of 2^28": bytes.fromhex("82009a10000000"),
    "a map of 2^63": bytes.fromhex("bb7fffffffffffffff"),
    "a string of 2^63": bytes.fromhex("5b7fffffffffffffff"),
    "a text of 2^31": bytes.fromhex("7a7fffffff"),
    "no end": b"\x9f" * 1000,
    "indefinite": bytes.fromhex("9f009f9f02000000ffffff"),
    "not a number": vital("f97e00"),
    "infinity": vital("f97c00"),
    "a float": vital("fb3ff199999999999a"),
    "a decimal of a billion digits": vital("c4821a3b9aca0001"),
    "a decimal of minus a billion digits": vital("c4823a3b9aca0001"),
    "a decimal of 2^63 digits": vital("c4821b7fffffffffffffff01"),
    "a decimal of text": vital("c482006161"),
    "a decimal of nothing": vital("c480"),
    "a bigfloat": vital("c5821b7fffffffffffffff01"),
    "a long integer": vital("c25a000f0000" + "ff" * 0xF0000),
    "a fraction over zero": vital("d81e820100"),
    "an expression": vital("d823612800"),
    "a day": vital("c1fb7ff0000000000000"),
    "a value in itself": bytes.fromhex("8200d81c81d81d00"),
    "laughs": bytes.fromhex("8200") + b"\xd8\x1c\x82" * 5 + b"\x00" + b"\xd8\x1d\x01" * 5,
    "a set": vital("d901028100"),
    "bytes for a number": vital("4131"),
    "text for a number": vital("6131"),
    "true for a number": vital("f5"),
    "undefined": vital("f7"),
    "a map for an array": bytes.fromhex("8200a0"),
    "a row that is none": bytes.fromhex("82008100"),
    "an empty row": bytes.fromhex("82008180"),
    "text for a time": bytes.fromhex("820081840261300000"),
    "a list for a time": bytes.fromhex("8200818402800000"),
    "no start": bytes.fromhex("8180"),
    "true for a start": bytes.fromhex("82f580"),
    "an unknown kind": bytes.fromhex("820081841863000000"),
    "bytes after the end": bytes.fromhex("82008000"),
    "not UTF-8": bytes.fromhex("8200818502000061ff"),
    "nothing": b"",
    "too much": bytes(BUNDLE_LIMIT_BYTES + 1),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("read", [read_vital, read_wave])
def test_hostile_cbor_is_refused_and_costs_little(name: str, read) -> None:
    start = time.perf_counter()
    with pytest.raises(BundleError):
        read(HOSTILE[name])
    assert time.perf_counter() - start < HOSTILE_LIMIT_S


def test_many_names_for_one_list_are_refused() -> None:
    """A catalogue of 2000 streams written once and referred to 2000 times: 12 kB that were four million objects."""
    shared = b"\xd8\x1c" + cbor2.dumps([0, "a", 0, "u"])
    streams = b"\x99\x07\xd0" + shared + b"\xd8\x1d\x01" * 1999
    row = b"\xd8\x1c\x8b" + cbor2.dumps(0) * 3 + cbor2.dumps("") * 7 + streams
    with pytest.raises(BundleError):
        read_vital(b"\x82\x00\x99\x07\xd0" + row + b"\xd8\x1d\x00" * 1999)


@settings(max_examples=500)
@given(st.binary(max_size=200))
def test_noise_is_a_bundle_or_an_error_of_ours(noise: bytes) -> None:
    for read in (read_vital, read_wave):
        for data in (noise, b"\x82\x00\x81" + noise):
            try:
                read(data)
            except BundleError:
                continue


@given(st.lists(RECORDS, min_size=1, max_size=3), st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_is_a_bundle_or_an_error_of_ours(records, at: int, byte: int) -> None:
    data = bytearray(pack_vital(records))
    data[at % len(data)] = byte
    for read in (read_vital, read_wave):
        try:
            read(bytes(data))
        except BundleError:
            continue


@pytest.mark.parametrize(
    "block",
    [
        Block(0, 0, 0, 0, 5, b""),
        Block(0, 0, 65, 0, 5, b""),
        Block(0, 0, 1, 0, 0, b""),
        Block(0, 0, 1, 0, 65536, b""),
        Block(0, 0, 1, -1, 5, b""),
        Block(0, 0, 2, 0, 5, b"", [MarkAt(2, 0, "beat")]),
        Block(0, 0, 2, 0, 5, b"", [MarkAt(0, 5, "beat")]),
        Block(0, 0, 2, 0, 5, b"", [MarkAt(-1, 0, "beat")]),
    ],
)
def test_a_block_out_of_bounds_is_refused(block: Block) -> None:
    with pytest.raises(BundleError):
        read_wave(pack_wave([block]))


def test_a_bundle_that_says_more_samples_than_it_may_is_refused_before_any_is_decoded() -> None:
    """Straight lines: 20 kB that were eight gigabytes."""
    flat = Block(1, 0, 64, 0, 65535, bytes(27))  # as long as the codec makes it
    assert read_wave(pack_wave([flat])) == [flat]
    bomb = pack_wave([flat] * 500)
    with pytest.raises(BundleError, match="more than a bundle may have"):
        read_wave(bomb)


def test_presence_comes_back_and_nothing_else_is_one() -> None:
    assert read_presence(Presence("online", 7).pack()) == Presence("online", 7)
    assert read_presence(b'{"state":"offline","epoch":7,"version":2,"more":[]}').state == "offline"
    for data in (b"", b"[]", b'{"state":"on","epoch":1}', b'{"state":"online"}', b'"\xff"', b"[" * 900, bytes(2000)):
        with pytest.raises(PresenceError):
            read_presence(data)
