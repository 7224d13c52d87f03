"""Renewal on virtual time, by the centre's real rules: when it is due, after 200 days, refused for good, how often."""

import asyncio
import json
import selectors
from pathlib import Path

import msgspec
import pytest

from agent import identity
from agent.enrol import standing
from agent.enrol.papers import RefusedError
from agent.enrolling import Keys
from agent.renewing import EXPIRED, Believers, Renewing
from agent.trust import DirectoryRefusedError
from agent.uplink.account import LinkState
from agent.uplink.tls import _ALERTS
from centre.fleet import fleet, lists, members
from centre.fleet.certify import DAY_US
from config.load import ConfigError
from tests import fleet_rig
from tests.enrol_rig import SITE
from tests.fleet_rig import Rig

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


class Instant(selectors.DefaultSelector):
    """Nobody waits: time is where the next thing happens."""

    skipped_s = 0.0

    def select(self, timeout=None):
        self.skipped_s += timeout or 0.0
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.instant = Instant()
        super().__init__(self.instant)

    def time(self) -> float:
        return self.instant.skipped_s


class Box:
    """A gateway's keys, enrolled at day 0, with its renewal; `clock_off_us` None: nobody is sure of the time."""

    def __init__(self, folder: Path) -> None:
        self.rig: Rig = fleet_rig.made(folder)
        with self.rig.act() as act:
            lists.set_address(act, "enrol", "https://centre.example.org:8485")
        self.keys = Keys(folder / "keys", SITE)
        self.keys.make("file")
        voucher = self.rig.voucher()
        data, asked = self.keys.ask(voucher, bytes(16), 0)
        self.keys.take_answer(asked, self.rig.answer(data))
        self.began_us = self.rig.now
        self.asked_s: list[float] = []
        self.granted: list = []
        self.believed: list = []
        self.dials = 0
        self.is_sure = True
        self.shown = 0
        self.is_reachable = True

    async def child(self, words, data: bytes) -> tuple[int, bytes]:
        """What `wardlink enrol` does, with the centre beside it."""
        try:
            if words == ["directory", "-"]:
                self.keys.take_directory(data)
                return 0, b""
            self.asked_s.append(asyncio.get_running_loop().time())
            if not self.is_reachable:
                return 1, b'{"error": "centre.example.org:8485 does not answer", "hint": "the network", "final": false}'
            request, asked = self.keys.ask(None, len(self.asked_s).to_bytes(16), 0)
            self.keys.take_answer(asked, self.rig.answer(request))
        except (RefusedError, fleet.RefusedError) as error:
            return 1, json.dumps({"error": str(error), "final": True}).encode()
        return 0, b""

    def renewing(self) -> Renewing:
        def redial() -> None:
            self.dials += 1

        believers = Believers(
            grant_to=self.granted.append,
            believe=self.believed.append,
            redial=redial,
            passed=lambda: self.rig.now if self.is_sure else 0,
            known=lambda: (self.rig.now, self.rig.now + 1) if self.is_sure else None,
            shown=lambda: self.shown,
            uniform=lambda least, most: (least + most) / 2,
        )
        return Renewing(self.keys.folder, believers, self.child)

    def run(self, seconds: float, story=None) -> Renewing:
        """So long, the centre's clock going on with ours; then what `story` does."""
        one = self.renewing()

        async def work() -> None:
            loop, began_us = asyncio.get_running_loop(), self.rig.now
            running = asyncio.create_task(one.run())
            if story is not None:
                await story(one)
            while loop.time() < seconds:
                await asyncio.wait([running], timeout=30)
                self.rig.now = began_us + int(loop.time() * 1e6)
            running.cancel()

        with asyncio.Runner(loop_factory=Loop) as runner:
            runner.run(work())
        return one

    def certificate(self) -> bytes:
        return (self.keys.folder / "gateway.crt").read_bytes()


@pytest.fixture
def box(tmp_path) -> Box:
    return Box(tmp_path)


def test_it_is_due_at_two_thirds_of_the_life(box) -> None:
    box.rig.later(59.5)
    old = box.certificate()
    box.run(11 * HOUR_S)
    assert box.asked_s == []
    box.rig.now = box.began_us + int(59.99 * DAY_US)
    box.run(DAY_S)
    assert len(box.asked_s) == 1
    assert box.certificate() != old
    assert box.dials == 1, "the next connection takes the new certificate"


def test_nobody_asks_while_nobody_is_sure_of_the_time(box) -> None:
    box.rig.later(75)
    box.is_sure, box.shown = False, box.rig.now  # past two thirds, if that clock is right
    box.run(DAY_S)
    assert box.asked_s == []


