"""How far a device came: never further than what is durable, and never less, wherever a kill or a power cut comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import durable
from agent.marks import MARKS_FILE, PENDING_LIMIT_COUNT, Marks
from agent.spool.files import Disk
from tests.crash.faulty import PowerCutError
from wire.envelope import Header
from wire.topics import Class

KEY = "gatt_glucose C0:11:11:11:11:07"


def header(seq: int, cls: Class = Class.VITAL, epoch: int = 3) -> Header:
    return Header(epoch, cls, seq, 0)


def marks_in(folder: Path, *sealed: tuple[int, int, int]) -> Marks:
    """A new process that finds these envelopes durable."""
    return Marks(Disk(direct=False), folder / MARKS_FILE, lambda one: one in sealed)


def beat(marks: Marks, seq: int) -> bytes | None:
    return marks.sealed([header(seq)])


def said(marks: Marks, mark: str, seq: int) -> None:
    marks.reach(KEY)(mark)
    data = beat(marks, seq)
    assert data is not None
    marks.write(data)


def test_a_mark_counts_once_its_envelope_is_durable_and_not_before(tmp_path) -> None:
    one = marks_in(tmp_path)
    said(one, "7", 10)
    said(one, "9", 11)
    assert one.of(KEY) == "9"
    assert marks_in(tmp_path).of(KEY) == ""
    assert marks_in(tmp_path, (3, 1, 10)).of(KEY) == "7"
    assert marks_in(tmp_path, (3, 1, 10), (3, 1, 11)).of(KEY) == "9"


def test_killed_before_the_marks_were_written_the_old_one_stands(tmp_path) -> None:
    one = marks_in(tmp_path)
    said(one, "7", 10)
    one.reach(KEY)("9")
    assert beat(one, 11) is not None
    assert marks_in(tmp_path, (3, 1, 10), (3, 1, 11)).of(KEY) == "7"


def test_what_was_found_once_stands_when_the_old_epoch_is_forgotten(tmp_path) -> None:
    said(marks_in(tmp_path), "7", 10)
    two = marks_in(tmp_path, (3, 1, 10))
    data = two.sealed([header(0, epoch=4)])
    assert data is not None
    two.write(data)
    assert two.sealed([header(1, epoch=4)]) is None
    assert marks_in(tmp_path).of(KEY) == "7"


def test_both_classes_must_be_durable(tmp_path) -> None:
    one = marks_in(tmp_path)
    one.sealed([header(4, Class.WAVE)])
    said(one, "7", 10)
    assert marks_in(tmp_path, (3, 1, 10)).of(KEY) == ""
    assert marks_in(tmp_path, (3, 1, 10), (3, 2, 4)).of(KEY) == "7"


def test_a_disk_that_refuses_keeps_marks_bounded_and_stops_nothing(tmp_path) -> None:
    one = marks_in(tmp_path)
    for number in range(PENDING_LIMIT_COUNT * 3):
        said(one, str(number), number)
    assert len((tmp_path / MARKS_FILE).read_bytes()) < 10_000
    last = PENDING_LIMIT_COUNT * 3 - 1
    assert marks_in(tmp_path, (3, 1, last)).of(KEY) == str(last)
    assert marks_in(tmp_path).of(KEY) == ""
    (tmp_path / f"{MARKS_FILE}.new").mkdir()
    said(one, "more", 999)
    assert one.problem


def test_a_file_that_is_none_asks_anew(tmp_path) -> None:
    durable.replace(Disk(direct=False), tmp_path / MARKS_FILE, b"nonsense")
    assert marks_in(tmp_path).of(KEY) == ""


class Cut(Disk):
    """The power goes at call number `at`."""

    def __init__(self, at: int) -> None:
        super().__init__(direct=False)
        self._left = at

    def _call(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise PowerCutError

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        self._call()
        return super().pwrite(fd, data, offset)

    def fdatasync(self, fd: int) -> None:
        self._call()
        super().fdatasync(fd)

    def rename(self, old: Path, new: Path) -> None:
        self._call()
        super().rename(old, new)

    def sync_folder(self, folder: Path) -> None:
        self._call()
        super().sync_folder(folder)


@pytest.mark.parametrize("at", range(5))
def test_a_power_cut_in_the_middle_of_writing_leaves_the_old_file_or_the_new_one(tmp_path, at: int) -> None:
    said(marks_in(tmp_path), "7", 10)
    files = Cut(at)
    two = Marks(files, tmp_path / MARKS_FILE, lambda sealed: True)
    two.reach(KEY)("9")
    data = beat(two, 11)
    assert data is not None
    if at < 4:
        with pytest.raises(PowerCutError):
            two.write(data)
    else:
        two.write(data)
    assert marks_in(tmp_path, (3, 1, 10), (3, 1, 11)).of(KEY) == ("7" if at < 3 else "9")
