"""A small spool on the twin of the disk: one workload that reaches everything, and the judgement after it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from random import Random

from agent.spool import Limits, Spool, SpoolError, StorageError, Stored, read_folder
from tests.crash.faulty import FaultyFiles
from tests.crash.witness import Judgement, Name, Witness, goes_on, judge, name_of, names

FOLDER = Path("/spool")
LIMITS = Limits(segment_bytes=32 * 1024, buffer_bytes=64 * 1024, body_bytes=8 * 1024)
QUOTAS = {0: 64 * 1024, 1: 64 * 1024, 2: 96 * 1024}
SIZES_BYTES = {0: 200, 1: 700, 2: 3500}
STARTS = 2


@cache
def body(cls: int, epoch: int, seq: int) -> bytes:
    size = SIZES_BYTES[cls] + seq * 37 % 301
    return Random(f"{cls}/{epoch}/{seq}").randbytes(size)


def open_spool(files: FaultyFiles, witness: Witness | None = None) -> Spool:
    spool = Spool.open(FOLDER, QUOTAS, files, b"12345678", LIMITS)
    if witness is not None:
        witness.opened(spool.epoch)
    return spool


def workload(files: FaultyFiles, witness: Witness, rounds: int = 9) -> None:
    """Rolls, recycles held and unheld segments, saves acknowledgements; twice, with a restart between."""
    for _ in range(STARTS):
        try:
            spool = open_spool(files, witness)
        except SpoolError:
            continue
        following = {0: 0, 1: 0, 2: 0}
        for i in range(rounds):
            for cls in (0, 1, 2, 2) if i % 4 == 0 else (1, 2, 2):
                seq = following[cls]
                following[cls] += 1
                witness.made[cls, spool.epoch] = seq + 1
                spool.append(Stored(cls, spool.epoch, seq // 8, seq, body(cls, spool.epoch, seq)))
            _commit(spool, witness)
            if spool.wants_spare:
                spool.make_spare()
            if i == 4:
                spool.held(2, spool.epoch, [(0, 5)])
                witness.held |= names(2, spool.epoch, 0, 5)
            if i % 5 == 4:
                try:
                    spool.save_acks()
                except StorageError:
                    continue


def verify(files: FaultyFiles, witness: Witness) -> set[Name]:
    """Reopen without faults: nothing torn, nothing missing that is not told, all invariants hold, and it works on.

    Returns what was accepted and is told to be damaged.
    """
    spool = open_spool(files, witness)
    found = judge(spool, witness, body)
    assert not found.problems, found.problems
    assert found.there == {name_of(stored): stored.data for stored in read_folder(FOLDER, files, LIMITS)}
    witness.made[1, spool.epoch] = 1
    assert not goes_on(spool, body)
    return found.damaged


def full_folder() -> tuple[dict[Path, bytes], Witness]:
    files, witness = FaultyFiles(), Witness()
    workload(files, witness)
    return files.contents(), witness


def reopened(contents: dict[Path, bytes], path: Path, data: bytes) -> Spool:
    """The folder opened with one file of it changed."""
    files = FaultyFiles()
    for name, content in contents.items():
        files.put(name, data if name == path else content)
    return Spool.open(FOLDER, QUOTAS, files, b"12345678", LIMITS)


def judge_damage(spool: Spool, witness: Witness) -> Judgement:
    """After files were damaged: what is lost is named, and starts are still counted on."""
    found = judge(spool, witness, body)
    if spool.epoch != STARTS + 1:
        found.problems.append(f"epoch {spool.epoch} after {STARTS} starts")
    return found


def calls_of_workload() -> tuple[int, list[str]]:
    files = FaultyFiles()
    workload(files, Witness())
    return files.calls, files.log


def _commit(spool: Spool, witness: Witness) -> None:
    try:
        done = spool.commit()
    except StorageError as error:
        done = error.commit
    witness.note(done.accepted, done.evicted)
