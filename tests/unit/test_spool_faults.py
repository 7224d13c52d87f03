"""One spool on the twin when the disk fails, is full, damaged, or of another format."""

from __future__ import annotations

import errno

import pytest

from agent.spool import Accepted, Cause, Commit, Limits, Lost, Spool, SpoolError, StorageError, Stored, check_folder
from tests.crash.faulty import Fault, FaultyFiles, PowerCutError
from tests.unit.test_spool_store import FOLDER, LIMITS, never, opened, put


def test_a_full_disk_is_counted_and_what_is_there_is_used_again() -> None:
    files = FaultyFiles()
    spool = opened(files)
    put(spool, 2, range(5))
    assert spool.wants_spare
    files.fault = Fault(files.calls + 1, "error", errno.ENOSPC)
    spool.make_spare()
    assert not spool.wants_spare
    evicted = put(spool, 2, range(5, 8))
    assert evicted == [Lost(2, 1, 0, 5, Cause.EVICTED)]
    assert spool.stat().spares_refused == 1
    assert spool.check() == []


@pytest.mark.parametrize("call", [1, 2])  # the write, the sync
def test_a_failed_commit_keeps_everything_and_goes_to_another_file(call: int) -> None:
    files = FaultyFiles()
    spool = opened(files)
    put(spool, 1, range(2))
    spool.append(Stored(0, 1, 0, 0, b"key"))
    spool.append(Stored(1, 1, 0, 2, b"third"))
    spool.commit()
    spool.append(Stored(0, 1, 0, 1, b"key"))
    spool.append(Stored(1, 1, 0, 3, b"fourth"))
    files.fault = Fault(files.calls + 2 + call, "error", errno.EIO)
    with pytest.raises(StorageError) as caught:
        spool.commit()
    assert caught.value.commit.accepted == [Accepted(0, 1, 1, 1)], "the other class is not held back"
    assert "card" in caught.value.hint
    assert spool.stat().classes[1].buffered_frames == 1
    assert spool.commit().accepted == [Accepted(1, 1, 3, 3)]
    assert spool.stat().classes[1].segments == 2
    assert spool.check() == []
    after = opened(files.after_cut(0.0))
    assert [s.seq for s in after.read(1, 1, 0, 9)] == [0, 1, 2, 3]


