"""The store on SQLite and on a real PostgreSQL: what goes in comes out, whole or not at all."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import psycopg
import pytest

from centre import rows
from centre.counts import Counts
from centre.gate import Gate
from centre.ingest import Arrival, Ingest
from centre.ledger import Place, Summary
from centre.store import Store, StoreError, write
from tests.sealed import BOUND, CATALOGUE, CENTRE, RECEIVED, Bedside, block, reading, values
from wire import records
from wire.records import AlarmAt, Anchor, DeviceTimeAt, EnvelopeGap, MarkAt, NumericAt, StreamGap
from wire.topics import Class

LIMIT = 10**6
ROOT = Path(__file__).parents[2]
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


class Postgres:
    """A server of our own on a socket in a temporary folder; PostgreSQL refuses to run as root."""

    def __init__(self) -> None:
        assert BINARIES, "no PostgreSQL in /usr/lib/postgresql: install it (Debian: apt-get install postgresql)"
        self.folder = Path(tempfile.mkdtemp(prefix="wardlink-pg-"))
        self._numbers = itertools.count()
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        data = str(self.folder / "data")
        self._run("initdb", "-D", data, "-U", "ward", "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale")
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c shared_buffers=16MB"
        self._run("pg_ctl", "-D", data, "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def _run(self, name: str, *arguments: str) -> None:
        become = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        command = [*become, str(BINARIES[-1] / name), *arguments]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/")
        assert done.returncode == 0, done.stdout.decode()

    def database(self) -> str:
        """The address of a fresh database."""
        name = f"ward{next(self._numbers)}"
        with psycopg.connect(f"host={self.folder} user=ward dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://ward@/{name}?host={self.folder}"

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'centre.db'}"
    return str(request.getfixturevalue("postgres").database())


@pytest.fixture
def opened(url: str) -> Iterator[Callable[[], Store]]:
    """Opens the store of the test, as often as it likes."""
    stores: list[Store] = []

    def another() -> Store:
        stores.append(Store(url))
        return stores[-1]

    yield another
    for store in stores:
        store.close()


def fill(store: Store, bedside: Bedside, *arrivals: Arrival) -> None:
    counts = Counts()
    ingest = Ingest(store, Gate({bedside.gateway: "north"}), (CENTRE,), counts)
    ingest.take(arrivals)
    while ingest.behind:
        ingest.take([])
    refused = {name: n for name, n in counts.snapshot().items() if name.startswith("refused") and n}
    assert not refused


def test_records_come_back_as_they_were_said(opened: Callable[[], Store]) -> None:
    store, bedside = opened(), Bedside()
    gateway = bedside.gateway
    said = [
        CATALOGUE,
        BOUND,
        Anchor(3, RECEIVED, 250, "ntp"),
        Anchor(4, RECEIVED + 1, None, "none"),
        NumericAt(5, 0, Decimal("97.50"), "questionable"),
        NumericAt(6, 0, None, "sensor-off"),
        NumericAt(7, 0, 0),
        AlarmAt(8, 0, "196648", "SpO₂ low\0\N{RIGHT-TO-LEFT OVERRIDE}", "high", "start", "spo2"),
        DeviceTimeAt(9, 0, "2000-01-01T00:00:06", 600, (100, 1)),
        StreamGap(10, 1, 250, None, "device"),
    ]
    fill(store, bedside, bedside.grant(), bedside.vital(*said))
    again = opened()
    assert again.beds() == store.beds()
    assert [store.bed(bed.gateway) for bed in store.beds()] == store.beds()
    assert store.bed("nobody") is None
    assert list(again.datings(gateway, 1)[-1].anchors) == [
        rows.Anchored(1, 3, RECEIVED, 250, "ntp"),
        rows.Anchored(1, 4, RECEIVED + 1, None, "none"),
    ]
    found = again.readings(gateway, 1, 0, 10)
    assert [(str(r.value), r.why) for r in found] == [("97.50", "questionable"), ("None", "sensor-off"), ("0", "")]
    assert again.readings(gateway, 1, None, 10) == [found[-1]]
    assert again.readings(gateway, 1, 6, 1) == [found[1]]
    alarm, clock = again.notices(gateway, 1, 0, 10)
    assert alarm == rows.Notice(
        1, 0, 8, "alarm", "196648", "start", "SpO₂ low␀\N{RIGHT-TO-LEFT OVERRIDE}", "spo2", "high"
    )
    assert (clock.kind, clock.code, clock.text) == ("device-time", "2000-01-01T00:00:06", "600 ticks of 100/1 Hz")
    assert again.notices(gateway, 1, None, 1) == [clock]
    assert again.gaps(gateway, 1) == again.gaps(gateway, 1, 1) == [rows.Gap(1, 1, 10, 250, None, "device")]
    assert again.gaps(gateway, 1, 2) == []
    assert again.streams(gateway)[1].gain == Fraction(1, 1000)
    assert again.streams(gateway, 2) == again.streams("nobody") == []


def test_every_kind_of_record_has_a_place(opened: Callable[[], Store]) -> None:
    store, bedside = opened(), Bedside()
    others = [
        records.StatusAt(1, 0, "no-probe", "start"),
        records.SessionAt(2, 0, "closed", "unplugged"),
        records.PatientIdAt(3, 0, "4711", "Doe"),
        records.Line(4, 0, 10, 2, 3),
    ]
    fill(store, bedside, bedside.grant(), bedside.vital(CATALOGUE, *others, EnvelopeGap(5, 1, 2, 0, 3, "overflow")))
    assert [n.kind for n in store.notices(bedside.gateway, 1, 0, 9)] == ["status", "session", "patient-id", "line"]
    assert opened().summary(bedside.gateway) == Summary(held=2, lost=4)


def test_waves_come_back_by_index(opened: Callable[[], Store]) -> None:
    store, bedside = opened(), Bedside()
    marks = [MarkAt(0, 3, "beat"), MarkAt(1, 9, "pace", 2)]
    blocks = [block(250 * i, marks=marks if i == 2 else ()) for i in (0, 1, 2, 4)]
    fill(store, bedside, bedside.grant(), bedside.wave(*blocks[2:]), bedside.wave(*blocks[:2]))
    gateway = bedside.gateway
    assert store.last_index(gateway, 1, 1) == store.last_index(gateway, 1, 2) == 1250
    assert store.last_index(gateway, 1, 0) is None
    found = store.samples(gateway, 1, 2, 499, 1001, LIMIT)
    assert [run.first for run in found] == [250, 500, 1000]
    for run in found:
        assert np.array_equal(run.values, values(run.first, 250)[1])
    assert found[1].marks == (marks[1],)
    assert [run.first for run in store.samples(gateway, 1, 1, 500, 750, LIMIT)] == [500]
    assert [run.first for run in store.samples(gateway, 1, 1, 0, 9999, 600)] == [0, 250]
    assert store.samples(gateway, 1, 3, 0, 9999, LIMIT) == store.samples("nobody", 1, 1, 0, 9999, LIMIT) == []


def test_the_ledger_is_the_same_after_a_restart(opened: Callable[[], Store]) -> None:
    store, bedside = opened(), Bedside()
    grant = bedside.grant()
    sealed = [bedside.wave(block(250 * i)) for i in range(9)]
    manifest = bedside.manifest()
    fill(store, bedside, grant, *sealed[:3], *sealed[5:7], manifest)
    fill(store, bedside, sealed[0], bedside.vital(EnvelopeGap(1, 1, 2, 3, 3, "power")))
    again, place = opened(), Place(bedside.gateway, 1, Class.WAVE)
    assert again.receipt(bedside.gateway) == store.receipt(bedside.gateway)
    assert again.receipt(bedside.gateway)[2].ranges == [(0, 2), (5, 6)]
    assert again.missing(place) == store.missing(place) == [(4, 4), (7, 8)]
    assert again.summary(bedside.gateway) == store.summary(bedside.gateway) == Summary(9 - 1, 3, 1, 1)


def test_an_older_catalogue_that_comes_later_does_not_undo_the_newer(opened: Callable[[], Store]) -> None:
    store, bedside = opened(), Bedside()
    newer = records.Catalogue(9, 0, "nonin_9560", "sum", "usb-2", "Nonin", "9560", "501", "1.3", CATALOGUE.streams)
    grant, first, second = bedside.grant(), bedside.vital(CATALOGUE), bedside.vital(newer)
    fill(store, bedside, grant, second)
    fill(store, bedside, first)
    assert {stream.port for stream in store.streams(bedside.gateway)} == {"usb-2"}


def test_two_writers_do_not_double_anything(opened: Callable[[], Store]) -> None:
    """The database decides what is new: a second process, whose ledger knows nothing of the first, adds only copies."""
    one, bedside = opened(), Bedside()
    one.enrol([(bedside.address, "bed 12")])
    two = opened()
    arrivals = [bedside.grant(), bedside.vital(CATALOGUE, reading(5)), bedside.wave(block(0))]
    fill(one, bedside, *arrivals)
    fill(two, bedside, *arrivals)
    assert len(one.readings(bedside.gateway, 1, 0, 10)) == 1
    assert opened().summary(bedside.gateway) == two.summary(bedside.gateway) == Summary(held=3, duplicates=3)


def test_pages_read_while_ingest_writes(opened: Callable[[], Store]) -> None:
    store, bedside = opened(), Bedside()
    fill(store, bedside, bedside.grant(), bedside.vital(CATALOGUE))
    ending, wrong = threading.Event(), []

    def look() -> None:
        seen = 0
        while not ending.is_set():
            end = store.last_index(bedside.gateway, 1, 1) or 0
            runs = store.samples(bedside.gateway, 1, 1, 0, end, LIMIT)
            if sum(len(run.values) for run in runs) != end or end < seen or not store.beds():
                wrong.append(end)
            seen = end

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    for i in range(40):
        fill(store, bedside, bedside.wave(block(250 * i)))
    ending.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert store.last_index(bedside.gateway, 1, 1) == 10_000


def test_what_waits_is_bounded(opened: Callable[[], Store], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "PARKED_LIMIT_COUNT", 20)
    monkeypatch.setattr(write, "_PARKED_ROOM_COUNT", 5)
    store, bedside = opened(), Bedside()
    bedside.grant()
    waiting = [bedside.vital(reading(i))._replace(received=RECEIVED + i) for i in range(30)]
    counts = Counts()
    ingest = Ingest(store, Gate({bedside.gateway: "north"}), (CENTRE,), counts)
    for arrival in waiting:
        ingest.take([arrival])
    left = store.parked((bedside.gateway, 1, 0), 100)
    assert [parked.header.seq for parked in left] == list(range(12, 30))
    assert counts.snapshot()["parked_dropped"] == 12


def test_killed_before_the_commit_there_is_nothing_of_it(url: str, opened: Callable[[], Store]) -> None:
    store, bedside = opened(), Bedside()
    fill(store, bedside, bedside.grant(), bedside.vital(CATALOGUE))
    script = Path(__file__).with_name("killed_before_commit.py")
    done = subprocess.run(
        [sys.executable, str(script), url], check=False, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == -signal.SIGKILL
    again = opened()
    assert again.summary(bedside.gateway) == Summary(held=2)
    assert again.readings(bedside.gateway, 1, 0, 10) == []
    assert again.last_index(bedside.gateway, 1, 1) is None


def test_a_store_that_cannot_be_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open") as failed:
        Store(f"sqlite:///{tmp_path}/no/such/folder.db")
    assert failed.value.hint
    (tmp_path / "text.db").write_text("this is no database, and longer than a header of one would be" * 20)
    with pytest.raises(StoreError, match="not a database"):
        Store(f"sqlite:///{tmp_path / 'text.db'}")


def test_a_store_of_another_version_is_left_alone(url: str, opened: Callable[[], Store]) -> None:
    import sqlalchemy

    opened()
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text('UPDATE "schema" SET version = 99'))
    engine.dispose()
    with pytest.raises(StoreError, match="version 99"):
        Store(url)


def test_what_dates_an_epoch_comes_with_its_boot_and_its_neighbours(opened: Callable[[], Store]) -> None:
    store = opened()
    lives = {epoch: Bedside(epoch=epoch) for epoch in range(1, 6)}
    boots = {1: b"a", 2: b"b", 3: b"c", 4: b"c", 5: b"d"}
    for epoch, bedside in lives.items():
        known = [Anchor(20, RECEIVED + epoch, 250, "ntp")] if epoch in (1, 2, 5) else []
        said = (records.Boot(10, boots[epoch] * 16, epoch), *known, reading(30))
        fill(store, bedside, bedside.grant(), bedside.vital(*said))
    gateway = lives[1].gateway
    found = store.datings(gateway, 3)
    assert [(one.epoch, one.boot[:1], len(one.anchors)) for one in found] == [
        (2, b"b", 1),
        (3, b"c", 0),
        (4, b"c", 0),
        (5, b"d", 1),
    ]
    assert found[0].arrived == (rows.Arrived(2, 10, 30, 30, RECEIVED),)
    assert [one.epoch for one in store.datings(gateway, 1)] == [1, 2]
    assert opened().datings(gateway, 3) == found


def test_of_a_stretch_the_envelope_counts_that_came_soonest(opened: Callable[[], Store]) -> None:
    store, bedside = opened(), Bedside()
    fill(store, bedside, bedside.grant())
    for t, late in ((5_000_000, 700), (1_000_000, 900), (9_000_000, 300), (7_000_000, 200), (901_000_000, 100)):
        arrival = bedside.vital(reading(t))
        fill(store, bedside, arrival._replace(received=RECEIVED + t + late))
    [dated] = store.datings(bedside.gateway, 1)
    assert dated.arrived == (
        rows.Arrived(1, 1_000_000, 9_000_000, 7_000_000, RECEIVED + 7_000_200),
        rows.Arrived(1, 901_000_000, 901_000_000, 901_000_000, RECEIVED + 901_000_100),
    )
