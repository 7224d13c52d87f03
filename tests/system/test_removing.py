"""Retention on SQLite and on a real PostgreSQL: what is old goes, says that it went, and is never asked for again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs
from sqlalchemy import insert

from centre import deeds
from centre.config import Keep
from centre.counts import Counts
from centre.gate import Gate
from centre.ingest import Arrival, Ingest
from centre.ledger import Summary
from centre.retention import DAY_US, Removed, Retention
from centre.store import Store
from centre.store.keeping_schema import HOLD
from centre.web.covering import cover
from tests.sealed import BOUND, CATALOGUE, CENTRE, RECEIVED, Bedside, block, reading
from tests.system.test_store import opened, postgres, url  # noqa: F401 - fixtures
from wire import audit
from wire.records import Anchor, Association
from wire.topics import Class

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(32))
QUARTER_US = 900_000_000
NOW = RECEIVED + 100 * DAY_US
ALL = Keep(waves_days=30, readings_days=30, envelopes_days=30, evidence_days=30)


class Scene:
    """A gateway with four quarters of an hour: two of them came a hundred days ago, two today."""

    def __init__(self, store: Store) -> None:
        self.store, self.bedside = store, Bedside()
        self.counts = Counts()
        self.ingest = Ingest(store, Gate({self.bedside.gateway: "north"}), (CENTRE,), self.counts)
        self.sealed: list[Arrival] = []
        self.take(RECEIVED, self.bedside.grant(), self.bedside.vital(CATALOGUE, Anchor(10, RECEIVED, 250, "ntp")))
        for quarter in range(4):
            came = RECEIVED + quarter * QUARTER_US + (99 * DAY_US if quarter > 1 else 0)
            self.take(came, *self._said(quarter), self.bedside.manifest())

    def _said(self, quarter: int) -> list[Arrival]:
        begin = quarter * QUARTER_US
        who = Association(begin + 5, "scan", "validated", "n", f"p-{quarter}", "bed 12")
        readings = [reading(begin + 20 + n, str(n)) for n in range(10)]
        blocks = [structs.replace(block(1000 * quarter + 250 * n), t=begin + 30 + n) for n in range(4)]
        return [self.bedside.vital(who, *readings), self.bedside.wave(*blocks)]

    def take(self, received: int, *arrivals: Arrival) -> None:
        self.sealed += arrivals
        self.ingest.take([one._replace(received=received) for one in arrivals])

    def remove(self, keep: Keep = ALL, now: int = NOW, *, dry: bool = False) -> dict[str, Removed]:
        engine = self.store.engine

        def signs(connection, what, detail) -> None:  # type: ignore[no-untyped-def]
            deeds.sign(connection, SIGNER, now, what, detail)

        opens = engine.connect if dry else engine.begin
        done = list(Retention(keep, opens, signs, now, dry=dry, pause=lambda: True).run())
        assert len({one.kind for one in done}) == len(done)
        return {one.kind: one for one in done}

    def times(self) -> list[int]:
        return [one.t // QUARTER_US for one in self.store.readings(self.bedside.gateway, 1, 0, 1000)]

    def firsts(self) -> list[int]:
        return [run.first for run in self.store.samples(self.bedside.gateway, 1, 1, 0, 9999, 10**6)]


@pytest.fixture
def scene(opened: Callable[[], Store]) -> Scene:  # noqa: F811
    return Scene(opened())


def test_what_is_old_goes_and_says_so(scene: Scene, opened: Callable[[], Store]) -> None:  # noqa: F811
    before = scene.store.summary(scene.bedside.gateway)
    assert scene.remove(dry=True) == (told := scene.remove()), "a dry run says what is then done"
    assert (told["readings"].rows, told["waves"].rows) == (20, 8)
    assert scene.times() == [2] * 10 + [3] * 10
    assert scene.firsts() == [250 * n for n in range(8, 16)]
    found = scene.store.samples(scene.bedside.gateway, 1, 1, 0, 4000, 10**6)
    gaps = [gap for gap in scene.store.gaps(scene.bedside.gateway, 1) if gap.stream == 1]
    _, holes = cover(found, gaps, Fraction(500), 0, 4000)
    assert [(one.first, one.last, one.cause) for one in holes] == [(0, 2000, "removed by retention on 2027-04-25")]
    assert [gap.count for gap in scene.store.gaps(scene.bedside.gateway, 1, 0)] == [20], "and the readings"
    assert opened().summary(scene.bedside.gateway) == before == Summary(held=before.held)


def test_nothing_is_asked_for_or_taken_again(scene: Scene, opened: Callable[[], Store]) -> None:  # noqa: F811
    receipt = scene.store.receipt(scene.bedside.gateway)
    assert scene.remove()["envelopes"].rows == 2 * 2 + 1
    for store in (scene.store, opened()):
        assert store.receipt(scene.bedside.gateway) == receipt
        assert store.holes(scene.bedside.gateway).wanted == []
        counts = Counts()
        again = Ingest(store, Gate({scene.bedside.gateway: "north"}), (CENTRE,), counts)
        again.take(scene.sealed)
        assert counts.snapshot().get("envelopes", 0) == 0
        assert counts.snapshot()["duplicates"] == len(scene.sealed)
    assert len(scene.times()) == 20
    assert scene.remove() == {}, "there is nothing more to remove"


def test_each_removal_is_signed_and_the_lines_hang_together(scene: Scene) -> None:
    scene.remove(Keep(waves_days=30))
    scene.remove(Keep(readings_days=30))
    with scene.store.engine.connect() as connection:
        lines = [line.encode() for line in deeds.lines(connection)]
    assert audit.verify(lines, SIGNER.public_key()).count == 3
    assert [audit.read(line)[0].detail["kind"] for line in lines[1:]] == ["waves", "readings"]
    with pytest.raises(audit.AuditError):
        audit.verify([lines[0], lines[2]], SIGNER.public_key())


@pytest.mark.parametrize(
    ("hold", "kept"),
    [
        ({"gateway": "mine"}, [0, 1, 2, 3]),
        ({"gateway": "another"}, [2, 3]),
        ({"bed": "bed 12"}, [0, 1, 2, 3]),
        ({"pseudonym": "p-1"}, [1, 2, 3]),
        ({"pseudonym": "p-9"}, [2, 3]),
        ({"gateway": "mine", "until": RECEIVED + 60_000_000}, [0, 2, 3]),
        ({"gateway": "mine", "since": RECEIVED + QUARTER_US + 60_000_000}, [2, 3]),
        ({"pseudonym": "p-0", "lifted": 1}, [2, 3]),
    ],
)
def test_what_is_held_stays(scene: Scene, hold: dict[str, object], kept: list[int]) -> None:
    hold = {**hold, "gateway": scene.bedside.gateway if hold.get("gateway") == "mine" else hold.get("gateway", "")}
    with scene.store.engine.begin() as connection:
        words = {"bed": "", "pseudonym": "", "reason": "a court asked", "said": 1}
        connection.execute(insert(HOLD).values({**words, **hold}))
    told = scene.remove()
    assert sorted(set(scene.times())) == kept
    assert sorted({first // 1000 for first in scene.firsts()}) == kept
    if len(kept) > 2:
        assert "envelopes" not in told
        assert "evidence" not in told


def test_a_correction_of_an_earlier_minute_ends_no_hold(scene: Scene) -> None:
    """It was said next, and is of another time: the patient's time goes on."""
    span = ((1, 0), (1, 60_000_000))
    late = Association(2 * QUARTER_US - 5, "scan", "corrected", "n", "p", "b", *span)
    scene.take(RECEIVED, scene.bedside.vital(late))
    scene.take(RECEIVED, scene.bedside.vital(reading(2 * QUARTER_US - 4, "7")))
    with scene.store.engine.begin() as connection:
        words = {"gateway": "", "bed": "", "pseudonym": "p-1", "reason": "a court asked", "said": 1}
        connection.execute(insert(HOLD).values(words))
    scene.remove(Keep(readings_days=30))
    assert sorted(set(scene.times())) == [1, 2, 3]
    assert scene.times().count(1) == 11


def test_what_no_manifest_proves_keeps_its_hash(scene: Scene) -> None:
    scene.take(RECEIVED, scene.bedside.vital(BOUND))
    scene.remove(Keep(envelopes_days=30))
    again = Ingest(scene.store, Gate({scene.bedside.gateway: "north"}), (CENTRE,), counts := Counts())
    again.take([scene.sealed[-1]])
    assert counts.snapshot()["duplicates"] == 1
    assert scene.store.digest(scene_place(scene), 5) is not None


def scene_place(scene: Scene):  # type: ignore[no-untyped-def]
    from centre.ledger import Place

    return Place(scene.bedside.gateway, 1, Class.VITAL)


def test_days_are_counted_from_when_it_came_not_by_a_gateways_clock(scene: Scene) -> None:
    assert scene.remove(Keep(readings_days=200)) == {}
    assert scene.remove(Keep(readings_days=1))["readings"].rows == 20
    assert replace(scene.remove(Keep(readings_days=1), NOW + DAY_US)["readings"], first=0).rows == 20
