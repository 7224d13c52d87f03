"""The tape: what a killed process had read is played once, and only what is nowhere else."""

import os
import struct
from pathlib import Path

import pytest

from agent.ports import tape as tapes
from agent.ports.landing import FILL
from agent.ports.tape import PIECE_LIMIT_BYTES, Tape

PORT = "/dev/serial/by-id/one"


def nothing(sealed) -> bool:
    return False


def everything(sealed) -> bool:
    return True


def played(tape: Tape, durable) -> list[tuple[int, bytes]]:
    return [(now, data) for now, data, _ in tape.left(durable)]


def begun(folder: Path, port: str = PORT) -> Tape:
    """A tape on which nothing was left."""
    tape = Tape(folder, port)
    assert tape.left(nothing) == []
    return tape


def test_what_a_killed_process_left_is_played_once(tmp_path) -> None:
    one = begun(tmp_path)
    one.write(b"abc", 10)
    one.write(b"def", 20)
    two = Tape(tmp_path, PORT)
    assert played(two, nothing) == [(10, b"abc"), (20, b"def")]
    two.close()
    assert played(Tape(tmp_path, PORT), nothing) == []


def test_what_was_played_is_left_again_until_it_is_durable(tmp_path) -> None:
    begun(tmp_path).write(b"abc", 10)
    for _ in range(3):
        assert played(Tape(tmp_path, PORT), nothing) == [(10, b"abc")]


def test_pieces_that_are_durable_are_not_played(tmp_path) -> None:
    one = begun(tmp_path)
    one.write(b"old", 10)
    one.label(one.turn(b"", 15), (3, 2, 7))
    one.write(b"new", 20)
    two = Tape(tmp_path, PORT)
    assert played(two, lambda sealed: sealed == (3, 2, 7)) == [(20, b"new")]


def test_a_kill_between_two_classes_leaves_samples_and_no_readings(tmp_path) -> None:
    """The envelope of readings is durable, that of samples is not; and it stays so over another kill."""
    one = begun(tmp_path)
    one.write(b"half", 10)
    one.label(one.turn(b"", 15), (3, 1, 7), (3, 2, 9))
    one.write(b"new", 20)
    assert Tape(tmp_path, PORT).left(lambda sealed: sealed == (3, 1, 7)) == [(10, b"half", True), (20, b"new", False)]
    assert Tape(tmp_path, PORT).left(nothing) == [(10, b"half", True), (20, b"new", False)]


def test_a_piece_of_two_classes_is_durable_with_the_last(tmp_path) -> None:
    one = begun(tmp_path)
    one.write(b"old", 10)
    one.label(one.turn(b"", 15), (3, 1, 7), (3, 2, 9))
    assert Tape(tmp_path, PORT).left(everything) == []


def test_pieces_are_played_in_the_order_they_were_heard_whatever_their_envelopes(tmp_path) -> None:
    """Numbers of two classes do not compare: vital 50 was before wave 3."""
    one = begun(tmp_path)
    for now, sealed in ((10, (3, 1, 50)), (20, (3, 2, 3)), (30, (3, 1, 51))):
        one.write(b"x%d" % now, now)
        one.label(one.turn(b"", now + 5), sealed)
    one.write(b"x40", 40)
    assert [now for now, _ in played(Tape(tmp_path, PORT), nothing)] == [10, 20, 30, 40]


def test_a_half_frame_is_played_once_whether_its_piece_is_durable_or_not(tmp_path) -> None:
    for durable, expected in ((nothing, b"AAAABBbb"), (everything, b"BBbb")):
        folder = tmp_path / durable.__name__
        one = begun(folder)
        one.write(b"AAAABB", 10)
        one.label(one.turn(b"BB", 15), (3, 2, 7))
        one.write(b"bb", 20)
        assert b"".join(data for _, data in played(Tape(folder, PORT), durable)) == expected


def test_a_piece_that_was_turned_and_not_named_is_played(tmp_path) -> None:
    one = begun(tmp_path)
    one.write(b"abc", 10)
    one.turn(b"c", 15)
    one.write(b"def", 20)
    assert b"".join(data for _, data in played(Tape(tmp_path, PORT), everything)) == b"abcdef"


def test_what_stands_in_two_files_is_played_once(tmp_path) -> None:
    """Killed while the old pieces were being dropped: the new tape has them, and some are still there."""
    one = begun(tmp_path)
    one.write(b"abc", 10)
    piece = one.label(one.turn(b"", 15), (3, 2, 7))
    kept = piece.read_bytes()
    assert played(Tape(tmp_path, PORT), nothing) == [(10, b"abc")]
    piece.write_bytes(kept)
    assert played(Tape(tmp_path, PORT), nothing) == [(10, b"abc")]


