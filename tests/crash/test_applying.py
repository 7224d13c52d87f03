"""The power goes at every call while the keys folder changes: afterwards all files are old, or all are new."""

import errno
from pathlib import Path

import pytest

from agent import applying
from tests.crash.faulty import Fault, FaultyFiles, PowerCutError

FOLDER = Path("/keys")
OLD = {"gateway.crt": b"old" * 500, "centre.pub": b"old", "recipients/a.pub": b"a", "recipients/b.pub": b"b"}
NEW = {"gateway.crt": b"new", "centre.pub": b"new" * 500, "recipients/a.pub": None, "recipients/c.pub": b"c"}
AFTER = {"gateway.crt": b"new", "centre.pub": b"new" * 500, "recipients/b.pub": b"b", "recipients/c.pub": b"c"}
CALLS = 60


def made(fault: Fault | None = None) -> FaultyFiles:
    files = FaultyFiles()
    applying.apply(files, FOLDER, OLD)
    files.fault, files.calls = fault, 0
    return files


def seen(files: FaultyFiles) -> dict[str, bytes]:
    found = {str(path.relative_to(FOLDER)): data for path, data in files.contents().items()}
    return {name: data for name, data in found.items() if not name.endswith((".new", "lock"))}


def test_it_is_done_in_fewer_calls_than_are_tried() -> None:
    files = made()
    applying.apply(files, FOLDER, NEW)
    assert seen(files) == AFTER
    assert files.calls < CALLS


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_a_power_cut_leaves_old_or_new(chance: float) -> None:
    outcomes = set()
    for at in range(1, CALLS):
        files = made(Fault(at, "cut"))
        try:
            applying.apply(files, FOLDER, NEW)
        except PowerCutError:
            files = files.after_cut(chance, at)
        files.fault = None
        begun = applying.finish(files, FOLDER)
        found = seen(files)
        assert found in (OLD, AFTER), f"cut at call {at}"
        assert not applying.finish(files, FOLDER)
        outcomes.add((found == AFTER, begun))
        applying.apply(files, FOLDER, NEW)  # and what is left over of it is in nobody's way
        assert seen(files) == AFTER
    assert outcomes >= {(False, False), (True, True), (True, False)}


def test_a_disk_that_refuses_leaves_old_or_new_after_the_next_start() -> None:
    outcomes = set()
    for at in range(1, CALLS):
        files = made(Fault(at, "error", errno.ENOSPC))
        try:
            applying.apply(files, FOLDER, NEW)
        except OSError:
            outcomes.add("refused")
        files.fault = None
        applying.finish(files, FOLDER)
        assert seen(files) in (OLD, AFTER), f"refused at call {at}"
    assert outcomes == {"refused"}


def test_two_do_not_change_a_folder_at_once(tmp_path) -> None:
    files = applying.Owned()
    files.make_folder(tmp_path / "keys")
    lock = files.lock(tmp_path / "keys" / applying.LOCK_FILE)
    with pytest.raises(BlockingIOError):
        applying.apply(applying.Owned(), tmp_path / "keys", {"gateway.crt": b"x"})
    files.close(lock)
    applying.apply(applying.Owned(), tmp_path / "keys", {"gateway.crt": b"x"})
    assert (tmp_path / "keys" / "gateway.crt").read_bytes() == b"x"
