"""Hours left: measured, honest where nobody knows, and the same words from the spool to the centre's page."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.health.room import LEAST_S, WINDOW_S, Rooms, Volume
from agent.pulse import ROOM_NS
from centre import rows
from centre.bounds import BoundsError, check_records
from centre.gate import Gate
from centre.web import telling
from centre.web.app import STATIC
from tests.crash.faulty import FaultyFiles
from tests.sealed import RECEIVED, Bedside
from tests.unit.test_ingest import Centre
from tests.unit.test_pulse import Heart
from tests.unit.test_spool_store import opened, put
from wire.records import Room

S = 1_000_000_000
HOUR_US = 3_600_000_000


class Watch:
    """Rooms looked at every five seconds while a class takes `rate` bytes a second."""

    def __init__(self, **given) -> None:
        self.rooms = Rooms()
        self.now = 0
        self.taken = {1: 0, 2: 0}
        self.free = {1: 0, 2: 0} | given.get("free", {})
        self.growth = {1: 0, 2: 0} | given.get("growth", {})
        self.disk: int | None = given.get("disk")

    def watch(self, seconds: float, **rates: int) -> dict[int, int | None]:
        for _ in range(int(seconds / 5)):
            self.now += 5 * S
            for cls, rate in ((1, rates.get("vital", 0)), (2, rates.get("wave", 0))):
                self.taken[cls] += 5 * rate
            volumes = {cls: Volume(self.taken[cls], self.free[cls], self.growth[cls]) for cls in (1, 2)}
            found = self.rooms.look(self.now, volumes, self.disk)
        return found


def test_it_is_unknown_before_it_was_watched_for_a_minute() -> None:
    watch = Watch(free={1: 4096 * 3600})
    assert watch.watch(LEAST_S, vital=4096) == {1: None, 2: None}
    assert watch.watch(5, vital=4096) == {1: 3600, 2: None}


def test_a_class_that_nothing_is_written_to_is_unknown_not_endless_and_not_zero() -> None:
    watch = Watch(free={1: 1000, 2: 1000})
    assert watch.watch(700, wave=10) == {1: None, 2: 100}
    assert watch.watch(WINDOW_S) == {1: None, 2: None}


def test_a_full_spool_has_no_room() -> None:
    assert Watch().watch(100, vital=1) == {1: 0, 2: None}


def test_the_rate_is_that_of_the_last_ten_minutes() -> None:
    watch = Watch(free={2: 60_000})
    watch.watch(3600, wave=100)
    assert watch.watch(WINDOW_S / 2, wave=300)[2] == 300
    assert watch.watch(WINDOW_S / 2, wave=300)[2] == 200


def test_a_disk_that_is_smaller_than_the_quotas_is_shared_by_rate() -> None:
    growth = {1: 10**9, 2: 10**9}
    assert Watch(growth=growth).watch(100, vital=100, wave=300) == {1: 10**7, 2: 10**9 // 300}
    assert Watch(growth=growth, disk=4000).watch(100, vital=100, wave=300) == {1: 10, 2: 10}
    assert Watch(growth=growth, free={1: 500}, disk=4000).watch(100, vital=100, wave=300) == {1: 15, 2: 10}


def test_the_spool_counts_what_it_takes_and_what_it_has_for_more() -> None:
    """Segments of 32 KiB, six data blocks in each; three for class 2. A commit of 3000 bytes takes a block."""
    block, files = 4096, FaultyFiles()
    spool = opened(files)
    stat = spool.stat().classes[2]
    assert (stat.taken_bytes, stat.free_bytes, stat.growth_bytes) == (0, 6 * block, 12 * block)
    put(spool, 2, range(8))
    stat = spool.stat().classes[2]
    assert (stat.taken_bytes, stat.free_bytes, stat.growth_bytes) == (8 * block, 4 * block, 6 * block)
    put(spool, 2, range(8, 17))
    spool.held(2, 1, [(0, 4)])
    stat = spool.stat().classes[2]
    assert (stat.free_bytes, stat.growth_bytes) == (block, 0), "a segment with one that is not held is not free"
    spool.held(2, 1, [(5, 16)])
    stat = spool.stat().classes[2]
    assert stat.free_bytes == 13 * block, "the centre holds all: the full room but for the segment at hand"
    assert put(spool, 2, range(17, 30)) == [], "the promise is kept"
    assert spool.stat().classes[2].free_bytes == 0
    assert put(spool, 2, range(30, 31)) != []


def test_room_is_said_on_each_connection_every_five_minutes_and_when_it_becomes_known() -> None:
    heart = Heart()
    assert heart.records(Room, now=0) == []
    heart.pulse.room = [(1, 7, None), (2, 0, None)]
    assert heart.records(Room, now=S) == [Room(S // 1000, 1, 7, None), Room(S // 1000, 2, 0, None)]
    heart.pulse.room = [(1, 7, 3600), (2, 0, None)]
    assert [room.seconds for room in heart.records(Room, now=2 * S)] == [3600, None]
    assert heart.records(Room, now=ROOM_NS + 2 * S - 1) == []
    assert len(heart.records(Room, now=ROOM_NS + 2 * S)) == 2
    heart.pulse.introduce()
    assert len(heart.records(Room, now=ROOM_NS + 3 * S)) == 2


def test_the_centre_keeps_the_newest_word_whatever_comes_late(tmp_path: Path) -> None:
    first, second = Bedside(), Bedside(epoch=2)
    centre = Centre(f"sqlite:///{tmp_path / 'centre.db'}", Gate({first.gateway: "north"}))
    centre.take(first.grant(), second.grant(), first.vital(Room(9, 2, 5, 7200), Room(9, 1, 0, None)))
    [bed] = centre.store.beds()
    assert bed.rooms == (rows.Room("vital", RECEIVED, 0, None), rows.Room("wave", RECEIVED, 5, 7200))
    centre.take(second.vital(Room(3, 2, 4, 60)), first.vital(Room(99, 2, 1, 1)), second.vital(Room(2, 2, 8, 8)))
    [bed] = centre.store.beds()
    assert bed.rooms[1] == rows.Room("wave", RECEIVED, 4, 60)
    assert telling.bed(bed).rooms[1].model_dump() == {"word": "wave", "utc": RECEIVED, "waiting": 4, "seconds": 60}
    centre.store.close()


@pytest.mark.parametrize("room", [Room(0, 3, 0, 0), Room(0, 1, -1, 0), Room(0, 1, 0, -1), Room(0, 1, 0, 1 << 63)])
def test_a_room_that_is_none_is_refused(room: Room) -> None:
    with pytest.raises(BoundsError):
        check_records([room])


def told(online: bool, now_us: int, *rooms: tuple[str, int, int | None]) -> tuple[str, str]:
    """(words of the chip, words of the bed's page), by the page's own script."""
    node = shutil.which("node") or pytest.skip("node is not installed")
    bed = {"online": online, "rooms": [{"word": w, "utc": 0, "waiting": n, "seconds": s} for w, n, s in rooms]}
    script = f"""
import {{ roomOf, roomWords }} from {json.dumps((STATIC / "room.js").as_uri())};
const bed = {json.dumps(bed)};
console.log(JSON.stringify([roomOf(bed, {now_us})[2], roomWords(bed, {now_us})]));
"""
    ran = subprocess.run(
        [node, "--input-type=module", "-e", script], capture_output=True, text=True, timeout=20, check=True
    )
    chip, words = json.loads(ran.stdout)
    return chip, words


def test_the_page_says_it_in_plain_words() -> None:
    rooms = (("vital", 0, 36_000_000), ("wave", 13, 71 * 3600))
    assert told(True, 60_000_000, *rooms) == (
        "room for 71 h",
        "readings over 1000 h, waves 71 h (13 wait); said 1 min ago",
    )
    chip, words = told(False, 6 * HOUR_US, *rooms)
    assert (chip, words.split(";")[0]) == (
        "stored there, room for about 65 h more",
        "readings over 1000 h, waves 65 h (13 wait)",
    )
    assert told(False, 72 * HOUR_US, *rooms)[0].startswith("room at the gateway may be used up")


def test_unknown_is_said_as_unknown() -> None:
    assert told(True, 0) == ("room at the gateway unknown", "not said yet")
    assert told(False, 0, ("wave", 2, None)) == (
        "room at the gateway unknown",
        "waves unknown (2 wait); said 0 min ago",
    )
