"""Tortures that need a file system of their own: a full one, and one whose power fails. Linux, root."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from bench.torture.peers import ROOT, Peer
from bench.torture.tortures import AFTER, Cell, Round, came_back, round_of
from tests.crash.images import WAYS, Cut, Disk
from tests.crash.logdisk import MARK, Entry, read_log
from tests.crash.machine import make_ext4, mount, mounted, repair, unmount

SMALL_DISK = "size=48m"
LEFT_BYTES = 64 * 1024
IMAGE_BYTES = 96 << 20
POWERED_S, POWERED_RATE = 40, 25  # longer than the kernel keeps what nobody asks it to write
CUTS = 8


def full(kind: type[Peer], folder: Path, rng: Random) -> Cell:
    """The disk has 64 KiB left while records come, without a broker; then there is room again."""
    with round_of(kind, folder) as it:
        mount("tmpfs", it.peer.state, "tmpfs", options=SMALL_DISK)
        try:
            it.start()
            it.feed(100)
            it.settle()
            ballast = it.peer.state / "ballast"
            _fill(ballast)
            it.feed(800)
            it.settle()
            ballast.unlink()
            time.sleep(1.0)
            it.feed(AFTER)
            it.began()
            it.peer.centre.open()
            it.after()
            it.drain()
            return it.count()
        finally:
            it.stop(signal.SIGKILL)
            unmount(it.peer.state)


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        status = os.statvfs(ballast)
        left = status.f_bavail * status.f_frsize - LEFT_BYTES
        for _ in range(left // 4096):
            file.write(bytes(4096))


def power(kind: type[Peer], folder: Path, rng: Random) -> Cell:
    """The power fails while it takes records; what was not synced is lost, in part or whole, torn or not."""
    total = Cell(note=f"{CUTS} cuts")
    with round_of(kind, folder) as whole:
        fresh = folder / "fresh"
        make_ext4(fresh, IMAGE_BYTES)
        accepted = record(whole, fresh, folder)
        entries = read_log(folder / "log")
        disk = Disk(fresh.read_bytes(), entries)
        for cut in sorted(chosen(entries, rng), key=lambda cut: cut.after):
            said = {int(bytes(entry.data)) for entry in entries[: cut.after] if entry.kind == MARK}
            it = whole.again()
            it.drivers.clear()
            it.accepted = {number: accepted[number] for number in said}
            total.add(_after(it, folder / "crash", disk, cut))
    return total


def chosen(entries: Sequence[Entry], rng: Random) -> list[Cut]:
    """Cuts while it takes records: each soon after one of the marks, all marks being as likely."""
    marks = [at for at, entry in enumerate(entries) if entry.kind == MARK]
    out = []
    for number in range(CUTS):
        at = rng.randrange(len(marks) - 1)
        out.append(Cut(rng.randint(marks[at] + 1, marks[at + 1]), rng.choice(WAYS), f"{rng.random()}/{number}"))
    return out


def record(it: Round, fresh: Path, folder: Path) -> dict[int, str]:
    """Let it live on a disk that logs; what it accepted is marked in the log."""
    (folder / "disk").write_bytes(fresh.read_bytes())
    logged = folder / "logged"
    logged.mkdir()
    words = [sys.executable, "-m", "tests.crash.logdisk", str(folder), str(logged)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT) as disk:
        assert disk.stdout is not None
        assert disk.stdout.read(1), "the logging disk does not start"
        try:
            with mounted(logged / "disk", it.peer.state), _marks(logged / "mark") as mark:
                it.start()
                assert it.peer.driver is not None
                it.peer.driver.on_accepted = mark
                it.feed(POWERED_S * POWERED_RATE, rate=POWERED_RATE)
                accepted = it.peer.driver.accepted
                it.stop(signal.SIGKILL)
        finally:
            unmount(logged)
    return accepted


@contextmanager
def _marks(path: Path) -> Iterator[object]:
    fd = os.open(path, os.O_WRONLY)
    try:
        yield lambda number: os.pwrite(fd, str(number).encode(), 0)
    finally:
        os.close(fd)


def _after(it: Round, image: Path, disk: Disk, cut: Cut) -> Cell:
    """The machine starts again on what the cut left."""
    image.unlink(missing_ok=True)
    image.write_bytes(disk.after(cut))
    try:
        with mounted(image, it.peer.state):
            return came_back(it)
    except OSError:
        assert repair(image), "ext4 can be neither mounted nor repaired"
        with mounted(image, it.peer.state):
            return came_back(it)