@pytest.mark.parametrize("sure", [True, False])
def test_after_200_days_the_old_key_still_renews(box, sure) -> None:
    box.rig.later(200)
    box.is_sure, box.shown = sure, box.rig.now
    one = box.run(HOUR_S)
    assert len(box.asked_s) == 1
    assert one.status().problem == ""
    assert box.keys.enrolled().ends > box.rig.now + 80 * DAY_US
    assert identity.load(box.keys.folder, receipts=True).gateway == box.keys.gateway


def test_the_broker_may_know_what_no_clock_here_knows(box) -> None:
    box.rig.later(100)
    box.is_sure = False

    async def story(one: Renewing) -> None:
        one.link(LinkState(False, 0, EXPIRED, ""))
        one.link(LinkState(False, 1, "the other side closed it", ""))

    box.run(HOUR_S, story)
    assert len(box.asked_s) == 1
    assert EXPIRED in _ALERTS["CERTIFICATE_EXPIRED"][0]


def test_after_270_days_only_a_voucher_helps_and_that_is_said(box) -> None:
    box.rig.later(271)
    one = box.run(DAY_S)
    assert box.asked_s == []
    assert "more than 180 days" in one.status().problem
    assert "goes on recording; ask the centre for a voucher" in one.status().hint
    voucher = box.rig.voucher()
    data, asked = box.keys.ask(voucher, bytes(16), 0)
    box.keys.take_answer(asked, box.rig.answer(data))
    assert box.run(HOUR_S).status().problem == ""


def test_a_centre_that_is_away_is_asked_again_and_again_but_not_often(box) -> None:
    box.rig.later(61)
    box.is_reachable = False
    one = box.run(3 * DAY_S)
    waits = [later - sooner for sooner, later in zip(box.asked_s, box.asked_s[1:], strict=False)]
    assert min(waits) >= standing.RETRY_FIRST_S / 2
    assert 15 < len(box.asked_s) < 35
    assert max(waits) <= standing.RETRY_LIMIT_S + 120
    assert "does not answer" in one.status().problem
    box.is_reachable = True
    assert box.run(DAY_S).status().problem == ""


def test_refused_for_good_is_said_and_the_capture_is_left_alone(box) -> None:
    with box.rig.act() as act:
        members.revoke(act, box.keys.gateway, "stolen")
    box.rig.later(61)
    one = box.run(2 * DAY_S)
    assert "is not renewed" in one.status().problem
    assert "goes on recording" in one.status().hint
    assert len(box.asked_s) < 30
    assert box.granted == []


def test_a_directory_is_believed_at_once(box) -> None:
    with box.rig.act() as act:
        lists.retire_recipient(act, SITE, "hospital")
    with box.rig.fleet.reading() as db:
        version, data = lists.newest(db, SITE)

    async def story(one: Renewing) -> None:
        assert await one.take_directory(data) == version
        assert [[listed.text() for listed in listed_ones] for listed_ones in box.granted] == [
            [fleet_rig.CENTRE.recipient.text()]
        ]
        assert await one.take_directory(data) == version
        with pytest.raises(DirectoryRefusedError):
            await one.take_directory(b"noise")

    box.run(HOUR_S, story)
    assert len(box.granted) == len(box.believed) == 1


def test_what_a_person_changes_is_taken_over_and_what_is_broken_is_said(box) -> None:
    with box.rig.act() as act:
        lists.retire_recipient(act, SITE, "hospital")
    with box.rig.fleet.reading() as db:
        data = lists.newest(db, SITE)[1]

    async def story(_: Renewing) -> None:
        await asyncio.sleep(0)  # it has looked once
        box.keys.take_directory(data)
        (box.keys.folder / "centre.pub").write_text("rubbish")

    one = box.run(300, story)
    assert box.granted == []
    assert "is not usable" in one.status().problem
    with pytest.raises(ConfigError):
        identity.load(box.keys.folder, receipts=True)


def test_a_child_that_dies_is_a_failure_like_another(box) -> None:
    async def dead(_words, _data) -> tuple[int, bytes]:
        return -9, b""

    box.rig.later(61)
    box.child = dead
    assert "the child that does it failed" in box.run(HOUR_S).status().problem


def test_who_can_only_be_renewed_by_a_stick_is_told_so_in_time(box) -> None:
    file = box.keys.folder / "enrolled.json"
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(box.keys.enrolled(), url="")))
    box.rig.later(59)
    assert box.run(HOUR_S).status().problem == ""
    box.rig.later(2)
    one = box.run(HOUR_S)
    assert box.asked_s == []
    assert "no address to renew at" in one.status().problem
    assert "enrol request" in one.status().hint
