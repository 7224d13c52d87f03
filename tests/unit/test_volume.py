"""A month's volume: what is counted, what waits for it, and what never does."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime

import msgspec
import pytest

from agent.health import causes
from agent.health.status import VolumeStatus
from agent.uplink.allowance import Allowance, Used
from agent.uplink.flow import Flow, Limits
from agent.uplink.lanes import Lane, Parcel
from agent.uplink.link import Broker, Link, Will
from agent.uplink.meter import FAILED_DIAL_BYTES, SEGMENT_BYTES, Meter, carried_bytes
from agent.uplink.pace import SECOND_NS, Terms
from agent.uplink.shut import OPEN
from agent.uplink.tls import LinkError
from agent.volume import load, store
from agent.waiting import Waiting
from config import codes
from tests.page.beds import status
from wire.topics import Class

CAP = 1000


def utc(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1e6)


def after(*counted: tuple[int, int | None], used: Used = Used()) -> Allowance:  # noqa: B008  frozen
    one = Allowance(CAP, used)
    for size, when in counted:
        one.count(size, when)
    return one


@pytest.mark.parametrize(
    ("used", "live", "late"),
    [
        (799, set(), set()),
        (800, set(), {Class.WAVE}),
        (899, set(), {Class.WAVE}),
        (900, {Class.WAVE}, {Class.WAVE}),
        (950, {Class.WAVE}, {Class.WAVE, Class.VITAL}),
        (99_999, {Class.WAVE}, {Class.WAVE, Class.VITAL}),
    ],
)
def test_what_may_wait_waits_in_order_and_what_is_live_and_vital_never(used: int, live: set, late: set) -> None:
    shut = after((used, utc(2026, 11, 3))).shut
    assert (shut.live, shut.late) == (live, late)
    assert bool(shut.words) == (shut != OPEN)


def test_a_month_begins_when_it_surely_has() -> None:
    last, first = utc(2026, 11, 30, 23, 59, 59), utc(2026, 12, 1)
    one = after((700, last), (200, None), (50, last))
    assert (one.month, one.used.bytes, one.shut.words) == ("2026-11", 950, "waves and late readings wait")
    one.count(7, first)
    assert (one.month, one.used.bytes, one.shut) == ("2026-12", 7, OPEN)
    one.count(7, last)  # a clock that was set back begins no month anew
    assert (one.month, one.used.bytes) == ("2026-12", 14)


def test_what_came_before_any_time_was_known_counts_for_the_month_that_is_found() -> None:
    one = after((700, None))
    assert (one.month, one.used.bytes) == ("", 700)
    one.count(100, utc(2026, 1, 31))
    assert (one.month, one.used.bytes) == ("2026-01", 800)


def test_the_count_outlives_a_restart_and_a_file_that_is_none(tmp_path) -> None:
    files, file = Waiting(), tmp_path / "volume"
    assert load(files, file) == Used()
    store(files, file, after((900, utc(2026, 11, 3))).used)
    assert after((50, utc(2026, 11, 4)), used=load(files, file)).shut.words == "waves and late readings wait"
    file.write_bytes(b"\0\0\0\3[1]")
    assert load(files, file) == Used()


class Bed:
    """A flow on virtual time, with nothing between it and the broker."""

    def __init__(self) -> None:
        self.allowance = Allowance(CAP)
        self.flow = Flow(Limits(), lambda: self.allowance.shut)
        self.flow.up(Terms(), 0)
        self.now = 0
        self.gone: list[tuple[Class, int]] = []

    def offer(self, cls: Class, seq: int) -> None:
        self.now += SECOND_NS
        self.flow.offer(Parcel(Lane.LIVE, cls, 1, 0, seq, b"x"), self.now)
        self.flow.step(self.now, self._publish, lambda: 0)

    def _publish(self, parcel: Parcel) -> int:
        self.gone.append((parcel.cls, parcel.seq))
        return len(self.gone)

    def may_come_late(self, cls: Class) -> bool:
        """Whether the spool may give one that is there."""
        return not self.flow.busy(self.now)(cls, 1, 777)


def test_the_uplink_gives_up_in_order_and_takes_it_all_up_again_next_month() -> None:
    bed = Bed()
    seen = []
    for used in (0, 800, 100, 50, 5_000):
        bed.allowance.count(used, utc(2026, 11, 3))
        before = len(bed.gone)
        for cls in Class:
            bed.offer(cls, len(seen))
        late = {cls for cls in Class if bed.may_come_late(cls)}
        seen.append(({cls for cls, _ in bed.gone[before:]}, late))
    everything = set(Class)
    assert seen == [
        (everything, everything),
        (everything, everything - {Class.WAVE}),
        (everything - {Class.WAVE}, everything - {Class.WAVE}),
        (everything - {Class.WAVE}, {Class.KEY}),
        (everything - {Class.WAVE}, {Class.KEY}),
    ]
    assert bed.flow.account.live_left == 3  # left to the spool, and counted
    bed.allowance.count(1, utc(2026, 12, 1))
    bed.offer(Class.WAVE, 9)
    assert bed.gone[-1] == (Class.WAVE, 9)
    assert all(map(bed.may_come_late, Class))


def test_the_kernel_counts_what_a_connection_carries() -> None:
    meter = Meter()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as link:
        other, _ = server.accept()
        with other:
            link.sendall(bytes(100_000))
            left = 100_000
            while left:
                left -= len(other.recv(left))
            other.sendall(bytes(20_000))
            left = 20_000
            while left:
                left -= len(link.recv(left))
            assert 120_000 + 4 * SEGMENT_BYTES <= carried_bytes(link) <= 120_000 + 200 * SEGMENT_BYTES
            meter.look(link)
            meter.look(link)
            once = meter.total_bytes
            meter.end(link)
    meter.look(link)  # closed: nothing is counted twice, nothing is lost
    assert once <= meter.total_bytes <= once + 10 * SEGMENT_BYTES


def test_neither_cap_nor_proxy_costs_memory_where_none_is_set() -> None:
    unused = ("agent.volume", "agent.uplink.allowance", "agent.tunnel", "config.proxy", "socks")
    code = f"import sys, agent.gateway; sys.exit(sum(one in sys.modules for one in {unused}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_dial_that_comes_to_nothing_is_counted_if_somebody_answered() -> None:
    async def failed(answers: bool) -> int:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            if not answers:
                server.close()
            broker = Broker("127.0.0.1", port, ssl.create_default_context(), dial_limit_s=0.05)
            with pytest.raises(LinkError):
                await Link(broker, "gw", Will("t", b""), lambda: None, lambda *_: None).open()
            return broker.meter.total_bytes

    assert asyncio.run(failed(answers=True)) == FAILED_DIAL_BYTES
    assert asyncio.run(failed(answers=False)) == 0


def test_a_cap_that_holds_back_is_a_cause_with_a_number() -> None:

    now = msgspec.structs.replace(status(), volume=VolumeStatus("2026-11", 900 << 20, 1000 << 20, "waves wait"))
    assert [one.what for one in causes.of(now, 1.0) if one.code == codes.CAP] == [
        "900 of 1000 MiB of 2026-11 are used: waves wait"
    ]
