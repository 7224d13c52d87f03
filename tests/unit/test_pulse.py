"""The beat: what is due by time is said, in order, and whatever was heard fits into envelopes."""

import hashlib

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import pulse
from agent.pulse import ANCHOR_NS, BUNDLE_GOAL_BYTES, HOUR_NS, LINES_NS, MANIFEST_NS, Pulse
from drivers.contract import Alarm, Numeric, Phase, Wave
from tests.puppet import ECG, Scene, wave
from wire import bundle, codec
from wire.envelope import ENVELOPE_LIMIT_BYTES
from wire.keys import RecipientSecret
from wire.records import AlarmAt, Anchor, Association, Boot, Catalogue, EnvelopeGap, Line, NumericAt
from wire.seal import Opener, Sealer
from wire.statement import Ended, Grant, Manifest
from wire.topics import Class

SECOND_NS = 1_000_000_000
CENTRE = RecipientSecret("x25519", bytes(range(32)))
UTC_US = 1_800_000_000_000_000


class Heart:
    """A pulse over a scene, with a clock the test sets, and the centre's side of it."""

    def __init__(self, **given: int) -> None:
        self.scene = Scene()
        self.now = 0
        self.utc_step = 0
        self.error: int | None = 500
        self.is_set = True
        sealer = Sealer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), [CENTRE.recipient], 3, bytes(8))
        self.opener = Opener(sealer.gateway, [CENTRE])
        self.pulse = Pulse(self.scene.ward, sealer, self.anchor, "bed 3", **given)

    def anchor(self) -> Anchor | None:
        t = self.now // 1000
        return Anchor(t, UTC_US + t + self.utc_step, self.error, "ntp") if self.is_set else None

    def beat(self, now: int | None = None, last: bool = False):
        """[(header, statement or records or blocks)] of one beat, each opened in the order it came."""
        self.now = self.now + SECOND_NS if now is None else now
        out = []
        for header, data in self.pulse.beat(self.now, last):
            assert len(data) <= ENVELOPE_LIMIT_BYTES
            if header.cls is Class.KEY:
                out.append(self.opener.statement(data))
            else:
                read = bundle.read_vital if header.cls is Class.VITAL else bundle.read_wave
                out.append((header, read(self.opener.open(data)[1])))
        return out

    def records(self, kind, **given):
        """The records of this kind in the next beat."""
        beat = self.beat(**given)
        return [r for header, said in beat if header.cls is Class.VITAL for r in said if isinstance(r, kind)]


def statements(beat, kind):
    return [said for header, said in beat if header.cls is Class.KEY and isinstance(said, kind)]


@pytest.fixture
def heart() -> Heart:
    return Heart()


