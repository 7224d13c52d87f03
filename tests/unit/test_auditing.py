"""The daemon's audit log: a flood of forgeries is one line, a disk that refuses loses nothing, all of it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import audit as files
from agent import policy
from agent.audit import Audit
from agent.auditing import REFUSALS_NS, WAITING_LIMIT_COUNT, Auditing
from agent.policy import POLICY_FILE
from agent.spool.files import Disk
from wire import audit
from wire.audit import Head
from wire.command import SetPolicy

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


class Bench:
    """`now` is virtual; the disk refuses while `is_full`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 0
        self.is_full = False
        self.heads: list[Head] = []
        log = Audit(Disk(), folder, KEY, 7, lambda: self.now, lambda: None)
        self.told = asyncio.Event()
        self.auditing = Auditing(log, self.on_thread, lambda: self.now, self.hear)

    def hear(self, head: Head) -> None:
        self.heads.append(head)
        self.told.set()

    async def on_thread(self, work: Callable[[], None]) -> None:
        if self.is_full:
            raise OSError(28, "no space left on device")
        work()

    def write(self, last: bool = False) -> None:
        asyncio.run(self.auditing.write(last))

    def said(self) -> list[tuple[str, dict[str, str]]]:
        lines = files.lines(files.kept(Disk(), self.folder))
        if lines:
            audit.verify(lines, KEY.public_key())
        return [(one.what, one.detail) for one in (audit.read(line)[0] for line in lines) if one.what != "part"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "audit")


def test_a_flood_of_forgeries_is_a_line_an_hour(bench: Bench) -> None:
    bench.auditing.refused("signature")
    bench.write()
    for _ in range(10_000):
        bench.auditing.refused("signature")
        bench.auditing.refused("size")
    for _ in range(100):
        bench.now += REFUSALS_NS // 101
        bench.write()
    assert bench.said() == [("refused", {"signature": "1"})]
    bench.now += REFUSALS_NS
    bench.write()
    assert bench.said()[1:] == [("refused", {"signature": "10000", "size": "10000"})]
    bench.auditing.refused("epoch")
    bench.write(last=True)
    assert bench.said()[2:] == [("refused", {"epoch": "1"})]


def test_a_disk_that_refuses_loses_nothing_that_is_not_said(bench: Bench) -> None:
    bench.is_full = True
    for number in range(WAITING_LIMIT_COUNT + 5):
        bench.auditing.say("centre", "command", number=str(number))
    bench.write()
    assert bench.auditing.problem == "the audit log cannot be written: no space left on device"
    assert bench.said() == []
    bench.is_full = False
    bench.write()
    bench.write()
    said = bench.said()
    assert [detail["number"] for _, detail in said[:-1]] == [str(n) for n in range(WAITING_LIMIT_COUNT)]
    assert said[-1] == ("dropped", {"entries": "5"})
    assert bench.auditing.problem == ""
    assert bench.heads[-1].count == len(said) + 1, "the centre is told of each"


def test_what_is_said_is_written_without_being_asked(bench: Bench) -> None:
    async def story() -> None:
        task = asyncio.create_task(bench.auditing.run())
        bench.auditing.say("gateway", "start")
        await asyncio.wait_for(bench.told.wait(), 10)
        task.cancel()

    asyncio.run(story())
    assert bench.said() == [("start", {})]


def test_a_policy_is_durable_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    file = tmp_path / POLICY_FILE
    assert policy.load(Disk(), file) == SetPolicy()
    policy.store(Disk(), file, SetPolicy(5000, "ask"))
    assert policy.load(Disk(), file) == SetPolicy(5000, "ask")
    assert policy.words(SetPolicy(5000, "ask")) == "interval 5 s, late waves only when asked for"
    whole = file.read_bytes()
    for bad in (whole[:-3], b"\0\0\0\2{}", msgspec.json.encode([2, 1, None])):
        file.write_bytes(bad)
        assert policy.load(Disk(), file) == SetPolicy()
