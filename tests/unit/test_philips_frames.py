"""Frames and messages of the Philips line: what is taken, what is refused and why, and that nothing raises."""

import random

import pytest

from drivers.contract import Counts
from drivers.devices.philips_intellivue import PhilipsIntelliVue
from drivers.framing import Bad, Frame
from drivers.philips.frames import FRAME_LIMIT_BYTES, Reader, cut_payload, fcs, framed, unescaped
from drivers.philips.messages import Control, Created, Failed, MalformedError, Observation, Other, Polled, parse

# The empty end of a linked set, as recorded (frame 11 of the M8000).
END_OF_SET = bytes.fromhex(
    "C011010032E10000020002002A000100070024002100000000F13B001A00010000001DF400FFFFFFFFFFFFFFFF000100060000000000009364C1"
)
PAYLOAD = END_OF_SET[5:-3]
# One object with HR 60 and a metric specification; the offsets of its counts and lengths.
NUMERICS = bytes.fromhex(
    "E1000002 0002 004C 0001 0007 0046 002100000000 F13B 003C 0001 0000 00001F40 FFFFFFFFFFFFFFFF 0001 0006 0000"
    "0001 0022 0000 0001 001C 82CF 0002 0016 0950 000A 418200000AA00000003C 093F 0004 00002000"
)
COUNTS_AND_LENGTHS = (6, 12, 22, 46, 48, 52, 54, 58, 60, 64, 78)
WAVE = bytes.fromhex(
    "E1000002 0002 0050 0001 0007 004A 002100000000 F13B 0040 0001 0000 00001F40 FFFFFFFFFFFFFFFF 0001 0009 0000"
    "0001 0026 0000 0001 0020 02CA 0001 001A 0967 0016 0001 0012 0102 0000 000C 2000 2001 2002 2003 2004 2005"
)


def read(data: bytes) -> tuple[list[object], Counts]:
    counts = Counts()
    reader = Reader(counts)
    return list(reader.feed(data)), counts


def test_a_recorded_frame_is_taken_and_made_again() -> None:
    assert cut_payload(bytearray(END_OF_SET)) == Frame(len(END_OF_SET), PAYLOAD)
    assert framed(PAYLOAD) == END_OF_SET
    assert fcs(END_OF_SET[1:-3]) == bytes.fromhex("9364")
    assert parse(PAYLOAD) == Polled(6, 0x1DF400, b"\xff" * 8, ())


def test_every_byte_survives_the_line() -> None:
    payload = bytes(range(256)) * 3
    line = framed(payload)
    assert line.count(0xC0) == line.count(0xC1) == 1
    assert cut_payload(bytearray(line)) == Frame(len(line), payload)


def test_an_escape_stands_for_something() -> None:
    assert unescaped(b"a\x7d\x5db\x7d\xe0") == b"a\x7db\xc0"
    assert unescaped(b"a\x7d\x7d\x5d") is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (END_OF_SET[:-2] + b"\x65\xc1", "fcs"),
        (END_OF_SET[:20] + b"\x7d\xc1", "given up"),
        (END_OF_SET[:20] + b"\x7d\x7d\x20\xc1", "escape"),
        (END_OF_SET[:20] + END_OF_SET, "truncated"),
        (b"\xc0" + b"\x11\x02\x00\x01a" + fcs(b"\x11\x02\x00\x01a") + b"\xc1", "header"),
        (b"\xc0" + b"\x11\x01\x00\x09a" + fcs(b"\x11\x01\x00\x09a") + b"\xc1", "length"),
        (b"\xc0" + b"a" * FRAME_LIMIT_BYTES, "too long"),
        (framed(b""), "empty"),
        (framed(PAYLOAD[:-1]), "content"),
    ],
)
def test_a_refused_frame_has_a_reason_and_costs_no_good_one(data: bytes, reason: str) -> None:
    messages, counts = read(data + END_OF_SET)
    assert counts.reasons == {reason: 1}
    assert counts.bad == 1
    assert messages.count(Polled(6, 0x1DF400, b"\xff" * 8, ())) == counts.frames >= 1
    assert counts.skipped == len(data) - (counts.frames - 1) * len(END_OF_SET)


def test_no_single_damaged_byte_gives_a_wrong_payload() -> None:
    for at in range(len(END_OF_SET)):
        for flip in (0x01, 0x20, 0x80, 0xFF):
            damaged = bytearray(END_OF_SET)
            damaged[at] ^= flip
            found = cut_payload(damaged)
            assert not isinstance(found, Frame), (at, flip)


def test_the_verdict_does_not_depend_on_the_pieces() -> None:
    data = b"\x00\xc1" + END_OF_SET[:30] + b"\xc0" + b"z" * (FRAME_LIMIT_BYTES + 500) + END_OF_SET * 2
    whole, counts = read(data)
    other = Counts()
    reader = Reader(other)
    pieces = [message for byte in data for message in reader.feed(bytes([byte]))]
    assert (pieces, other) == (whole, counts)
    assert len(whole) == 2
    assert isinstance(cut_payload(bytearray(data[32:])), Bad)


def test_messages_by_kind() -> None:
    assert parse(b"\x0c\x00") == Control(0x0C)
    assert parse(bytes.fromhex("E1000002 0003 0006 0004 0009 0000")) == Failed(4, 9)
    assert parse(bytes.fromhex("E1000002 0001 0014 0001 0000 000E 002100000000 00000000 0D17 0000")) == Other()
    assert (
        parse(bytes.fromhex("E1000002 0002 0018 0000 0003 0012 002100000000 0001 0008 F23A 0004 0000 0000")) == Other()
    )
    event = "002100000000 00001F40 0D06 0010 002100000000 0001 0006 0946 0002 4000"
    created = parse(bytes.fromhex(f"E1000002 0001 0024 0007 0001 001E {event}"))
    assert created == Created(7, True, 8000, ((0x0946, b"\x40\x00"),))


def test_counts_and_lengths_larger_than_the_data_are_refused() -> None:
    whole = parse(NUMERICS)
    assert isinstance(whole, Polled)
    assert [name for name, _ in whole.observations[0].attributes] == [0x0950, 0x093F]
    for at in COUNTS_AND_LENGTHS:
        with pytest.raises(MalformedError):
            parse(NUMERICS[:at] + b"\xff\xf0" + NUMERICS[at + 2 :])
    for end in range(5, len(NUMERICS)):
        with pytest.raises(MalformedError):
            parse(NUMERICS[:end])


def test_good_frames_of_nonsense_never_raise() -> None:
    assert parse(WAVE) == Polled(9, 8000, b"\xff" * 8, (Observation((0, 0x02CA), ((0x0967, WAVE[66:]),)),))
    rng = random.Random(7)
    driver = PhilipsIntelliVue()
    for turn in range(4000):
        payload = bytearray(rng.choice((NUMERICS, WAVE, PAYLOAD)))
        for _ in range(rng.randint(1, 6)):
            payload[rng.randrange(8, len(payload))] = rng.choice((0, 1, 9, 0x50, 0x6D, 0x8D, 0xFF, rng.randrange(256)))
        driver.on_bytes(framed(bytes(payload)), turn)
    assert driver.pending() == 0
    assert driver.counts.frames > 1000
