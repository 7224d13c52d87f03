"""Every call of a workload fails, in every way; every file is cut and flipped. What was accepted is there, or told."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from random import Random

import pytest

from agent.spool import Accepted, Damage, Limits, Lost, Spool, SpoolError, StorageError, Stored, read_folder
from tests.crash.faulty import Fault, FaultyFiles, PowerCutError

FOLDER = Path("/spool")
LIMITS = Limits(segment_bytes=32 * 1024, buffer_bytes=64 * 1024, body_bytes=8 * 1024)
QUOTAS = {0: 64 * 1024, 1: 64 * 1024, 2: 96 * 1024}
SIZES_BYTES = {0: 200, 1: 700, 2: 3500}
Name = tuple[int, int, int]  # (class, epoch, seq)


@cache
def body(cls: int, epoch: int, seq: int) -> bytes:
    size = SIZES_BYTES[cls] + seq * 37 % 301
    return Random(f"{cls}/{epoch}/{seq}").randbytes(size)


class Witness:
    """What the spool said, kept outside of it."""

    def __init__(self) -> None:
        self.accepted: set[Name] = set()
        self.gone: set[Name] = set()  # evicted, or held by the centre
        self.next: dict[tuple[int, int], int] = {}
        self.epochs: list[int] = []

    def note(self, accepted: Iterable[Accepted], evicted: Iterable[Lost]) -> None:
        for cls, epoch, first, last in accepted:
            self.accepted.update((cls, epoch, seq) for seq in range(first, last + 1))
        for lost in evicted:
            self.gone.update((lost.cls, lost.epoch, seq) for seq in range(lost.first, lost.last + 1))

    def append(self, spool: Spool, cls: int) -> None:
        seq = self.next.get((cls, spool.epoch), 0)
        self.next[cls, spool.epoch] = seq + 1
        spool.append(Stored(cls, spool.epoch, seq // 8, seq, body(cls, spool.epoch, seq)))

    def commit(self, spool: Spool) -> None:
        try:
            done = spool.commit()
        except StorageError as error:
            done = error.commit
        self.note(done.accepted, done.evicted)

    def hold(self, spool: Spool, cls: int, last: int) -> None:
        spool.held(cls, spool.epoch, [(0, last)])
        self.gone.update((cls, spool.epoch, seq) for seq in range(last + 1))


def open_spool(files: FaultyFiles, witness: Witness | None = None) -> Spool:
    spool = Spool.open(FOLDER, QUOTAS, files, b"12345678", LIMITS)
    if witness is not None:
        assert not witness.epochs or spool.epoch > witness.epochs[-1]
        witness.epochs.append(spool.epoch)
    return spool


def workload(files: FaultyFiles, witness: Witness, rounds: int = 9) -> None:
    """Rolls, recycles held and unheld segments, saves acknowledgements; twice, with a restart between."""
    for _ in range(2):
        try:
            spool = open_spool(files, witness)
        except SpoolError:
            continue
        for i in range(rounds):
            for cls in (0, 1, 2, 2) if i % 4 == 0 else (1, 2, 2):
                witness.append(spool, cls)
            witness.commit(spool)
            if spool.wants_spare:
                spool.make_spare()
            if i == 4:
                witness.hold(spool, 2, 5)
            if i % 5 == 4:
                try:
                    spool.save_acks()
                except StorageError:
                    continue


def readable(files: FaultyFiles) -> dict[Name, bytes]:
    return {(s.cls, s.epoch, s.seq): s.data for s in read_folder(FOLDER, files, LIMITS)}


def told(damage: Iterable[Damage], name: Name) -> bool:
    cls, epoch, seq = name
    return any(
        d.cls == cls
        and (d.epoch is None or (d.epoch == epoch and d.first is not None and d.last is not None))
        and (d.epoch is None or d.first <= seq <= d.last)
        for d in damage
    )


def verify(files: FaultyFiles, witness: Witness) -> set[Name]:
    """Reopen without faults: nothing torn, nothing missing that is not told, all invariants hold, and it works on.

    Returns what was accepted and is told to be damaged.
    """
    spool = open_spool(files, witness)
    assert spool.check() == []
    there: dict[Name, bytes] = {}
    spool.export(lambda s: there.__setitem__((s.cls, s.epoch, s.seq), s.data))
    for name, data in there.items():
        assert data == body(*name), f"{name} is not what was appended"
    assert there == readable(files)
    witness.note([], [lost for lost in spool.undeclared() if lost.cause == "evicted"])
    missing = witness.accepted - witness.gone - there.keys()
    silent = [name for name in missing if not told(spool.damage, name)]
    assert not silent, f"accepted, not there, not told: {sorted(silent)}"
    backlog = {(s.cls, s.epoch, s.seq) for s in spool.backlog(1 << 30, lambda *_: False)}
    assert backlog <= there.keys()
    witness.append(spool, 1)
    done = spool.commit()
    assert (1, spool.epoch, 0, 0) in done.accepted
    return missing


def calls_of_workload() -> tuple[int, list[str]]:
    files = FaultyFiles()
    workload(files, Witness())
    return files.calls, files.log


CALLS, LOG = calls_of_workload()


def test_the_workload_reaches_what_it_must() -> None:
    files, witness = FaultyFiles(), Witness()
    workload(files, witness)
    assert {"pwrite", "fdatasync", "rename", "sync_folder", "pread", "open", "look", "names"} <= set(files.log)
    assert any(name in witness.gone for name in witness.accepted - readable(files).keys())
    verify(files.after_kill(), witness)


@pytest.mark.parametrize("kind", ["EIO", "ENOSPC", "EROFS", "short"])
def test_every_call_fails_once(kind: str) -> None:
    code = getattr(errno, kind, 0)
    for at in range(1, CALLS + 1):
        files = FaultyFiles(Fault(at, "short" if kind == "short" else "error", code))
        witness = Witness()
        workload(files, witness)
        if at % 2:
            verify(files.after_kill(), witness)
        else:
            verify(files.after_cut(0.0), witness)


@pytest.mark.parametrize("kind", ["EIO", "ENOSPC", "EROFS"])
def test_everything_fails_from_a_call_on(kind: str) -> None:
    for at in range(1, CALLS + 1, 3):
        files = FaultyFiles(Fault(at, "error", getattr(errno, kind), forever=True))
        witness = Witness()
        workload(files, witness)
        verify(files.after_cut(0.5, seed=at), witness)


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_the_power_fails_at_every_call(chance: float) -> None:
    for at in range(1, CALLS + 1):
        files, witness = FaultyFiles(Fault(at, "cut")), Witness()
        with pytest.raises(PowerCutError):
            workload(files, witness)
        missing = verify(files.after_cut(chance, seed=at), witness)
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


def full_folder() -> tuple[dict[Path, bytes], Witness]:
    files, witness = FaultyFiles(), Witness()
    workload(files, witness)
    return files.contents(), witness


def reopened(contents: dict[Path, bytes], path: Path, data: bytes) -> tuple[Spool, FaultyFiles]:
    files = FaultyFiles()
    for name, content in contents.items():
        files.put(name, data if name == path else content)
    return Spool.open(FOLDER, QUOTAS, files, b"12345678", LIMITS), files


def lost_in(spool: Spool, witness: Witness) -> set[Name]:
    """What cannot be read any more; every byte that can is right."""
    there: dict[Name, bytes] = {}
    spool.export(lambda s: there.__setitem__((s.cls, s.epoch, s.seq), s.data))
    assert all(data == body(*name) for name, data in there.items())
    return witness.accepted - witness.gone - there.keys()


def test_every_file_is_cut_at_every_97th_byte() -> None:
    contents, witness = full_folder()
    start = time.perf_counter()
    opened = 0
    for path, content in contents.items():
        step = 97 if path.suffix == ".seg" else 997
        for size in range(0, len(content), step):
            spool, _ = reopened(contents, path, content[:size])
            opened += 1
            lost = lost_in(spool, witness)
            assert all(told(spool.damage, name) for name in lost), (path, size)
            assert spool.epoch == 3, "two starts were before"
            if size % (step * 16) == 0:
                assert spool.check() == []
    assert (time.perf_counter() - start) / opened < 0.1


def test_two_thousand_bytes_are_flipped() -> None:
    contents, witness = full_folder()
    random = Random(3)
    used = [path for path, content in contents.items() if any(content)]
    for _ in range(2000):
        path = random.choice(used)
        data = bytearray(contents[path])
        at = random.randrange(len(data))
        data[at] ^= 1 << random.randrange(8)
        spool, _ = reopened(contents, path, bytes(data))
        lost = lost_in(spool, witness)
        assert len(lost) <= 1, "a flip costs one frame"
        named = [damage for damage in spool.damage if damage.epoch is not None]
        assert all(told(named, name) for name in lost), (path, at)
        assert spool.epoch == 3


def test_garbage_everywhere_still_opens() -> None:
    contents, _ = full_folder()
    random = Random(5)
    for path, content in contents.items():
        spool, _ = reopened(contents, path, random.randbytes(len(content)))
        assert spool.check() == []
    files = FaultyFiles()
    for path, content in contents.items():
        files.put(path, random.randbytes(len(content)))
    spool = Spool.open(FOLDER, QUOTAS, files, b"12345678", LIMITS)
    assert spool.epoch == 1
    assert spool.damage
    assert spool.check() == []
