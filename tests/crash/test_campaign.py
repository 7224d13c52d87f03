"""The machinery of the campaigns: some thirty power cuts for real, results written down and gone on from."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from random import Random

import pytest

from tests.crash import evidence, machine
from tests.crash.campaign import parts_of
from tests.crash.images import Cut, Disk, cuts
from tests.crash.logdisk import FLUSH, MARK, WRITE, Entry

REASON = machine.why_not()
COMMAND = [sys.executable, "-m", "tests.crash.campaign"]


def campaign(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], cwd=evidence.ROOT, capture_output=True, text=True, check=False)


@pytest.mark.skipif(bool(REASON), reason=REASON)
def test_the_power_fails_thirty_times_on_a_real_file_system(tmp_path) -> None:
    out = tmp_path / "crash.jsonl"
    done = campaign("power", "--points", "30", "--seed", "2", "--jobs", "1", "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = evidence.lines(out)
    assert (line["points"], line["lost"], line["failed"]) == (30, 0, 0)
    assert line["counts"]["frames_accepted"] > 100
    assert "power: 30 points, accepted and lost 0" in done.stdout


def test_a_campaign_goes_on_where_it_stopped(tmp_path) -> None:
    out = tmp_path / "crash.jsonl"
    for wanted in ("150", "220"):
        assert campaign("faults", "--points", wanted, "--out", str(out)).returncode == 0
    assert [(line["first"], line["points"]) for line in evidence.lines(out)] == [(0, 150), (150, 70)]
    assert evidence.done(out, "faults", 1) == 220
    assert evidence.done(out, "faults", 2) == 0
    other = {**evidence.lines(out)[0], "code": "another"}
    out.write_text(json.dumps(other) + "\n")
    assert evidence.done(out, "faults", 1) == 0, "results of other code do not count"


def test_parts_end_where_the_next_begins() -> None:
    assert list(parts_of(30, 250, 100)) == [range(30, 100), range(100, 200), range(200, 250)]


LOG = [
    Entry(WRITE, 0, b"a" * 1024),
    Entry(FLUSH, 0, b""),
    Entry(MARK, 0, b"[]"),
    Entry(WRITE, 0, b"b" * 1024),
    Entry(WRITE, 2048, b"c" * 2048),
    Entry(FLUSH, 0, b""),
]


def after(cut: int, way: str, seed: str = "") -> bytes:
    return bytes(Disk(bytes(4096), LOG).after(Cut(cut, way, seed)))


def test_what_was_flushed_stays_and_what_was_not_may_go() -> None:
    first = b"a" * 1024 + bytes(3072)
    assert after(1, "none") == bytes(4096)
    assert after(2, "none") == after(2, "all") == after(5, "none") == first
    assert after(4, "all") == b"b" * 1024 + bytes(3072)
    assert after(6, "none") == b"b" * 1024 + bytes(1024) + b"c" * 2048


def test_some_writes_survive_torn_at_sectors() -> None:
    seen = Counter(after(5, "some", str(seed)) for seed in range(400))
    assert len(seen) > 20
    for image in seen:
        for at in range(0, 4096, 512):
            assert image[at : at + 512] in {bytes([byte]) * 512 for byte in b"\0abc"}
        assert b"\0" not in image[:1024], "what was flushed is there, or what was written over it"


def test_the_same_seed_cuts_at_the_same_points_and_half_of_them_before_a_flush() -> None:
    chosen = cuts(LOG, 40, "1/2")
    assert chosen == cuts(LOG, 40, "1/2")
    assert sum(LOG[cut.after].kind == FLUSH for cut in chosen if cut.after < len(LOG)) >= 20
    disk = Disk(Random(1).randbytes(4096), LOG)
    assert all(len(disk.after(cut)) == 4096 for cut in sorted(chosen))
