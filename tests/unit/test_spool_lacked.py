"""What the centre says it lacks: backlog again where it is here, owed a statement where it is not."""

from __future__ import annotations

from agent.spool import Cause, Lost
from tests.crash.faulty import FaultyFiles
from tests.unit.test_spool_store import names, never, opened, put


def test_what_was_held_is_backlog_again_and_in_its_place() -> None:
    spool = opened(FaultyFiles())
    for hour in (0, 1, 2):
        put(spool, 2, range(hour * 2, hour * 2 + 2), hour, size=100)
    whole = names(spool.backlog(1 << 20, never))
    spool.held(2, 1, [(0, 5)])
    assert spool.lacked(2, 1, [(2, 3), (0, 0)]) == (3, 0)
    assert names(spool.backlog(1 << 20, never)) == [(2, 1, 2), (2, 1, 3), (2, 0, 0)]
    assert spool.lacked(2, 1, [(0, 5)]) == (6, 0)
    assert names(spool.backlog(1 << 20, never)) == whole
    assert spool.undeclared() == []
    assert spool.check() == []


def test_what_is_not_there_is_owed_a_statement_also_over_a_power_cut_and_each_time_it_is_asked_for() -> None:
    files = FaultyFiles()
    spool = opened(files)
    put(spool, 2, range(6))
    spool.held(2, 1, [(0, 5)])
    put(spool, 2, range(6, 19))
    assert spool.undeclared() == [], "what was held is no loss"
    assert spool.lacked(2, 1, [(0, 7)]) == (2, 6)
    gone = [Lost(2, 1, 0, 5, Cause.ABSENT)]
    assert spool.undeclared() == gone
    spool.save_acks()
    after = opened(files.after_cut(0.0))
    assert after.undeclared() == gone
    after.declared(gone)
    assert after.undeclared() == []
    assert after.lacked(2, 1, [(5, 5)]) == (0, 1)
    assert after.undeclared() == [Lost(2, 1, 5, 5, Cause.ABSENT)]


def test_a_loss_that_is_owed_keeps_its_own_cause() -> None:
    spool = opened(FaultyFiles())
    evicted = put(spool, 2, range(19))
    assert spool.lacked(2, 1, [(0, 5)]) == (0, 6)
    assert spool.undeclared() == evicted == [Lost(2, 1, 0, 5, Cause.EVICTED)]


def test_numbers_that_were_never_committed_are_neither_here_nor_lost() -> None:
    files = FaultyFiles()
    spool = opened(files)
    put(spool, 1, range(3))
    assert spool.lacked(1, 1, [(3, 9), (1 << 31, (1 << 32) - 1)]) == (0, 0)
    assert spool.lacked(1, 2, [(0, 9)]) == (0, 0), "an epoch that has not begun"
    assert spool.lacked(7, 1, [(0, 9)]) == (0, 0), "a class that is none"
    assert spool.undeclared() == []
    after = opened(files.after_cut(0.0))
    assert after.lacked(1, 1, [(2, 4)]) == (1, 2), "of an earlier epoch nothing more can come"
    assert after.undeclared() == [Lost(1, 1, 3, 4, Cause.ABSENT)]


def test_what_is_asked_for_and_cannot_be_read_is_declared_damaged() -> None:
    files = FaultyFiles()
    spool = opened(files)
    put(spool, 1, range(3), size=3000)
    spool.held(1, 1, [(0, 2)])
    path = next(path for path in files.names_now if path.name == "1-00000.seg")
    files.names_now[path].cache[4096 * 2 + 100] ^= 0xFF
    assert spool.lacked(1, 1, [(0, 2)]) == (3, 0)
    assert [stored.seq for stored in spool.backlog(1 << 20, never)] == [0, 2]
    assert spool.undeclared() == [Lost(1, 1, 1, 1, Cause.DAMAGED)]


def test_a_centre_that_claims_all_frees_nothing_before_space_is_needed() -> None:
    """REQUIREMENTS attack 10: what is held stays and can be read until the quota is full."""
    spool = opened(FaultyFiles())
    for seq in range(18):  # the quota of class 2: three segments of six
        put(spool, 2, range(seq, seq + 1))
        spool.held(2, 1, [(0, (1 << 32) - 1)])
        assert [stored.seq for stored in spool.read(2, 1, 0, 99)] == list(range(seq + 1))
    assert spool.lacked(2, 1, [(0, 17)]) == (18, 0), "all of it can be had again"
    assert len(spool.backlog(1 << 20, never)) == 18


def test_an_ask_for_billions_costs_no_memory() -> None:
    files = FaultyFiles()
    opened(files)
    spool = opened(files.after_cut(0.0))
    assert spool.lacked(1, 1, [(0, (1 << 32) - 1)]) == (0, 1 << 32)
    spool.save_acks()
    assert spool.undeclared() == [Lost(1, 1, 0, (1 << 32) - 1, Cause.ABSENT)]
