"""When the centre asks for what its ledger lacks: not too soon, not while it comes, not too often, not too much."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre.asking import ASK_LIMIT_S, HOLE_LEAST_S, STUBBORN_LEAST_S, Asking, Holes
from centre.ledger import NOBODY, Start
from centre.opening import Openers
from centre.store import Batch, Parked, Store
from tests.sealed import Bedside, reading
from tests.told import START
from wire import command
from wire.command import RANGES_LIMIT_COUNT, Command, Wanted
from wire.envelope import header_of
from wire.topics import Address, Class

ADDRESS = Address("north", "gw-1")
HOLE = [Wanted(3, 1, [(5, 9)])]
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(32))


class Desk:
    """An Asking, its clock, and a ledger that says what the test wants."""

    def __init__(self) -> None:
        self.asking = Asking()
        self.now = 1000.0
        self.late = 0
        self.asking.heard([ADDRESS], self.now)

    def look(self, *wanted: Wanted, after_s: float = 0.0) -> list[Wanted] | None:
        """None where it is not time to look."""
        self.now += after_s
        if self.asking.due(self.now) != [ADDRESS]:
            return None
        return self.asking.look(ADDRESS, self.holes(*wanted), self.now)

    def holes(self, *wanted: Wanted) -> Holes:
        return Holes(Start(3, START), self.late, list(wanted))

    def sent(self, *wanted: Wanted, utc: int = 10**15) -> Command:
        data = self.asking.made(SIGNER, ADDRESS, self.holes(), utc, list(wanted))
        return command.read(SIGNER.public_key(), ADDRESS.gateway, data)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_hole_is_asked_for_once_it_is_old(desk) -> None:
    assert desk.look(*HOLE) == []
    assert desk.look(*HOLE, after_s=HOLE_LEAST_S - 1) is None
    assert desk.look(*HOLE, after_s=1) == HOLE


def test_a_hole_that_closes_by_itself_is_not(desk) -> None:
    assert desk.look(Wanted(3, 1, [(5, 9)]), Wanted(3, 2, [(0, 0)])) == []
    assert desk.look(Wanted(3, 1, [(7, 12), (20, 30)]), after_s=HOLE_LEAST_S) == [Wanted(3, 1, [(7, 9)])]


def test_asks_that_bring_nothing_become_rare_and_do_not_end(desk) -> None:
    asked: list[float] = []
    desk.look(*HOLE)
    while len(asked) < 12:
        if desk.look(*HOLE, after_s=1):
            asked.append(desk.now)
    waits = [b - a for a, b in pairwise(asked)]
    assert waits[:4] == [60, 120, 240, 480]
    assert waits[-1] == ASK_LIMIT_S
    desk.late += 1
    assert desk.look(*HOLE, after_s=ASK_LIMIT_S) == HOLE, "that a hole outlived minutes counts"
    assert desk.look(*HOLE, after_s=60) == HOLE, "and something came of it: from the start again"


def test_a_start_of_which_nothing_is_here_is_asked_for_what_opens_it(desk) -> None:
    """A store that was wiped: presence is all that is known."""
    desk.asking.present({ADDRESS: Start(9, b"another.")}, desk.now)
    everything = Wanted(9, Class.KEY, [(0, (1 << 32) - 1)])
    assert desk.look() == []
    assert desk.look(after_s=HOLE_LEAST_S) == [everything]
    sent = desk.sent(everything)
    assert (sent.epoch, sent.start) == (9, b"another.")


def test_who_says_that_he_is_there_is_named_and_else_of_whom_something_came(desk) -> None:
    assert desk.sent(*HOLE).start == START
    desk.asking.present({ADDRESS: Start(3, b"another.")}, desk.now)
    assert desk.sent(*HOLE).start == b"another.", "a card was put back: the same epoch, another start"


def test_while_late_ones_come_nothing_is_asked_for_but_what_outlives_ten_minutes_of_them(desk) -> None:
    looks = 0
    said: list[Wanted] | None = []
    while not said:
        desk.late += 1
        said = desk.look(Wanted(3, 1, [(5, 1000 - looks)]), after_s=HOLE_LEAST_S)
        looks += 1
    assert (looks - 1) * HOLE_LEAST_S == STUBBORN_LEAST_S
    assert said == [Wanted(3, 1, [(5, 1000 - looks + 1)])]


def test_who_is_offline_is_not_asked(desk) -> None:
    desk.look(*HOLE)
    desk.asking.gone([ADDRESS])
    assert desk.look(*HOLE, after_s=HOLE_LEAST_S) is None
    desk.asking.heard([ADDRESS], desk.now)
    assert desk.look(*HOLE) == []
    desk.asking.all_gone()
    assert desk.look(*HOLE, after_s=HOLE_LEAST_S) is None


def test_what_opens_the_others_is_asked_for_first_and_then_the_newest_and_never_too_much(desk) -> None:
    many = [(2 * n, 2 * n) for n in range(RANGES_LIMIT_COUNT)]
    holes = [Wanted(1, 2, many), Wanted(3, 2, [(0, 5), (9, 9)]), Wanted(3, 1, [(4, 4)]), Wanted(2, 0, [(1, 1)])]
    desk.look(*holes)
    wanted = desk.look(*holes, after_s=HOLE_LEAST_S)
    assert wanted[:3] == [Wanted(2, 0, [(1, 1)]), Wanted(3, 1, [(4, 4)]), Wanted(3, 2, [(0, 5), (9, 9)])]
    assert wanted[3] == Wanted(1, 2, many[4:])
    assert desk.sent(*wanted).said.wanted == wanted
    assert desk.sent(*wanted).epoch == 3


def test_the_largest_ask_fits_into_a_command(desk) -> None:
    top = (1 << 32) - 1
    holes = [Wanted(top - n, 2, [(top - 1, top)]) for n in range(2 * RANGES_LIMIT_COUNT)]
    desk.look(*holes)
    wanted = desk.look(*holes, after_s=HOLE_LEAST_S)
    assert len(wanted) == RANGES_LIMIT_COUNT
    desk.asking.present({ADDRESS: Start(top, START)}, desk.now)
    assert desk.sent(*wanted).said.wanted == wanted


def test_the_number_of_a_command_grows_although_the_clock_does_not(desk) -> None:
    issued = [desk.sent(*HOLE, utc=utc).issued for utc in (10**15, 10**15, 10**15 - 5, 10**15 + 7)]
    assert issued == [10**15, 10**15 + 1, 10**15 + 2, 10**15 + 7]


def test_what_waits_here_for_its_grant_is_not_asked_for(tmp_path: Path) -> None:
    bedside = Bedside()
    store = Store(f"sqlite:///{tmp_path / 'centre.db'}")
    bedside.grant()
    vitals = [bedside.vital(reading(t)).data for t in range(4)]
    manifest = bedside.manifest()
    entry = Openers((), store.grants, store.start).statement(bedside.address, 0, manifest.data)
    parked = [Parked(bedside.address, header_of(d), 0, bytes(32), d) for d in vitals[1:3]]
    store.write(Batch(entries=[entry], parked=parked, heard={bedside.address: 0}))
    holes = store.holes(bedside.gateway)
    assert (holes.newest.epoch, holes.late) == (1, 0)
    assert list(holes.wanted) == [Wanted(1, Class.KEY, [(0, 0)]), Wanted(1, Class.VITAL, [(0, 0), (3, 3)])]
    assert store.holes("nobody") == Holes(NOBODY, 0, [])
    store.close()