def test_waves_wait_for_the_readings_of_their_commit_while_there_is_room() -> None:
    """After a kill in between they would be there without the catalogue that says what they are."""
    files = FaultyFiles()
    spool = opened(files)
    spool.append(Stored(1, 1, 0, 0, b"catalogue"))
    spool.append(Stored(2, 1, 0, 0, b"wave"))
    files.fault = Fault(files.calls + 1, "error", errno.ENOSPC)
    with pytest.raises(StorageError) as caught:
        spool.commit()
    assert caught.value.commit.accepted == []
    assert spool.commit().accepted == [Accepted(1, 1, 0, 0), Accepted(2, 1, 0, 0)]
    spool.append(Stored(1, 1, 0, 1, b"reading"))
    for seq in range(1, 1 + LIMITS.buffer_bytes // 2 // 3000 + 1):
        spool.append(Stored(2, 1, 0, seq, bytes(3000)))
    files.fault = Fault(files.calls + 1, "error", errno.EIO)
    with pytest.raises(StorageError) as caught:
        spool.commit()
    assert [accepted.cls for accepted in caught.value.commit.accepted] == [2], "there is no room to wait"


def test_that_nothing_of_an_epoch_was_ever_there_is_known_later_too() -> None:
    files = FaultyFiles()
    put(opened(files), 2, range(1))
    opened(files)
    third = opened(files)
    assert third.tails() == {(1, 0): 0, (1, 1): 0, (1, 2): 1, (2, 0): 0, (2, 1): 0, (2, 2): 0}


def test_a_disk_that_fails_for_a_while_is_no_reason_to_give_up_what_it_holds() -> None:
    files = FaultyFiles()
    spool = opened(files)
    put(spool, 2, range(4))
    files.fault = Fault(files.calls + 1, "error", errno.EIO, forever=True)
    for seq in range(4, 8):
        spool.append(Stored(2, 1, 0, seq, bytes(100)))
        with pytest.raises(StorageError):
            spool.commit()
    files.fault = None
    assert spool.commit() == Commit([Accepted(2, 1, 4, 7)])
    assert spool.undeclared() == []
    assert [s.seq for s in opened(files.after_cut(0.0)).read(2, 1, 0, 9)] == list(range(8))


def test_a_dead_disk_drops_the_oldest_waves_and_says_so() -> None:
    files = FaultyFiles()
    spool = opened(files)
    put(spool, 1, range(1))
    files.fault = Fault(files.calls + 1, "error", errno.EROFS, forever=True)
    for seq in range(10):
        spool.append(Stored(2, 1, 0, seq, bytes(3000)))
        spool.append(Stored(1, 1, 0, seq + 1, bytes(100)))
    with pytest.raises(StorageError) as caught:
        spool.commit()
    assert caught.value.commit.dropped == [Lost(2, 1, 0, 3, Cause.DROPPED)]
    assert spool.stat().buffered_bytes <= LIMITS.buffer_bytes
    files.fault = None
    done = spool.commit()
    assert done.accepted == [Accepted(1, 1, 1, 10), Accepted(2, 1, 4, 9)]
    assert done.dropped == []
    assert spool.undeclared() == [Lost(2, 1, 0, 3, Cause.DROPPED)]
    assert opened(files.after_cut(0.0)).stat().classes[2].frames == 6


def test_a_bad_place_costs_the_frames_in_it_and_is_told_once() -> None:
    files = FaultyFiles()
    spool = opened(files)
    put(spool, 2, range(4))
    files.bad_places.add((FOLDER / "2-00000.seg", 2))
    assert [s.seq for s in spool.backlog(1 << 20, never)] == [0, 2, 3]
    assert [(d.epoch, d.first, d.last) for d in spool.damage] == [(1, 1, 1)]
    assert [s.seq for s in spool.backlog(1 << 20, never)] == [0, 2, 3]
    assert len(spool.damage) == 1
    assert spool.undeclared() == [Lost(2, 1, 1, 1, Cause.DAMAGED)]
    spool.save_acks()
    again = opened(files.after_kill())
    assert again.undeclared() == [Lost(2, 1, 1, 1, Cause.DAMAGED)]


def test_a_file_that_cannot_be_read_today_is_left_alone() -> None:
    files = FaultyFiles()
    spool = opened(files)
    put(spool, 2, range(8))
    spool.close()
    path = FOLDER / "2-00001.seg"
    before = files.contents()[path]
    files.bad_places = {(path, block) for block in range(8)}
    second = opened(files)
    put(second, 2, range(8))
    assert any(d.place == path.name for d in second.damage)
    assert second.stat().classes[2].unread_files == 1
    assert second.lacked(2, 1, [(0, 7)])[1] == 0, "nobody knows whether it is gone"
    assert second.undeclared() == []
    assert not second.readable_again()
    files.bad_places.clear()
    assert second.readable_again()
    second.close()
    assert files.contents()[path] == before
    third = opened(files)
    assert [s.seq for s in third.read(2, 1, 0, 99)] == list(range(8))
    assert [s.seq for s in third.read(2, 2, 0, 99)] == list(range(8))
    assert third.check() == []


def test_a_damaged_frame_is_copied_aside_and_bounded() -> None:
    files = FaultyFiles()
    put(opened(files), 2, range(3))
    path = FOLDER / "2-00000.seg"
    data = bytearray(files.contents()[path])
    data[4096 + 1000] ^= 1
    files.put(path, bytes(data))
    spool = opened(files)
    assert [(d.first, d.last, d.torn) for d in spool.damage] == [(0, 0, False)]
    (copy,) = [p for p in files.names_now if p.parent.name == "quarantine"]
    assert files.contents()[copy] == bytes(data[4096 : 4096 + 3044])
    assert spool.stat().quarantined_bytes == 3044
    assert opened(files).damage == (), "it is known"


def test_refusals_have_a_hint() -> None:
    with pytest.raises(SpoolError) as small:
        Spool.open(FOLDER, {0: 1000}, FaultyFiles(), b"12345678", LIMITS)
    assert "65536" in small.value.hint
    for code, word in ((errno.ENOSPC, "free"), (errno.EROFS, "read-only"), (errno.EWOULDBLOCK, "another wardlink")):
        with pytest.raises(SpoolError) as caught:
            opened(FaultyFiles(Fault(2, "error", code)))
        assert word in caught.value.hint


def test_a_folder_of_another_format_is_refused_and_not_touched() -> None:
    files = FaultyFiles()
    put(opened(files), 2, range(3))
    before = files.contents()
    with pytest.raises(SpoolError, match="another format"):
        Spool.open(FOLDER, {0: 1 << 20}, files, b"12345678", Limits(segment_bytes=64 * 1024))
    assert {path: data for path, data in files.contents().items() if path in before} == before


def test_check_sees_what_is_wrong() -> None:
    files = FaultyFiles()
    spool = opened(files)
    put(spool, 2, range(8))
    spool.close()
    assert check_folder(FOLDER, files, LIMITS) == []
    path = FOLDER / "2-00000.seg"
    data = bytearray(files.contents()[path])
    data[4096 + 1000] ^= 1
    files.put(path, bytes(data))
    assert check_folder(FOLDER, files, LIMITS) == ["class 2: 1/0..0 damaged at 2-00000.seg.1"]
    files.put(path, bytes(data)[:-1])
    assert f"{path.name}: the file ends at byte 32767" in check_folder(FOLDER, files, LIMITS)
    files.put(FOLDER / "epoch", b"x" * 8192)
    assert "epoch: neither copy can be read" in check_folder(FOLDER, files, LIMITS)


def test_what_a_killed_process_left_in_the_cache_is_synced_before_it_is_told() -> None:
    files = FaultyFiles()
    spool = opened(files)
    put(spool, 1, range(1))
    spool.append(Stored(1, 1, 0, 1, b"written, not synced"))
    files.fault = Fault(files.calls + 2, "cut")
    with pytest.raises(PowerCutError):
        spool.commit()
    killed = files.after_kill()
    assert opened(killed).tails() == {(1, 0): 0, (1, 1): 2, (1, 2): 0}
    assert [s.seq for s in opened(killed.after_cut(0.0)).read(1, 1, 0, 9)] == [0, 1]


def test_appending_what_cannot_be_stored_is_our_own_fault() -> None:
    spool = opened(FaultyFiles())
    spool.append(Stored(1, 1, 0, 3, b""))
    for wrong in (
        Stored(1, 1, 0, 3, b""),
        Stored(1, 2, 0, 4, b""),
        Stored(7, 1, 0, 0, b""),
        Stored(2, 1, 70_000, 0, b""),
        Stored(2, 1, 0, 0, bytes(spool.body_limit_bytes + 1)),
    ):
        with pytest.raises(AssertionError):
            spool.append(wrong)


def test_the_epoch_never_goes_back_even_if_its_file_is_lost() -> None:
    files = FaultyFiles()
    for _ in range(3):
        spool = opened(files)
    put(spool, 1, range(1))
    del files.names_now[FOLDER / "epoch"]
    del files.names_now[FOLDER / "acks"]
    assert opened(files).epoch == 4
