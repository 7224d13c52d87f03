"""Frames, segment headers and footers, scans and pages: bytes in, facts out."""

from __future__ import annotations

from pathlib import Path

from agent.spool.acks import Acks
from agent.spool.frame import HEAD_BYTES, encode, newest_generation, padded, walk
from agent.spool.pages import Pages
from agent.spool.scan import Extent, Name, scan, told
from agent.spool.segment import Segment, decode_footer, decode_header, encode_footer, encode_header, file_number
from agent.spool.terms import Cause, Lost, Stored
from tests.crash.faulty import FaultyFiles

BLOCK = bytes(4096)


def frame(seq: int, position: int, generation: int = 7, body: bytes = b"body", cls: int = 1) -> bytes:
    return encode(Stored(cls, 3, 1, seq, body), generation, position)


def test_a_frame_is_44_bytes_and_its_body() -> None:
    assert HEAD_BYTES == 44
    data = frame(5, 9, body=b"abc")
    (found,) = walk(data, 1, 7)
    assert (found.position, found.epoch, found.hour, found.seq, found.sound) == (9, 3, 1, 5, True)
    assert found.stored(1, data) == Stored(1, 3, 1, 5, b"abc")


def test_frames_of_another_generation_or_class_are_not_seen() -> None:
    data = frame(0, 0, generation=6) + frame(1, 1) + frame(2, 2, cls=2) + frame(3, 3)
    assert [f.seq for f in walk(data, 1, 7)] == [1, 3]
    assert newest_generation(data, 1) == 7


def test_a_flip_in_the_body_costs_that_frame_and_names_it() -> None:
    data = bytearray(frame(0, 0) + frame(1, 1) + frame(2, 2))
    data[len(frame(0, 0)) + HEAD_BYTES] ^= 1
    assert [(f.seq, f.sound) for f in walk(bytes(data), 1, 7)] == [(0, True), (1, False), (2, True)]


def test_every_flip_in_a_header_costs_that_frame_only() -> None:
    parts = [frame(seq, seq) for seq in range(3)]
    whole = BLOCK + b"".join(parts) + BLOCK
    for at in range(HEAD_BYTES):
        data = bytearray(whole)
        data[len(BLOCK) + len(parts[0]) + at] ^= 0x10
        found = scan(bytes(data), 1, Extent(7, 0, None, None))
        assert [f.seq for f in found.frames] == [0, 2]
        assert [hole.names for hole in found.holes] == [[(3, 1, 1)]]
        assert not found.holes[0].torn


def test_the_last_frame_damaged_is_torn_and_still_named() -> None:
    for at in range(HEAD_BYTES + 4):
        data = bytearray(BLOCK + frame(0, 0) + frame(1, 1) + BLOCK)
        data[len(BLOCK) + len(frame(0, 0)) + at] ^= 0x10
        found = scan(bytes(data), 1, Extent(7, 0, None, None))
        assert [hole.names for hole in found.holes] == [[(3, 1, 1)]]
        assert found.holes[0].torn


def test_a_header_that_was_cut_is_not_given_the_number_that_the_epoch_before_would_have_gone_on_with() -> None:
    whole = BLOCK + frame(0, 0) + encode(Stored(1, 4, 1, 0, b"body"), 7, 1)
    for end in range(len(BLOCK + frame(0, 0)) + 20, len(BLOCK + frame(0, 0)) + HEAD_BYTES):
        (hole,) = scan(whole[:end], 1, Extent(7, 0, None, None)).holes
        assert (hole.names, hole.unnamed, hole.torn) == ([], 1, True)


def test_a_copy_of_a_frame_inside_a_body_is_not_a_frame() -> None:
    inner = frame(0, 0)
    data = frame(0, 0) + frame(1, 1, body=inner * 3) + frame(2, 2)
    assert [f.seq for f in walk(data, 1, 7)] == [0, 1, 2]


def test_neighbours_tell_the_names() -> None:
    assert told(Name(1, 4), Name(1, 8), 3) == ([(1, 5, 7)], 0)
    assert told(Name(1, 4), Name(2, 2), 3) == ([(1, 5, 5), (2, 0, 1)], 0)
    assert told(Name(1, 4), Name(3, 2), 3) == ([(3, 0, 1)], 1), "of epoch 1 or 2"
    assert told(Name(1, 4), None, 2) == ([], 2), "or of an epoch of which nothing is left"
    assert told(None, Name(2, 1), 3) == ([(2, 0, 0)], 2)
    assert told(None, None, 1) == ([], 1)


def test_frames_of_the_next_segment_are_cut() -> None:
    data = BLOCK + frame(0, 0) + frame(1, 1)
    assert [f.seq for f in scan(data, 1, Extent(7, 0, 1, None)).frames] == [0]


def test_header_and_footer_round_trip() -> None:
    head = decode_header(encode_header(2, 4 << 20, 9, 1234))
    assert head is not None
    assert (head.cls, head.segment_bytes, head.generation, head.first_position) == (2, 4 << 20, 9, 1234)
    found = scan(BLOCK + frame(0, 0) + frame(1, 1), 1, Extent(7, 0, None, None))
    segment = Segment(0, Path("x"), 7, 0, 2, 8192, found.stretches)
    block = encode_footer(segment)
    assert block is not None
    footer = decode_footer(block, 7)
    assert footer is not None
    assert (footer.next_position, footer.end, [(s.first, s.last) for s in footer.stretches]) == (2, 8192, [(0, 1)])
    assert decode_footer(block, 8) is None, "a footer of an earlier use of the file"
    assert all(decode_footer(block[:i] + bytes([block[i] ^ 4]) + block[i + 1 :], 7) is None for i in range(60))


def test_file_names() -> None:
    assert file_number(2, "2-00017.seg") == 17
    assert [file_number(2, name) for name in ("1-00017.seg", "2-00017.seg.new", "2-x.seg", "acks", "2-.seg")] == [
        None
    ] * 5


def test_padding() -> None:
    assert [padded(n) for n in (0, 1, 4096, 4097)] == [0, 4096, 4096, 8192]


def test_the_newer_whole_page_counts() -> None:
    files, path = FaultyFiles(), Path("/spool/acks")
    pages = Pages(files, path, b"test", 8192)
    pages.create([])
    for text in (b"one", b"two", b"three"):
        pages.save(text)
    for damaged, expected in ((0, b"three"), (1, b"two")):
        data = bytearray(files.contents()[path])
        data[damaged * 8192 + 25] ^= 1
        copy = FaultyFiles()
        copy.put(path, bytes(data))
        again = Pages(copy, path, b"test", 8192)
        again.load(["acks"])
        assert again.content == expected
        again.save(b"four")
        third = Pages(copy, path, b"test", 8192)
        third.load(["acks"])
        assert third.content == b"four"


def test_acknowledgements_too_many_to_save_forget_the_newest() -> None:
    files, folder = FaultyFiles(), Path("/spool")
    acks = Acks(files, folder)
    acks.pages.create([])
    acks.epoch = 4
    acks.lose([Lost(1, 4, 10, 20, Cause.EVICTED)])
    for seq in range(0, 20_000, 2):
        acks.of(2, 4).add(seq)
    acks.save()
    again = Acks(files, folder)
    again.load(["acks"])
    assert again.undeclared() == [Lost(1, 4, 10, 20, Cause.EVICTED)]
    kept = list(again.of(2, 4))
    assert kept == list(acks.of(2, 4))[: len(kept)]
    assert len(kept) > 8000
    assert acks.forgotten == 10_000 - len(kept)
