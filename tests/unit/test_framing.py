"""The one framing loop: every byte is in a frame, skipped, or waiting."""

from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import Counts
from drivers.framing import MORE, Bad, Frame, Framer, Lines, Skip, find

START = b"\xaa\x55"


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """AA 55, a length, that many bytes, and their sum."""
    elsewhere = find(buffer, START)
    if elsewhere is not None:
        return elsewhere
    if len(buffer) < 3 or len(buffer) < buffer[2] + 4:
        return MORE
    body = bytes(buffer[3 : 3 + buffer[2]])
    if buffer[3 + buffer[2]] != sum(body) & 0xFF:
        return Bad("checksum")
    return Frame(buffer[2] + 4, body)


def framed(body: bytes) -> bytes:
    return START + bytes([len(body)]) + body + bytes([sum(body) & 0xFF])


def fed(*chunks: bytes, limit_bytes: int = 65536) -> tuple[list[bytes], Counts, int]:
    counts = Counts()
    framer = Framer(cut, counts, limit_bytes)
    bodies = [body for chunk in chunks for body in framer.feed(chunk)]
    return bodies, counts, len(framer)


def test_frames_come_out_in_order_and_empty_ones_too() -> None:
    bodies, counts, waiting = fed(framed(b"one") + framed(b"") + framed(b"three"))
    assert bodies == [b"one", b"", b"three"]
    assert (counts, waiting) == (Counts(frames=3), 0)


def test_what_is_between_frames_is_skipped_and_counted() -> None:
    bodies, counts, _ = fed(b"noise" + framed(b"one") + b"\xaa\xaa" + framed(b"two"))
    assert bodies == [b"one", b"two"]
    assert counts == Counts(frames=2, skipped=7)


def test_a_refused_frame_costs_one_bad_and_not_the_frame_behind_it() -> None:
    hurt = bytearray(framed(b"one"))
    hurt[4] ^= 1
    bodies, counts, _ = fed(bytes(hurt) + framed(b"two"))
    assert bodies == [b"two"]
    assert counts == Counts(frames=1, bad=1, skipped=len(hurt), reasons={"checksum": 1})


def test_a_damaged_length_does_not_swallow_the_frames_inside() -> None:
    hurt = bytearray(framed(b"one"))
    hurt[2] = 12
    bodies, counts, waiting = fed(bytes(hurt) + framed(b"two") + framed(b"three"))
    assert bodies == [b"two", b"three"]
    assert (counts.bad, waiting) == (1, 0)


def test_reasons_are_counted_apart() -> None:
    counts = Counts()
    for reason in ("checksum", "length", "checksum"):
        counts.refuse(reason)
    assert counts == Counts(bad=3, reasons={"checksum": 2, "length": 1})


def test_a_start_at_the_end_of_a_chunk_waits() -> None:
    _, counts, waiting = fed(b"xy\xaa")
    assert (counts.skipped, waiting) == (2, 1)


def test_a_frame_longer_than_the_limit_is_refused_and_memory_bounded() -> None:
    long = START + b"\xff" + b"\x00" * 200
    bodies, counts, waiting = fed(long + framed(b"two"), limit_bytes=100)
    assert bodies == [b"two"]
    assert counts.reasons == {"too long": 1}
    assert waiting <= 100


def test_skip_counts_only_what_was_there() -> None:
    counts = Counts()
    framer = Framer(lambda buffer: Skip(1000), counts)
    assert list(framer.feed(b"abc")) == []
    assert (counts.skipped, len(framer)) == (3, 0)


def test_find_sees_a_whole_a_partial_and_no_start() -> None:
    assert find(bytearray(b"\xaa\x55rest"), START) is None
    assert find(bytearray(b"ab\xaa\x55"), START) == Skip(2)
    assert find(bytearray(b"ab\xaa"), START) == Skip(2)
    assert find(bytearray(b"\xaa"), START) is MORE
    assert find(bytearray(b"abc"), START) == Skip(3)


pieces = st.lists(st.one_of(st.binary(max_size=12), st.binary(max_size=8).map(framed)), max_size=12)


@given(pieces, st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_any_chunking_gives_the_same_frames_and_counts(parts: list[bytes], sizes: list[int]) -> None:
    data = b"".join(parts)
    chunks, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        chunks.append(data[at : at + size])
        at, turn = at + size, turn + 1
    whole, parted = fed(data), fed(*chunks)
    assert parted == whole
    bodies, counts, waiting = whole
    assert sum(len(body) + 4 for body in bodies) + counts.skipped + waiting == len(data)


def lines(data: bytes, limit_bytes: int = 20) -> tuple[list[bytes], Counts, int]:
    counts = Counts()
    framer = Framer(Lines(lambda line: None if line.startswith("ok") else "no", limit_bytes), counts)
    return [body for byte in data for body in framer.feed(bytes([byte]))], counts, len(framer)


def test_a_line_is_a_frame_with_the_line_ends_before_it() -> None:
    assert lines(b"ok 1\r\n\r\nok 2\rok") == ([b"ok 1", b"ok 2"], Counts(frames=2), 2)


def test_what_comes_before_the_first_good_line_is_skipped_and_what_comes_later_is_refused() -> None:
    found, counts, waiting = lines(b"piece\nok\nwrong\nok\n")
    assert (found, waiting) == ([b"ok", b"ok"], 0)
    assert (counts.frames, counts.skipped, counts.reasons) == (2, 10, {"no": 1})


def test_a_line_without_end_is_given_up_at_its_limit() -> None:
    found, counts, _ = lines(b"ok\n" + b"x" * 40 + b"\nok\n")
    assert found == [b"ok", b"ok"]
    assert counts.reasons == {"too long": 2}
