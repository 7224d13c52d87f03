"""The tape: what a killed process had read is played once, and only what is nowhere else."""

import struct
from pathlib import Path

from agent.ports import tape as tapes
from agent.ports.tape import PIECE_LIMIT_BYTES, Tape, keep

PORT = "/dev/serial/by-id/one"


def nothing(sealed) -> bool:
    return False


def everything(sealed) -> bool:
    return True


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
    assert two.left(nothing) == [(10, b"abc"), (20, b"def")]
    two.close()
    assert Tape(tmp_path, PORT).left(nothing) == []


def test_what_was_played_is_left_again_until_it_is_durable(tmp_path) -> None:
    begun(tmp_path).write(b"abc", 10)
    for _ in range(3):
        assert Tape(tmp_path, PORT).left(nothing) == [(10, b"abc")]


def test_pieces_that_are_durable_are_not_played(tmp_path) -> None:
    one = begun(tmp_path)
    one.write(b"old", 10)
    one.label(one.turn(b"", 15), (3, 2, 7))
    one.write(b"new", 20)
    two = Tape(tmp_path, PORT)
    assert two.left(lambda sealed: sealed == (3, 2, 7)) == [(20, b"new")]


def test_pieces_are_played_in_the_order_they_were_heard_whatever_their_envelopes(tmp_path) -> None:
    """Numbers of two classes do not compare: vital 50 was before wave 3."""
    one = begun(tmp_path)
    for now, sealed in ((10, (3, 1, 50)), (20, (3, 2, 3)), (30, (3, 1, 51))):
        one.write(b"x%d" % now, now)
        one.label(one.turn(b"", now + 5), sealed)
    one.write(b"x40", 40)
    assert [now for now, _ in Tape(tmp_path, PORT).left(nothing)] == [10, 20, 30, 40]


def test_a_half_frame_is_played_once_whether_its_piece_is_durable_or_not(tmp_path) -> None:
    for durable, expected in ((nothing, b"AAAABBbb"), (everything, b"BBbb")):
        folder = tmp_path / durable.__name__
        one = begun(folder)
        one.write(b"AAAABB", 10)
        one.label(one.turn(b"BB", 15), (3, 2, 7))
        one.write(b"bb", 20)
        assert b"".join(data for _, data in Tape(folder, PORT).left(durable)) == expected


def test_of_two_envelopes_only_the_one_that_is_not_durable_is_made_again(tmp_path) -> None:
    """Killed between two syncs: the vital envelope is durable, the wave envelope is not. And killed again."""
    one = begun(tmp_path)
    one.write(b"abc", 10)
    one.label(one.turn(b"", 15), (3, 1, 4), (3, 2, 7))
    one.write(b"def", 20)
    for durable in (lambda sealed: sealed[1] == 1, nothing):
        two = Tape(tmp_path, PORT)
        assert two.left(durable) == [(10, b"abc"), (20, b"def")]
        assert [(two.is_safe(now, 1), two.is_safe(now, 2)) for now in (10, 20)] == [(True, False), (False, False)]
    three = Tape(tmp_path, PORT)
    three.left(nothing)
    three.label(three.turn(b"", 25), (4, 1, 0), (4, 2, 0))
    assert Tape(tmp_path, PORT).left(everything) == []


def test_a_piece_that_was_turned_and_not_named_is_played(tmp_path) -> None:
    one = begun(tmp_path)
    one.write(b"abc", 10)
    one.turn(b"c", 15)
    one.write(b"def", 20)
    assert b"".join(data for _, data in Tape(tmp_path, PORT).left(everything)) == b"abcdef"


def test_what_stands_in_two_files_is_played_once(tmp_path) -> None:
    """Killed while the old pieces were being dropped: the new tape has them, and some are still there."""
    one = begun(tmp_path)
    one.write(b"abc", 10)
    piece = one.label(one.turn(b"", 15), (3, 2, 7))
    kept = piece.read_bytes()
    assert Tape(tmp_path, PORT).left(nothing) == [(10, b"abc")]
    piece.write_bytes(kept)
    assert Tape(tmp_path, PORT).left(nothing) == [(10, b"abc")]