def test_killed_while_a_piece_was_begun_starts_again_and_misses_nothing(tmp_path) -> None:
    """Whatever of the new tape was written: all of it is still in the pieces it was copied from."""
    one = begun(tmp_path)
    one.write(b"AAAABB", 10)
    durable = one.label(one.turn(b"BB", 15), (3, 2, 7))
    one.write(b"bb", 20)
    durable.unlink()
    (file,) = tmp_path.glob("*.now")
    boot = file.read_bytes()[:36]
    for cut in (b"", boot[:10], boot, boot + bytes(12), file.read_bytes()):
        folder = tmp_path / str(len(cut))
        folder.mkdir()
        (folder / file.name).write_bytes(file.read_bytes())
        (folder / file.with_suffix(".begun").name).write_bytes(cut)
        assert b"".join(data for _, data in played(Tape(folder, PORT), nothing)) == b"BBbb"


@pytest.mark.parametrize("data", [b"a", b"abc", FILL[3:40], b"x" * 60 + FILL[60:64], bytes(5000)])
def test_what_was_read_and_not_yet_on_the_tape_is_played_once(tmp_path, data) -> None:
    """Killed between two statements: the read took place, the write did not; or did, and the landing is not cleared."""
    one = begun(tmp_path)
    one.write(b"before", 10)
    source, sink = os.pipe()
    os.write(sink, data)
    assert one._landing.read(source, 20) == data
    assert played(Tape(tmp_path, PORT), nothing) == [(10, b"before"), (20, data)]
    assert played(Tape(tmp_path, PORT), nothing) == [(10, b"before"), (20, data)]
    os.close(source)
    os.close(sink)


def test_a_read_that_did_not_take_place_leaves_nothing(tmp_path) -> None:
    one = begun(tmp_path)
    source, sink = os.pipe()
    os.write(sink, b"there")
    assert one.read(source, 5) == b"there"
    os.write(sink, b"still in the kernel")
    one._landing._map[36:48] = struct.pack(">QI", 20, 19)
    assert played(Tape(tmp_path, PORT), nothing) == [(5, b"there")]
    os.close(source)
    os.close(sink)


def test_another_boots_tape_is_of_no_use(tmp_path) -> None:
    one = begun(tmp_path)
    one.write(b"abc", 10)
    (file,) = tmp_path.glob("*.now")
    file.write_bytes(b"0" + file.read_bytes()[1:])
    two = Tape(tmp_path, PORT)
    assert played(two, nothing) == []
    assert {file.suffix for file in tmp_path.iterdir()} == {".now", ".landing"}


def test_a_torn_tail_ends_the_tape_wherever_it_is_cut(tmp_path) -> None:
    one = begun(tmp_path)
    chunks = [(10, b"abc"), (20, b"defg")]
    for now, data in chunks:
        one.write(data, now)
    (file,) = tmp_path.glob("*.now")
    whole = file.read_bytes()
    for size in range(len(whole)):
        folder = tmp_path / str(size)
        folder.mkdir()
        (folder / file.name).write_bytes(whole[:size])
        left = played(Tape(folder, PORT), nothing)
        assert left == chunks[: len(left)]
    assert len(left) == 1


def test_garbage_for_a_file_costs_nothing(tmp_path) -> None:
    begun(tmp_path).write(b"abc", 10)
    (file,) = tmp_path.glob("*.now")
    boot = file.read_bytes()[:36]
    for name, data in (
        (".turned", b""),
        (".1-2-3", boot + b"\xff" * 40),
        (".x-y-z", boot),
        (".1-2", boot + struct.pack(">QI", 5, 1 << 31)),
    ):
        file.with_suffix(name).write_bytes(data)
    assert played(Tape(tmp_path, PORT), nothing) == [(10, b"abc")]


def test_two_ports_do_not_hear_each_other(tmp_path) -> None:
    begun(tmp_path, "/dev/a").write(b"abc", 10)
    begun(tmp_path, "/dev/b").write(b"def", 10)
    assert played(Tape(tmp_path, "/dev/a"), nothing) == [(10, b"abc")]


def test_a_piece_is_bounded_and_what_is_refused_is_counted(tmp_path) -> None:
    one = begun(tmp_path)
    for now in range(20):
        one.write(bytes(100_000), now)
    assert one.refused_bytes > 0
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < PIECE_LIMIT_BYTES + 200_000
    one.label(one.turn(b"", 30), (1, 1, 1))
    one.write(b"on", 31)
    assert played(Tape(tmp_path, PORT), everything) == [(31, b"on")]


def test_a_full_runtime_folder_stops_nothing(tmp_path, monkeypatch) -> None:
    """/run is memory and may be full: hearing goes on, the tape is what is lost, and it is counted."""
    one = begun(tmp_path)
    one.write(b"abc", 10)
    real = Path.open

    def refused(self, *given, **named):
        if self.parent == tmp_path:
            raise OSError(28, "No space left on device")
        return real(self, *given, **named)

    monkeypatch.setattr(tapes.Path, "open", refused)
    assert one.turn(b"half", 15) is not None
    one.write(b"def", 20)
    assert one.refused_bytes == 7
    assert one.turn(b"", 25) is None
    monkeypatch.undo()
    assert one.turn(b"", 35) is None
    one.write(b"ghi", 40)
    assert (40, b"ghi") in played(Tape(tmp_path, PORT), everything)
