"""The same spool on a real folder, with segments of the real size."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path

import pytest

from agent.spool import Disk, Spool, SpoolError, Stored, check_folder, read_folder

QUOTAS = {0: 8 << 20, 1: 8 << 20, 2: 12 << 20}


class QuickDisk(Disk):
    """Without the syncs, where durability is not the question."""

    def fdatasync(self, fd: int) -> None:
        return


def test_a_round_on_a_real_disk(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = Spool.open(folder, QUOTAS)
    bodies = {seq: os.urandom(500 + seq) for seq in range(50)}
    for seq, data in bodies.items():
        spool.append(Stored(1, spool.epoch, 0, seq, data))
    spool.commit()
    with pytest.raises(SpoolError) as second:
        Spool.open(folder, QUOTAS)
    assert "another wardlink" in second.value.hint
    spool.held(1, 1, [(0, 9)])
    assert spool.check() == []
    spool.close()
    assert check_folder(folder) == []
    assert {s.seq: s.data for s in read_folder(folder)} == bodies
    again = Spool.open(folder, QUOTAS)
    assert again.epoch == 2
    assert again.nonce != spool.nonce
    assert {s.seq for s in again.backlog(1 << 20, lambda *_: False)} == set(range(10, 50))
    again.close()
    assert sum(f.stat().st_size for f in folder.glob("*.seg")) == 3 * (4 << 20)


def test_a_path_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError) as caught:
        Spool.open(tmp_path / "file", QUOTAS)
    assert "folder" in caught.value.hint


def test_a_commit_is_cheap_and_a_drain_reads_each_stretch_once(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, QUOTAS, QuickDisk())
    body = os.urandom(4000)
    start = time.process_time()
    for seq in range(500):
        spool.append(Stored(2, spool.epoch, 0, seq, body))
        spool.commit()
    assert (time.process_time() - start) / 500 < 0.002, "target 0.3 ms; the bound is for a busy machine"
    drained: list[int] = []
    while frames := spool.backlog(12_000, lambda *_: False):
        drained += [s.seq for s in frames]
        spool.held(2, spool.epoch, [(frames[0].seq, frames[-1].seq)])
    assert drained == list(range(500))
    spool.close()


def takes_direct_writes(path: Path) -> bool:
    path.touch()
    try:
        os.close(os.open(path, os.O_RDWR | os.O_DIRECT))
    except OSError as error:
        return error.errno != errno.EINVAL
    return True


def test_commits_go_past_the_page_cache_where_the_disk_can(tmp_path: Path) -> None:
    if not takes_direct_writes(tmp_path / "probe"):
        pytest.skip("this file system has no direct writes")
    disk = Disk()
    fd = disk.open(tmp_path / "file")
    assert disk.pwrite(fd, b"a" * 4096 + b"b" * 512, 0) == 4608
    assert fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT
    assert disk.pread(fd, 100, 4090) == b"a" * 6 + b"b" * 94
    disk.close(fd)


def test_what_a_disk_does_not_take_past_the_cache_goes_through_it(tmp_path: Path) -> None:
    disk = Disk()
    fd = disk.open(tmp_path / "file")
    disk.pwrite(fd, b"a" * 512, 0)
    assert disk.pwrite(fd, b"odd", 511) == 3
    assert not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT
    assert disk.written_bytes == 515
    disk.close(fd)
    assert (tmp_path / "file").read_bytes() == b"a" * 511 + b"odd"


def test_a_write_is_never_longer_than_what_it_was_given(tmp_path: Path) -> None:
    disk, long = Disk(), os.urandom(3 << 16)
    fd = disk.open(tmp_path / "file")
    done = 0
    while done < len(long):
        done += disk.pwrite(fd, long[done:], done)
    disk.pwrite(fd, b"z" * 512, 1024)
    disk.close(fd)
    assert (tmp_path / "file").read_bytes() == long[:1024] + b"z" * 512 + long[1536:]
