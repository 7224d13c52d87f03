"""What is known of UTC: the best of several sources, the signature before the loudest, a floor that outlives power."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import clock, window
from agent.exchange import Exchange
from agent.past import Past
from agent.spool.files import Disk
from agent.utc import Utc
from agent.world import World
from discipline.machine import Found
from tests.crash.faulty import Fault, FaultyFiles, PowerCutError
from wire import moment
from wire.moment import Moment
from wire.records import Anchor

CENTRE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
GATEWAY = "a" * 20
TRUE_US = 1_796_000_000_000_000
S = 1_000_000
YEAR = 365 * 86_400 * S
BOOT = bytes(range(16))


class Bed:
    """A gateway's knowledge of time on a machine whose every clock the test sets. `now` is microseconds."""

    def __init__(self, folder: Path, boot: bytes = BOOT, now: int = 5 * S, **world: Callable[[], object]) -> None:
        self.now = self.booted = now
        self.off = 0  # of the wall clock
        self.error: int | None = None  # what the kernel says of it
        self.found = Found("", None)
        self.rtc: int | None = None
        self.fixed: Anchor | None = None
        nonces = count(1)
        self.folder = folder
        self.world = World(
            now=lambda: self.now * 1000,
            unix_us=self.wall,
            anchor=lambda late: clock.anchored(self.now * 1000, self.wall(), self.now * 1000, self.error),
            look=lambda: self.found,
            rtc=lambda: self.rtc,
            fix=lambda: self.fixed,
        )
        self.past = Past(Disk(), folder / "state" / "time", boot)
        mqtt = Exchange("mqtt", GATEWAY, [CENTRE.public_key()], lambda n: next(nonces).to_bytes(n))
        self.utc = Utc(self.world, self.past, folder, mqtt)

    def true(self) -> int:
        return TRUE_US + self.now

    def wall(self) -> int:
        return self.true() + self.off

    def look(self, by: str = "", error: int | None = None) -> None:
        self.found, self.error = Found(by, error), error
        asyncio.run(self.utc.look())

    def exchange(self, trip_us: int = 200_000, off: int = 0, error: int = 1000) -> None:
        nonce = self.utc.mqtt.question(self.now * 1000)
        self.now += trip_us // 2
        data = moment.sign(CENTRE, GATEWAY, Moment(nonce, self.true() + off, self.true() + off, error))
        self.now += trip_us // 2
        self.utc.answered(data)

    def save(self) -> None:
        asyncio.run(self.utc.save(at_once))

    def turn(self) -> None:
        """A minute later, so that everything is looked at again."""
        self.now += 60 * S
        asyncio.run(self.utc.turn(at_once))

    @property
    def inside(self) -> bool:
        anchor = self.utc.anchor()
        assert anchor is not None
        assert anchor.error is not None
        return abs(anchor.utc - TRUE_US - anchor.t) <= anchor.error


async def at_once(work: Callable[[], None]) -> None:
    work()


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


def test_nobody_knows_and_the_wall_clock_is_only_shown(bed: Bed) -> None:
    bed.look()
    assert bed.utc.anchor() == Anchor(bed.now, bed.wall(), None, "unsynchronised")
    bed.off = -2 * YEAR
    assert bed.utc.anchor() is None
    assert bed.utc.passed() >= clock.FLOOR_UTC_US


def test_the_least_error_counts_and_grows(bed: Bed) -> None:
    bed.look("kernel", 900_000)
    assert bed.utc.anchor(50).source == "ntp"
    assert bed.utc.anchor(50).error == 900_050
    bed.exchange(trip_us=200_000)
    assert bed.utc.anchor().source == "mqtt"
    assert 100_000 <= bed.utc.anchor().error <= 102_000
    bed.now += 9000 * S
    assert bed.utc.anchor().source == "ntp"
    bed.error = None
    assert bed.utc.anchor().source == "mqtt"
    assert bed.inside
    assert bed.utc.anchor().error >= 1_000_000


def test_a_clock_that_somebody_keeps_counts_until_somebody_steps_it(bed: Bed) -> None:
    bed.look("chrony", 3000)
    bed.error = None  # without rtcsync the kernel knows nothing of it
    bed.now += 100 * S
    assert bed.utc.anchor().error == 3000 + 10_001
    bed.off = 5 * YEAR
    assert bed.utc.anchor().error is None
    bed.off = 1000
    bed.look("chrony", None)
    assert bed.utc.anchor().source == "unsynchronised"


def test_ten_years_by_ntp_do_not_count_against_the_centres_signature(bed: Bed) -> None:
    """Attack row 23: NTP says years ahead, or back, with the best of errors."""
    bed.exchange(trip_us=600_000)
    for years in (10, -10):
        bed.off = years * YEAR
        bed.look("kernel", 10)
        bed.turn()
        assert bed.utc.anchor().source == "mqtt"
        assert bed.inside
    assert bed.utc.contradictions == {"mqtt ntp": 1}, "ten years back is no time for us at all"
    assert bed.utc.refused == {"contradiction mqtt ntp": 1}
    bed.off = 0
    bed.look("kernel", 10)
    bed.turn()
    assert bed.utc.contradicting == []
    assert bed.utc.anchor().source == "ntp"


def test_the_floor_is_what_was_signed_and_outlives_the_power(bed: Bed, tmp_path: Path) -> None:
    assert bed.utc.known().by == "wall"
    bed.exchange(trip_us=400_000)
    surely = bed.utc.known().earliest
    assert bed.true() - 203_000 <= surely <= bed.true()
    bed.now += 900 * S
    bed.save()
    after = Bed(tmp_path, boot=bytes(16))
    after.off = -TRUE_US
    known = after.utc.known()
    assert (known.by, known.earliest) == ("floor", after.past.said.utc)
    assert surely + 890 * S < known.earliest <= bed.true()
    after.now += 60 * S
    assert after.utc.known().earliest == known.earliest + 60 * S - 6000
    assert after.utc.passed() == known.earliest + 60 * S - 6000
    assert after.utc.boots == 2
    assert Bed(tmp_path, boot=bytes(16)).utc.boots == 2, "another start of the same boot"


