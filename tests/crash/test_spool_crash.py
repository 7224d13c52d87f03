"""Every call of a workload fails, in every way; every file is cut and flipped. What was accepted is there, or told.

Samples of the campaigns that `python -m tests.crash.campaign` runs whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest

from agent.spool import Spool
from tests.crash import cuts, faults, flips
from tests.crash.faulty import Fault, FaultyFiles, PowerCutError
from tests.crash.outcome import Outcome
from tests.crash.twin import FOLDER, LIMITS, QUOTAS, calls_of_workload, full_folder, reopened, verify, workload
from tests.crash.witness import Witness

CALLS, _ = calls_of_workload()


def over(points: Iterable[int], attempt) -> Outcome:
    out = Outcome()
    for point in points:
        out.add(attempt(1, range(point, point + 1)))
    assert out.failures == []
    return out


def test_the_workload_reaches_what_it_must() -> None:
    files, witness = FaultyFiles(), Witness()
    workload(files, witness)
    assert {"pwrite", "fdatasync", "rename", "sync_folder", "pread", "open", "look", "names"} <= set(files.log)
    verify(files.after_kill(), witness)
    assert witness.evicted
    assert witness.held & witness.accepted


def test_calls_fail() -> None:
    """Of the cases every 13th: each call, each fault and each aftermath is among them."""
    out = over(range(0, len(faults.cases()), 13), faults.attempt)
    assert out.counts["power_cuts"] > 50
    assert out.lost == 0


def test_the_power_fails_at_every_call() -> None:
    for at in range(1, CALLS + 1):
        files, witness = FaultyFiles(Fault(at, "cut")), Witness()
        with pytest.raises(PowerCutError):
            workload(files, witness)
        missing = verify(files.after_cut(at % 3 / 2, seed=at), witness)
        assert not missing, "a power cut damages nothing that was accepted"


def test_power_fails_again_and_again() -> None:
    """Forty lives of one disk, each cut at a random call: an epoch is never given twice."""
    random = Random(7)
    disk, witness = FaultyFiles(), Witness()
    for life in range(40):
        disk.fault = Fault(random.randrange(1, CALLS // 2), "cut")
        with pytest.raises(PowerCutError):
            workload(disk, witness)
        disk = disk.after_cut(random.random(), seed=life)
        assert not verify(disk, witness)
        disk = disk.after_cut(random.random(), seed=life + 100)
    assert len(witness.epochs) > 50


def test_files_are_cut() -> None:
    """Of a segment at every 499th byte, of the other files at every 4999th."""
    some = [n for n, (path, size) in enumerate(cuts.ends()) if size % (499 if path.suffix == ".seg" else 4999) == 0]
    out = over(some, cuts.attempt)
    assert out.counts["of_it_named"] > 100
    assert out.slowest_open_s < 0.5


def test_files_are_cut_within_the_header_that_a_commit_begins_with() -> None:
    """What is left of it looks like the frame that should follow, though that may be of another epoch."""
    over([n for n, (_, size) in enumerate(cuts.ends()) if size % 4096 in range(20, 44, 4)], cuts.attempt)


def test_two_thousand_bytes_are_flipped() -> None:
    out = flips.attempt(3, range(2000))
    assert out.failures == []
    assert out.counts["of_it_named"] == out.counts["damaged_and_told"] > 500
    assert out.slowest_open_s < 0.5


def test_garbage_everywhere_still_opens() -> None:
    contents, _ = full_folder()
    random = Random(5)
    for path, content in contents.items():
        spool = reopened(contents, path, random.randbytes(len(content)))
        assert spool.check() == []
    files = FaultyFiles()
    for path, content in contents.items():
        files.put(path, random.randbytes(len(content)))
    spool = Spool.open(FOLDER, QUOTAS, files, b"12345678", LIMITS)
    assert spool.epoch == 1
    assert spool.damage
    assert spool.check() == []
