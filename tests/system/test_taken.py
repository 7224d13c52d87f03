"""TIM-09 from session to interface: a cuff with a memory, a clock of its own, and a battery that falls out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from centre.counts import Counts
from centre.gate import Gate
from centre.ingest import Ingest
from centre.store import Store
from centre.web.app import make_app
from drivers.contract import DeviceTime, Numeric
from tests.puppet import Scene
from tests.sealed import CENTRE, RECEIVED, Bedside
from tests.system.page_caller import ask
from wire.records import Anchor, Catalogue, Record, StreamInfo

SECOND = 1_000_000
HOUR = 3600 * SECOND
CUFF = Catalogue(
    0, 0, "gatt_blood_pressure", "none", "ble AA", "A&D", "UA-651BLE", "5181100123", "",
    [StreamInfo(0, "nibp.sys", 150021, "mm[Hg]")],
)  # fmt: skip


def at(utc: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=utc)).replace(tzinfo=None).isoformat()


class _Nobody:
    """No live source."""

    def subscribe(self, callback: Any, _gateway: str = "") -> Any:
        return callback


class Visits:
    """Each visit is an epoch of its own; `ahead`: what the cuff's clock is ahead of UTC."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(f"sqlite:///{folder / 'centre.db'}")
        self.gateway = Bedside().gateway
        self._ingest = Ingest(self.store, Gate({self.gateway: "north"}), (CENTRE,), Counts())

    def visit(self, epoch: int, utc: int, ahead: int, *taken_utc: tuple[int, int]) -> None:
        """At `utc` the cuff says its clock, then its memory: (UTC when taken, what its clock was ahead then)."""
        scene = Scene()
        said = [Numeric("nibp.sys", Decimal(120), "mm[Hg]", taken=DeviceTime(at(t + by))) for t, by in taken_utc]
        scene.hear(5 * SECOND, DeviceTime(at(utc + ahead)), *said)
        heard = [record for record in scene.take(6 * SECOND)[0] if not isinstance(record, Catalogue)]
        records: list[Record] = [CUFF, Anchor(5 * SECOND, utc, 20_000, "ntp"), *heard]
        bedside = Bedside(epoch=epoch)
        arrivals = [bedside.grant(), bedside.vital(*records)]
        self._ingest.take(one._replace(received=utc + SECOND) for one in arrivals)

    def told(self, epoch: int) -> list[dict[str, Any]]:
        app = make_app(self.store, _Nobody(), now=lambda: RECEIVED)
        answer = ask(app, f"/api/beds/{self.gateway}/numerics?epoch={epoch}&since=0").json()
        return [one["taken"] for one in answer["numerics"]]


def test_only_what_lies_between_two_visits_of_one_time_line_becomes_utc(tmp_path: Path) -> None:
    """The clock began at 2000-01-01; it is dated all the same, but for what it kept from before we ever saw it."""
    visits, begin = Visits(tmp_path), RECEIVED
    ahead = round(datetime(2000, 1, 1, 0, 6, tzinfo=UTC).timestamp()) * SECOND - begin
    old, new = begin - 9 * HOUR, begin + 5 * HOUR
    visits.visit(1, begin, ahead, (old, ahead))
    visits.visit(2, begin + 24 * HOUR, ahead, (new, ahead))
    [first], [second] = visits.told(1), visits.told(2)
    visits.store.close()
    assert first["said"].startswith("1999-12-31T15:06:00")
    assert (first["utc"], first["error"], first["grade"]) == (None, None, "X")
    assert begin <= first["latest"] <= begin + SECOND
    assert second["said"] == at(new + ahead)
    assert abs(second["utc"] - new) <= second["error"] <= 10 * SECOND
    assert second["grade"] == "C"


def test_six_minutes_ahead_and_a_jump_in_the_middle_of_the_download(tmp_path: Path) -> None:
    visits, begin, six = Visits(tmp_path), RECEIVED, 360 * SECOND
    reset = round(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * SECOND - (begin + 30 * HOUR)
    kept = [begin + n * HOUR for n in (5, 27, 33)]
    visits.visit(1, begin, six)
    visits.visit(2, begin + 24 * HOUR, six, (kept[0], six))
    visits.visit(3, begin + 48 * HOUR, reset, (kept[1], six), (kept[2], reset))
    visits.visit(4, begin + 72 * HOUR, reset)
    [before], [lost, after] = visits.told(2), visits.told(3)
    visits.store.close()
    assert abs(before["utc"] - kept[0]) <= before["error"]
    assert lost["utc"] is None
    assert lost["said"] == at(kept[1] + six)
    assert after["utc"] is None, "its time line was not seen before it"
