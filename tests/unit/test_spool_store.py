"""One spool on the twin: what commits promise, what gives way, in which order it drains."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from agent.spool import Accepted, Cause, Limits, Lost, Spool, SpoolError, StorageError, Stored, check_folder
from tests.crash.faulty import Fault, FaultyFiles

FOLDER = Path("/spool")
LIMITS = Limits(segment_bytes=32 * 1024, buffer_bytes=20_000, body_bytes=8192)
QUOTAS = {0: 64 * 1024, 1: 64 * 1024, 2: 96 * 1024}


def opened(files: FaultyFiles) -> Spool:
    return Spool.open(FOLDER, QUOTAS, files, b"12345678", LIMITS)


def put(spool: Spool, cls: int, seqs: range, hour: int = 0, size: int = 3000) -> list[Lost]:
    """One commit for each; what was evicted."""
    evicted: list[Lost] = []
    for seq in seqs:
        spool.append(Stored(cls, spool.epoch, hour, seq, bytes([seq % 256]) * size))
        evicted += spool.commit().evicted
    return evicted


def names(frames: list[Stored]) -> list[tuple[int, int, int]]:
    return [(s.cls, s.hour, s.seq) for s in frames]


def never(cls: int, epoch: int, seq: int) -> bool:
    return False


def test_a_commit_reports_runs_and_an_empty_one_costs_nothing() -> None:
    files = FaultyFiles()
    spool = opened(files)
    for cls, seq in ((0, 0), (2, 0), (2, 1), (2, 5)):
        spool.append(Stored(cls, 1, 0, seq, b"x"))
    assert spool.commit().accepted == [Accepted(0, 1, 0, 0), Accepted(2, 1, 0, 1), Accepted(2, 1, 5, 5)]
    before = files.calls
    assert spool.commit().accepted == []
    assert files.calls == before


def test_one_write_and_one_sync_per_class_padded_to_4_kib() -> None:
    files = FaultyFiles()
    spool = opened(files)
    put(spool, 1, range(1))
    before, written = len(files.log), files.written_bytes
    for seq in (1, 2, 3):
        spool.append(Stored(1, 1, 0, seq, b"y" * 700))
    spool.commit()
    assert files.log[before:] == ["pwrite", "fdatasync"]
    assert files.written_bytes - written == 4096


def test_nothing_is_in_the_backlog_before_it_is_durable() -> None:
    spool = opened(FaultyFiles())
    spool.append(Stored(1, 1, 0, 0, b"x"))
    assert spool.backlog(1000, never) == []
    assert spool.read(1, 1, 0, 9) == []


def test_the_backlog_has_keys_oldest_first_and_then_the_newest_hour_first() -> None:
    spool = opened(FaultyFiles())
    for hour in (0, 1, 2):
        for cls in (2, 1, 0):
            put(spool, cls, range(hour * 2, hour * 2 + 2), hour, size=100)
    order = names(spool.backlog(1 << 20, never))
    assert order == [
        *((0, h, 2 * h + i) for h in (0, 1, 2) for i in (0, 1)),
        *((1, h, 2 * h + i) for h in (2, 1, 0) for i in (0, 1)),
        *((2, h, 2 * h + i) for h in (2, 1, 0) for i in (0, 1)),
    ]
    assert names(spool.backlog(250, never)) == order[:3], "the limit and one frame"
    assert names(spool.backlog(150, lambda cls, epoch, seq: cls == 0)) == order[6:8]


def test_held_frames_leave_the_backlog_and_can_still_be_read() -> None:
    spool = opened(FaultyFiles())
    put(spool, 1, range(5))
    assert spool.held(1, 1, [(0, 2), (2, 3)]) == 4
    assert spool.held(1, 1, [(1, 2)]) == 0
    assert spool.held(1, 9, [(0, 5)]) == 0
    assert spool.held(7, 1, [(0, 5)]) == 0
    assert names(spool.backlog(1 << 20, never)) == [(1, 0, 4)]
    assert [s.seq for s in spool.read(1, 1, 1, 3)] == [1, 2, 3]
    stat = spool.stat().classes[1]
    assert (stat.frames, stat.unheld_frames, stat.oldest_unheld) == (5, 1, (1, 0, 0))
    assert spool.check() == []


def test_a_receipt_for_what_is_not_committed_yet_counts_and_for_the_future_does_not() -> None:
    spool = opened(FaultyFiles())
    spool.append(Stored(1, 1, 0, 0, b"x"))
    spool.held(1, 1, [(0, 1_000_000)])
    spool.append(Stored(1, 1, 0, 1, b"x"))
    spool.commit()
    assert names(spool.backlog(1 << 20, never)) == [(1, 0, 1)]


def test_acknowledgements_survive_a_restart_once_saved() -> None:
    files = FaultyFiles()
    spool = opened(files)
    put(spool, 1, range(6))
    spool.held(1, 1, [(0, 2)])
    spool.save_acks()
    spool.held(1, 1, [(3, 4)])
    after = opened(files.after_cut(0.0))
    assert [s.seq for s in after.backlog(1 << 20, never)] == [3, 4, 5]
    assert after.tails() == {(1, 1): 6}
    assert after.epoch == 2


def test_held_segments_are_used_again_before_unheld_ones() -> None:
    spool = opened(FaultyFiles())
    assert put(spool, 2, range(18)) == []
    spool.held(2, 1, [(6, 11)])  # the second of three segments, whole
    assert put(spool, 2, range(18, 24)) == []
    assert {s.seq for s in spool.backlog(1 << 20, never)} == {*range(6), *range(12, 24)}
    assert put(spool, 2, range(24, 25)) == [Lost(2, 1, 0, 5, Cause.EVICTED)]
    assert spool.check() == []


def test_what_was_evicted_is_owed_until_it_is_declared_also_over_a_power_cut() -> None:
    files = FaultyFiles()
    spool = opened(files)
    spool.held(2, 1, [(0, 0)])
    evicted = put(spool, 2, range(19))
    assert evicted == spool.undeclared() == [Lost(2, 1, 0, 5, Cause.EVICTED)]
    after = opened(files.after_cut(0.0))
    assert after.undeclared() == evicted
    after.declared(evicted)
    after.save_acks()
    assert after.undeclared() == []


def test_a_receipt_that_comes_after_the_eviction_cancels_the_loss() -> None:
    spool = opened(FaultyFiles())
    put(spool, 2, range(19))
    spool.held(2, 1, [(0, 3)])
    assert spool.undeclared() == [Lost(2, 1, 4, 5, Cause.EVICTED)]


def test_a_spare_is_made_before_it_is_needed_and_never_beyond_the_quota() -> None:
    files = FaultyFiles()
    spool = opened(files)
    while spool.wants_spare:
        spool.make_spare()
    for seq in range(40):
        put(spool, 2, range(seq, seq + 1))
        while spool.wants_spare:
            spool.make_spare()
    stat = spool.stat().classes[2]
    assert stat.used_bytes == stat.quota_bytes
    assert not [path for path in files.names_now if path.suffix == ".new"]


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
    second.close()
    assert files.contents()[path] == before
    files.bad_places.clear()
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


def test_the_epoch_never_goes_back_even_if_its_file_is_lost() -> None:
    files = FaultyFiles()
    for _ in range(3):
        spool = opened(files)
    put(spool, 1, range(1))
    del files.names_now[FOLDER / "epoch"]
    del files.names_now[FOLDER / "acks"]
    assert opened(files).epoch == 4