def test_a_grant_comes_before_anything_sealed_under_it(heart) -> None:
    """`beat` opens envelopes in the order they came, so a late grant is an error there."""
    for now in (0, HOUR_NS - 1, HOUR_NS, HOUR_NS + 1, 2 * HOUR_NS + 1):
        heart.scene.hear(now // 1000, Numeric("spo2", 97, "%"), wave(None, 10))
        beat = heart.beat(now)
        hours = {header.hour for header, _ in beat}
        assert len(hours) == 1
        assert len(statements(beat, Grant)) == (now in (0, HOUR_NS, 2 * HOUR_NS + 1))


def test_a_new_hour_introduces_everybody_again(heart) -> None:
    heart.scene.hear(0, Numeric("spo2", 97, "%"))
    heart.beat(0)
    heart.beat(1)
    kinds = [type(record) for record in heart.records((Catalogue, Association, Anchor), now=HOUR_NS)]
    assert kinds == [Anchor, Catalogue, Association]


def test_a_manifest_comes_each_minute_and_at_the_end_and_lists_everything(heart) -> None:
    made = []
    for second in range(0, 130):
        heart.now = second * SECOND_NS
        heart.scene.hear(second * 1_000_000, Numeric("spo2", second, "%"))
        made += heart.pulse.beat(heart.now)
    heart.scene.hear(131_000_000, Numeric("spo2", 1, "%"))
    made += heart.pulse.beat(131 * SECOND_NS, last=True)
    said = [heart.opener.statement(data)[1] for header, data in made if header.cls is Class.KEY]
    manifests = [one for one in said if isinstance(one, Manifest)]
    assert len(manifests) == 130 * SECOND_NS // MANIFEST_NS + 2
    listed = [(s.first, s.count, s.digest) for m in manifests for s in m.sealed if s.cls == Class.VITAL]
    leaves = [hashlib.sha256(data).digest() for header, data in made if header.cls is Class.VITAL]
    assert sum(count for _, count, _ in listed) == len(leaves)
    for first, count, digest in listed:
        assert hashlib.sha256(b"".join(leaves[first : first + count])).digest() == digest


def test_a_beat_without_anything_makes_nothing(heart) -> None:
    heart.beat(0)
    heart.beat(1)
    assert heart.beat(2) == []


def test_somebody_who_comes_is_told_who_is_here(heart) -> None:
    heart.scene.hear(0, Numeric("spo2", 97, "%"))
    heart.beat(0)
    assert heart.records(Catalogue) == []
    heart.pulse.introduce()
    assert [c.session for c in heart.records(Catalogue)] == [0]
    assert heart.records(Catalogue) == []
    heart.pulse.introduce()
    assert [a.bed for a in heart.records(Association)] == ["bed 3"]


def test_anchors_come_at_the_start_each_quarter_and_when_the_clock_steps(heart) -> None:
    assert [a.source for a in heart.records(Anchor, now=0)] == ["ntp"]
    assert heart.records(Anchor) == []
    heart.utc_step = 40_000
    assert heart.records(Anchor) == [], "a slew is no step"
    heart.utc_step = -60_000
    assert [a.utc for a in heart.records(Anchor)] == [UTC_US + heart.now // 1000 - 60_000]
    assert heart.records(Anchor) == []
    assert len(heart.records(Anchor, now=heart.now + ANCHOR_NS)) == 1


def test_an_anchor_comes_when_utc_becomes_known_or_unknown(heart) -> None:
    heart.is_set = False
    assert heart.records(Anchor, now=0) == []
    heart.is_set = True
    assert len(heart.records(Anchor)) == 1
    heart.error = None
    assert [a.error for a in heart.records(Anchor)] == [None]
    assert heart.records(Anchor) == []


def test_an_anchor_comes_when_the_time_is_known_twice_as_well_and_at_the_end(heart) -> None:
    heart.error = 1_000_000
    assert len(heart.records(Anchor, now=0)) == 1
    heart.error = 501_000
    assert heart.records(Anchor) == []
    heart.error = 500_000
    assert [a.error for a in heart.records(Anchor)] == [500_000]
    heart.error = 50_001
    assert len(heart.records(Anchor)) == 1
    heart.error = 500
    assert len(heart.records(Anchor)) == 1
    assert heart.records(Anchor, now=heart.now + 400 * SECOND_NS) == [], "41 ms by then: good enough for a while"
    assert len(heart.records(Anchor, last=True)) == 1


def test_who_boots_is_said_first_and_to_everybody_who_comes(heart) -> None:
    heart.pulse.boot = (bytes(range(16)), 7)
    assert heart.records(Boot, now=0) == [Boot(0, bytes(range(16)), 7)]
    assert heart.records(Boot) == []
    heart.pulse.introduce()
    assert [one.count for one in heart.records(Boot)] == [7]


def test_steps_of_years_every_ten_seconds_change_nothing_but_anchors() -> None:
    """TIM-01: no wall clock takes part in what is said, in its order or its numbers."""
    told = []
    for steps in (False, True):
        heart = Heart()
        said = []
        for second in range(60):
            if steps and second % 10 == 9:
                heart.utc_step += (-1) ** (second // 10) * 10 * 365 * 86_400 * 1_000_000
                heart.error = None if second % 20 == 9 else 500
            heart.scene.hear(second * 1_000_000, Numeric("spo2", second, "%"), wave(None, 10))
            said += heart.beat(second * SECOND_NS, last=second == 59)
        told.append(said)
    plain, stepped = ([(h, _but_anchors(one)) for h, one in said if h.cls is not Class.KEY] for said in told)
    assert plain == stepped
    anchors = [sum(isinstance(r, Anchor) for h, one in said if h.cls is Class.VITAL for r in one) for said in told]
    assert anchors[1] >= anchors[0] + 5


def _but_anchors(said: list) -> list:
    return [one for one in said if not isinstance(one, Anchor)]


def test_what_is_lost_is_declared_once(heart) -> None:
    heart.beat(0)
    heart.pulse.lost(5, 2, 1, [(10, 20), (30, 30)], "storage")
    assert heart.records(EnvelopeGap) == [
        EnvelopeGap(5, 2, 1, 10, 20, "storage"),
        EnvelopeGap(5, 2, 1, 30, 30, "storage"),
    ]
    assert heart.records(EnvelopeGap) == []


def test_a_grant_that_is_lost_is_made_again_with_the_ends_of_earlier_epochs(heart) -> None:
    """Without it nothing of this hour could be opened, the word about the loss not either."""
    heart.pulse.ended([(1, 1, 50)])
    (grant,) = statements(heart.beat(0), Grant)
    heart.pulse.lost(5, 2, Class.KEY, [(0, 2)], "evicted")
    assert statements(heart.beat(), Grant | Ended) == []
    heart.pulse.lost(5, 3, Class.KEY, [(0, 2)], "evicted")
    beat = heart.beat()
    assert [again.shares for again in statements(beat, Grant)] == [grant.shares]
    assert statements(beat, Ended) == [Ended([(1, 1, 50)], [], bytes(8))]
    assert statements(heart.beat(), Grant | Ended) == []


def test_the_end_of_earlier_epochs_is_stated_before_the_first_grant(heart) -> None:
    assert heart.pulse.ended([]) == []
    (made,) = heart.pulse.ended([(1, 1, 50), (2, 1, 7)])
    assert heart.opener.statement(made[1])[1] == Ended([(1, 1, 50), (2, 1, 7)], [], bytes(8))
    assert made[0].seq == 0
    assert heart.beat(0)[0][0].seq == 1


def test_line_counts_come_at_most_every_ten_seconds(heart) -> None:
    heart.scene.driver.counts.bad = 1
    assert len(heart.records(Line, now=0)) == 1
    heart.scene.driver.counts.bad = 2
    assert heart.records(Line, now=LINES_NS - 1) == []
    assert [line.bad for line in heart.records(Line, now=LINES_NS)] == [2]


def test_more_records_than_a_bundle_holds_go_in_several_in_order(heart) -> None:
    """A minute of hostile alarms, as a tape plays it after a kill: 5000 texts of 200 letters, 3 bytes each."""
    heart.beat(0)
    for t in range(5000):
        heart.scene.hear(t, Alarm("X", "\x00" * 300, "high", Phase.ON), Numeric("spo2", t, "%"))
    beat = heart.beat()
    vital = [said for header, said in beat if header.cls is Class.VITAL]
    assert len(vital) > 5000 * 600 // BUNDLE_GOAL_BYTES
    assert all(len(bundle.pack_vital(said)) <= BUNDLE_GOAL_BYTES for said in vital)
    alarms = [r.t for said in vital for r in said if isinstance(r, AlarmAt)]
    values = [r.value for said in vital for r in said if isinstance(r, NumericAt)]
    assert alarms == values == list(range(5000))


def test_more_samples_than_an_envelope_holds_go_in_several(heart) -> None:
    noise = np.random.default_rng(2).integers(-(2**31), 2**31, 100_000)
    heart.scene.hear(0, *[Wave(f"ecg.v{n}", tuple(noise.tolist()), ECG) for n in range(1, 9)])
    blocks = [b for header, said in heart.beat(0) if header.cls is Class.WAVE for b in said]
    for stream in range(8):
        mine = [
            codec.decode(b.coded, b.rows, b.count)[stream - b.stream] for b in blocks if 0 <= stream - b.stream < b.rows
        ]
        assert np.array_equal(np.concatenate(mine), noise)


def test_more_samples_than_a_bundle_may_say_go_in_several(heart, monkeypatch) -> None:
    """Flat lines take few bytes: what bounds them is what a reader would have to make of them."""
    monkeypatch.setattr(pulse, "BUNDLE_SAMPLES_LIMIT", 1000)
    heart.beat()
    heart.scene.hear(1, *[Wave(f"x:{n}", (0,) * (300 + n), ECG) for n in range(10)])
    made = [said for header, said in heart.beat() if header.cls is Class.WAVE]
    assert sum(bundle.samples_of(blocks) for blocks in made) == 3045
    assert len(made) > 2
    assert all(bundle.samples_of(blocks) <= 1000 for blocks in made)


def test_numbers_of_a_class_have_no_holes(heart) -> None:
    seen: dict[Class, list[int]] = {}
    for second in range(200):
        heart.scene.hear(second * 1_000_000, Numeric("spo2", 97, "%"), wave(None, 10))
        for header, _ in heart.beat(second * SECOND_NS * 60):
            seen.setdefault(header.cls, []).append(header.seq)
    assert all(numbers == list(range(len(numbers))) for numbers in seen.values())


def test_no_envelope_is_larger_than_the_spool_takes() -> None:
    heart = Heart(limit_bytes=8192)
    heart.beat()
    for n in range(500):
        heart.scene.hear(n, Alarm("CODE", "x" * 60, "high", Phase.ON))
    made = [data for _, data in heart.pulse.beat(2 * SECOND_NS)]
    assert len(made) > 3
    assert max(map(len, made)) <= 8192
