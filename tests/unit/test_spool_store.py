"""One spool on the twin: what commits promise, what gives way, in which order it drains."""

from __future__ import annotations

from pathlib import Path

from agent.spool import Accepted, Cause, Limits, Lost, Spool, Stored
from tests.crash.faulty import FaultyFiles

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


def test_one_write_and_one_sync_per_class_of_whole_sectors() -> None:
    files = FaultyFiles()
    spool = opened(files)
    put(spool, 1, range(1))
    before, written = len(files.log), files.written_bytes
    for seq in (1, 2, 3):
        spool.append(Stored(1, 1, 0, seq, b"y" * 700))
    spool.commit()
    assert files.log[before:] == ["pwrite", "fdatasync"]
    assert files.written_bytes - written == 5 * 512  # 3 x (44 + 700) bytes


def test_a_drain_reads_a_stretch_once_and_keeps_nothing_at_its_end() -> None:
    files = FaultyFiles()
    spool = opened(files)
    put(spool, 1, range(6))  # one segment, one stretch
    before = files.log.count("pread")
    given: list[int] = []
    while portion := spool.backlog(6000, never):
        given += [stored.seq for stored in portion]
        spool.held(1, 1, [(portion[0].seq, portion[-1].seq)])
        assert files.log.count("pread") == before + 1
    assert given == list(range(6))
    spool.read(1, 1, 0, 0)
    assert files.log.count("pread") == before + 2  # what it kept is gone


def test_nothing_is_in_the_backlog_before_it_is_durable() -> None:
    spool = opened(FaultyFiles())
    spool.append(Stored(1, 1, 0, 0, b"x"))
    assert spool.backlog(1000, never) == []
    assert spool.read(1, 1, 0, 9) == []


def test_the_backlog_has_keys_first_and_of_each_class_the_newest_hour_first() -> None:
    spool = opened(FaultyFiles())
    for hour in (0, 1, 2):
        for cls in (2, 1, 0):
            put(spool, cls, range(hour * 2, hour * 2 + 2), hour, size=100)
    order = names(spool.backlog(1 << 20, never))
    assert order == [
        *((cls, h, 2 * h + i) for cls in (0, 1, 2) for h in (2, 1, 0) for i in (0, 1)),
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
    assert after.tails() == {(1, 0): 0, (1, 1): 6, (1, 2): 0}
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