def test_another_boots_tape_is_of_no_use(tmp_path) -> None:
    one = begun(tmp_path)
    one.write(b"abc", 10)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"0" + file.read_bytes()[1:])
    two = Tape(tmp_path, PORT)
    assert two.left(nothing) == []
    assert len(list(tmp_path.iterdir())) == 1


def test_a_torn_tail_ends_the_tape_wherever_it_is_cut(tmp_path) -> None:
    one = begun(tmp_path)
    chunks = [(10, b"abc"), (20, b"defg")]
    for now, data in chunks:
        one.write(data, now)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for size in range(len(whole)):
        folder = tmp_path / str(size)
        folder.mkdir()
        (folder / file.name).write_bytes(whole[:size])
        played = Tape(folder, PORT).left(nothing)
        assert played == chunks[: len(played)]
    assert len(played) == 1


def test_garbage_for_a_file_costs_nothing(tmp_path) -> None:
    begun(tmp_path).write(b"abc", 10)
    (file,) = tmp_path.iterdir()
    boot = file.read_bytes()[:36]
    for name, data in (
        (".turned", b""),
        (".1-2-3", boot + b"\xff" * 40),
        (".x-y-z", boot),
        (".1-2", boot + struct.pack(">QI", 5, 1 << 31)),
    ):
        file.with_suffix(name).write_bytes(data)
    assert Tape(tmp_path, PORT).left(nothing) == [(10, b"abc")]


def test_two_ports_do_not_hear_each_other(tmp_path) -> None:
    begun(tmp_path, "/dev/a").write(b"abc", 10)
    begun(tmp_path, "/dev/b").write(b"def", 10)
    assert Tape(tmp_path, "/dev/a").left(nothing) == [(10, b"abc")]


def test_a_piece_is_bounded_and_what_is_refused_is_counted(tmp_path) -> None:
    one = begun(tmp_path)
    for now in range(20):
        one.write(bytes(100_000), now)
    assert one.refused_bytes > 0
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < PIECE_LIMIT_BYTES + 200_000
    one.label(one.turn(b"", 30), (1, 1, 1))
    one.write(b"on", 31)
    assert Tape(tmp_path, PORT).left(everything) == [(31, b"on")]


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
    assert (40, b"ghi") in Tape(tmp_path, PORT).left(everything)


def test_what_was_read_before_there_was_a_tape_is_played_last(tmp_path) -> None:
    one = begun(tmp_path)
    one.write(b"AAAABB", 10)
    one.label(one.turn(b"BB", 15), (3, 2, 7))
    one.write(b"bb", 20)
    keep(tmp_path, PORT, [(30, b"early"), (31, b"on")])
    keep(tmp_path, PORT, [(40, b"again")])
    assert Tape(tmp_path, PORT).left(nothing) == [
        (10, b"AAAABB"),
        (20, b"bb"),
        (30, b"early"),
        (31, b"on"),
        (40, b"again"),
    ]
    two = Tape(tmp_path, PORT)
    assert [now for now, _ in two.left(nothing)] == [10, 20, 30, 31, 40]
    two.close()
    assert list(tmp_path.iterdir()) == []


def test_an_early_piece_of_another_boot_gives_way(tmp_path) -> None:
    keep(tmp_path, PORT, [(30, b"old")])
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"0" + file.read_bytes()[1:])
    keep(tmp_path, PORT, [(10, b"new")])
    assert Tape(tmp_path, PORT).left(nothing) == [(10, b"new")]


def test_a_port_that_said_nothing_leaves_nothing_to_play(tmp_path) -> None:
    keep(tmp_path, PORT, [])
    assert Tape(tmp_path, PORT).left(nothing) == []


def test_an_early_record_that_was_cut_short_does_not_swallow_the_next(tmp_path) -> None:
    keep(tmp_path, PORT, [(30, b"whole"), (31, b"cut short")])
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    keep(tmp_path, PORT, [(40, b"next")])
    assert Tape(tmp_path, PORT).left(nothing) == [(30, b"whole"), (40, b"next")]