def test_what_passes_without_a_word_of_the_centre_counts_too(bed: Bed, tmp_path: Path) -> None:
    bed.exchange()
    bed.save()
    after = Bed(tmp_path, boot=bytes(16))
    after.now += 10 * 86_400 * S
    after.save()
    assert Bed(tmp_path).utc.floor() >= bed.true() + 9 * 86_400 * S


def test_what_ntp_says_is_no_floor(bed: Bed, tmp_path: Path) -> None:
    """Whoever speaks NTP to us could lock us out for years."""
    bed.off = 10 * YEAR
    bed.look("kernel", 10)
    bed.save()
    assert bed.past.said.utc == clock.FLOOR_UTC_US
    assert Bed(tmp_path).utc.floor() == clock.FLOOR_UTC_US


def test_nothing_before_the_floor_is_believed(bed: Bed) -> None:
    bed.exchange()
    bed.off = -300 * S
    bed.look("kernel", 10)
    bed.turn()
    assert bed.utc.anchor().source == "mqtt"
    assert "ntp floor" in bed.utc.contradicting


def test_a_crystal_that_runs_fast_does_not_make_the_truth_too_early(bed: Bed) -> None:
    bed.exchange(trip_us=1000, error=10)
    days = 40 * 86_400 * S
    bed.now += days
    bed.off = -days * 90 // 1_000_000  # by our clock more has passed than did
    bed.look("kernel", 10)
    assert (bed.utc.anchor().source, bed.utc.anchor().error) == ("ntp", 10)


def test_a_person_is_heard_with_doubt_and_answered(bed: Bed) -> None:
    bed.off = -TRUE_US
    window.write_time(bed.folder, window.TimeSaid(bed.true() + 20 * S, 5 * S, bed.now * 1000))
    bed.turn()
    assert window.read_time(bed.folder).said == "taken"
    assert (bed.utc.anchor().source, bed.utc.anchor().error >= 60 * S) == ("operator", True)
    assert bed.inside
    assert bed.utc.known().by == "operator"
    for utc, at_ns, word in (
        (5, bed.now * 1000, "surely later"),
        (bed.true(), bed.now * 1000 - 700 * 10**9, "too long ago"),
    ):
        window.write_time(bed.folder, window.TimeSaid(utc, 5 * S, at_ns))
        bed.turn()
        assert word in window.read_time(bed.folder).said


def test_the_batterys_clock_is_believed_as_far_as_it_was_compared(bed: Bed, tmp_path: Path) -> None:
    bed.rtc = (bed.true() + 3 * S) // S * S
    assert Bed(tmp_path).utc.anchor().source == "unsynchronised", "never compared"
    bed.exchange()
    bed.save()
    after = Bed(tmp_path, boot=bytes(16), now=90_000 * S)
    after.off = -TRUE_US
    after.rtc = (after.true() + 3 * S) // S * S
    after = again(after, tmp_path)
    assert after.utc.anchor().source == "rtc"
    assert after.inside
    assert 13 * S < after.utc.anchor().error < 16 * S, "3 s it was off, 100 ppm of 25 h, and its resolution"
    after.rtc = 0
    assert again(after, tmp_path).utc.anchor() is None, "its battery is empty"


def again(bed: Bed, folder: Path) -> Bed:
    """The same machine, with its clock read at the start."""
    bed.utc = Utc(bed.world, Past(Disk(), folder / "state" / "time", bytes(16)), folder, bed.utc.mqtt)
    return bed


def test_a_receiver_is_asked_where_nothing_better_is_known(bed: Bed) -> None:
    bed.off = -TRUE_US
    bed.fixed = Anchor(bed.now, bed.true() + 300_000, 700_000, "gnss")
    bed.turn()
    assert bed.utc.anchor().source == "gnss"
    assert bed.inside


def test_steps_of_years_every_ten_seconds_make_no_false_anchor(bed: Bed) -> None:
    """TIM-01, TIM-11: the kernel forgets its discipline with each step; what the centre signed stays."""
    bed.look("kernel", 500)
    bed.exchange()
    for step in range(50):
        bed.now += 10 * S
        bed.off = (step % 7 - 3) * 4 * YEAR
        bed.error = None
        assert bed.inside


@pytest.mark.parametrize("at", range(1, 40))
def test_a_power_cut_anywhere_leaves_the_old_word_or_the_new(at: int) -> None:
    """What is written is one file, replaced; a boot is counted once and the floor never falls."""
    files = FaultyFiles()
    past = Past(files, Path("/s/time"), BOOT)
    past.save(1000)
    past.save(500)
    files.fault = Fault(files.calls + at, "cut")
    with suppress(PowerCutError):
        past = Past(files, Path("/s/time"), bytes(16))
        past.save(2000)
    after = Past(files.after_cut(0.5, at), Path("/s/time"), bytes(16))
    assert after.said.boots == 2
    assert after.said.utc in (1000, 2000)


def test_a_disk_that_refuses_costs_nothing_but_precision(tmp_path: Path) -> None:
    files = FaultyFiles(Fault(1, "error", forever=True))
    past = Past(files, Path("/s/time"), BOOT)
    assert past.said.boots == 1
    (tmp_path / "time").write_bytes(b"\0\0\0\5hello")
    assert Past(Disk(), tmp_path / "time", BOOT).said.boots == 1
