"""Sessions: what a driver says becomes records, runs and gaps; nothing it says can harm what others say."""

from decimal import Decimal
from fractions import Fraction

import msgspec
import numpy as np
import pytest

from agent.sessions.session import DIGITS_LIMIT_COUNT, STREAMS_LIMIT_COUNT, TEXT_LIMIT_LETTERS
from agent.sessions.track import RUN_LIMIT_SAMPLES, SILENCE_LIMIT_US
from agent.sessions.ward import BLOCK_LIMIT_SAMPLES
from drivers.contract import (
    Alarm,
    DeviceTime,
    Identity,
    Mark,
    Numeric,
    PatientId,
    Phase,
    Read,
    Scale,
    Send,
    Status,
    Subscribe,
    Wave,
    Why,
)
from tests.puppet import ECG, SECOND_US, SLOW, Puppet, Scene, wave
from wire import bundle, codec
from wire.records import AlarmAt, Catalogue, Line, MarkAt, NumericAt, SessionAt, StatusAt, StreamGap


@pytest.fixture
def scene() -> Scene:
    return Scene()


def of(kind, records):
    return [record for record in records if isinstance(record, kind)]


@pytest.mark.parametrize(
    ("counters", "wraps", "gap"),
    [
        ((0, 10), 0, None),
        ((0, 12), 0, (10, 2, "device-lost")),
        ((250, 4), 256, None),
        ((250, 7), 256, (10, 3, "device-lost")),
        ((5, 0), 0, (10, None, "device-restarted")),
        ((0, 1 << 60), 0, (10, None, "device-restarted")),
        ((60_000, 0), 65_536, (10, None, "device-restarted")),
        ((10, 10), 65_536, (10, None, "device-restarted")),
    ],
)
def test_a_jump_of_the_devices_counter_is_a_gap(scene, counters, wraps, gap) -> None:
    """The last three: more samples than the time between the two allows were never sampled."""
    for at, first in enumerate(counters):
        scene.hear(at * 20_000, wave(first, 10, wraps))
    records, blocks = scene.take()
    found = [(g.first, g.count, g.cause) for g in of(StreamGap, records)]
    assert found == ([] if gap is None else [gap])
    lost = gap[1] or 0 if gap else 0
    assert blocks[-1].first + blocks[-1].count == 20 + lost
    assert sum(block.count for block in blocks) == 20


def test_what_was_lost_in_a_long_pause_is_counted_where_the_counter_cannot_wrap(scene) -> None:
    scene.hear(0, wave(0, 10))
    scene.hear(100 * SECOND_US, wave(50_000, 10))
    assert scene.gaps() == [(10, 49_990, "device-lost")]


@pytest.mark.parametrize("first", [10, 17])
def test_after_a_long_pause_a_counter_that_wraps_tells_nothing(scene, first) -> None:
    """Not even where it goes on in step."""
    scene.hear(0, wave(0, 10, 256))
    scene.hear(SILENCE_LIMIT_US + 1, wave(first, 10, 256))
    assert scene.gaps() == [(10, None, "device-silent")]


def test_a_counter_that_cannot_have_gone_round_in_the_pause_is_believed(scene) -> None:
    scene.hear(0, wave(0, 10, 65_536))
    scene.hear(3 * SECOND_US, wave(1510, 10, 65_536))
    assert scene.gaps() == [(10, 1500, "device-lost")]


def test_silence_without_a_counter_is_a_gap_of_unknown_size(scene) -> None:
    scene.hear(0, wave(None, 10))
    scene.hear(SILENCE_LIMIT_US, wave(None, 10))
    scene.hear(2 * SILENCE_LIMIT_US + 1, wave(None, 10))
    assert scene.gaps() == [(20, None, "device-silent")]


def test_bytes_in_no_frame_are_a_gap_on_every_wave_once(scene) -> None:
    scene.hear(0, wave(None, 10), wave(None, 10, channel="pleth", scale=SLOW))
    for t in range(1, 100):
        scene.driver.counts.skipped += 7
        scene.hear(t)
    assert scene.gaps() == [(10, None, "parse")] * 2
    scene.hear(200, wave(None, 5))
    scene.driver.counts.skipped += 1
    scene.hear(201)
    assert scene.gaps() == [(15, None, "parse")]


def test_garbage_before_the_first_sample_is_no_gap(scene) -> None:
    scene.driver.counts.skipped = 100
    scene.hear(0, wave(None, 10))
    assert scene.gaps() == []


def test_a_run_ends_at_a_gap_and_indexes_count_what_is_missing(scene) -> None:
    for t, first in ((0, 100), (20_000, 110), (40_000, 125)):
        scene.hear(t, wave(first, 10))
    records, blocks = scene.take()
    assert [(b.first, b.count) for b in blocks] == [(0, 20), (25, 10)]
    assert of(Catalogue, records)[0].streams[0].counter == 100
    assert np.array_equal(codec.decode(blocks[0].coded, 1, 20)[0], [*range(10), *range(10)])


def test_marks_stand_where_they_were_said_across_chunks_and_bundles(scene) -> None:
    scene.hear(0, wave(None, 10))
    scene.hear(20_000, Wave("ecg.ii", tuple(range(10)), ECG, marks=(Mark(3, "beat"), Mark(8, "lead-off", 99))))
    (block,) = scene.take()[1]
    assert block.marks == [MarkAt(0, 13, "beat", 1), MarkAt(0, 18, "lead-off", 2)]
    scene.hear(40_000, Wave("ecg.ii", tuple(range(10)), ECG, marks=(Mark(0, "pace"), Mark(10, "beyond"))))
    (block,) = scene.take()[1]
    assert (block.first, block.marks) == (20, [MarkAt(0, 0, "pace", 1)])


def test_a_chunk_larger_than_a_block_is_cut_and_nothing_is_lost(scene) -> None:
    count = 3 * RUN_LIMIT_SAMPLES + 5
    samples = tuple(at % 1000 for at in range(count))
    marks = (Mark(RUN_LIMIT_SAMPLES - 1, "long", 3),)
    scene.hear(0, wave(None, 7), Wave("ecg.ii", samples, ECG, marks=marks))
    blocks = scene.take()[1]
    heard = np.concatenate([codec.decode(b.coded, 1, b.count)[0] for b in blocks])
    assert np.array_equal(heard, [*range(7), *samples])
    assert [b.first for b in blocks] == [sum(b.count for b in blocks[:at]) for at in range(len(blocks))]
    assert [(b.first + m.at, m.count) for b in blocks for m in b.marks] == [
        (7 + RUN_LIMIT_SAMPLES - 1, 1),
        (7 + RUN_LIMIT_SAMPLES, 2),
    ]


def test_neighbours_that_are_alike_share_a_block(scene) -> None:
    leads = [wave(None, 50, channel=f"ecg.v{n}") for n in range(1, 7)]
    scene.hear(0, *leads, wave(None, 5, channel="pleth", scale=SLOW))
    blocks = scene.take()[1]
    assert sorted((b.stream, b.rows, b.count) for b in blocks) == [(0, 6, 50), (6, 1, 5)]


def test_a_block_is_never_larger_than_an_envelope_may_be(scene) -> None:
    noise = np.random.default_rng(1).integers(-(2**31), 2**31, 20_000).tolist()
    scene.hear(0, *[Wave(f"ecg.v{n}", tuple(noise), ECG) for n in range(1, 25)])
    blocks = scene.ward.take(1)[1]
    assert sum(b.rows for b in blocks) == 24
    assert all(b.rows * b.count <= BLOCK_LIMIT_SAMPLES for b in blocks)
    assert max(len(b.coded) for b in blocks) < bundle.BUNDLE_LIMIT_BYTES - 4096


def test_streams_of_two_sessions_never_share_a_block(scene) -> None:
    other = scene.ward.open(Puppet(), "/dev/ttyUSB1", 0)
    scene.hear(0, wave(None, 50))
    other.hear([wave(None, 50, channel="ecg.i")], 0)
    assert [(b.stream, b.rows) for b in scene.take()[1]] == [(0, 1), (1, 1)]


def test_the_catalogue_comes_first_and_only_when_it_changed(scene) -> None:
    scene.hear(0, Numeric("spo2", 97, "%"), Identity("Maker", "Model"))
    records = scene.take()[0]
    assert isinstance(records[0], Catalogue)
    assert (records[0].maker, records[0].integrity, records[0].streams[0].unit) == ("Maker", "sum", "%")
    assert of(SessionAt, records) == [SessionAt(0, 0, "open", "")]
    scene.hear(1, Numeric("spo2", 96, "%"), Identity("Maker", "Model"))
    assert scene.take()[0] == [NumericAt(1, 0, 96)]
    scene.hear(2, Identity("Maker", "Model", firmware="2"))
    assert [type(record) for record in scene.take()[0]] == [Catalogue]
    scene.hear(3, Numeric("spo2", 96, "1"))
    records = scene.take()[0]
    assert [stream.unit for stream in records[0].streams] == ["%", "1"]


def test_an_alarm_is_urgent_until_it_is_taken(scene) -> None:
    assert not scene.ward.urgent
    scene.hear(0, Alarm("SPO2", "LOW", "high", Phase.ON, "spo2"))
    assert scene.ward.urgent
    assert of(AlarmAt, scene.take()[0]) == [AlarmAt(0, 0, "SPO2", "LOW", "high", "on", "spo2")]
    assert not scene.ward.urgent


def test_a_numeric_keeps_zero_absence_and_doubt_apart(scene) -> None:
    scene.hear(0, Numeric("spo2", 0, "%"), Numeric("spo2", None, "%", Why.SENSOR_OFF))
    scene.hear(1, Numeric("spo2", Decimal("36.60"), "%", Why.QUESTIONABLE))
    said = [(n.value, n.why) for n in of(NumericAt, scene.take()[0])]
    assert said == [(0, ""), (None, "sensor-off"), (Decimal("36.60"), "questionable")]


def test_a_session_ends_with_its_account(scene) -> None:
    scene.driver.counts.frames, scene.driver.counts.skipped, scene.driver.waiting = 5, 2, 3
    scene.ward.close(scene.session, 7, "unplugged\x1b[2J")
    records = scene.take()[0]
    assert records[-2:] == [Line(7, 0, 5, 0, 5), SessionAt(7, 0, "closed", "unplugged\ufffd[2J")]
    assert scene.take() == ([], [])


def test_what_is_asked_is_nothing_heard(scene) -> None:
    scene.hear(5, Subscribe("2a9d"), Read("2a19"), Send(b"\x01"))
    assert scene.session.heard is None
    scene.hear(7, Read("2a19"), Numeric("spo2", 97, "%"))
    assert scene.session.heard == 7


def test_the_lines_worth_is_said_when_it_changed(scene) -> None:
    assert scene.ward.lines(0) == []
    scene.driver.counts.bad = 1
    assert scene.ward.lines(1) == [Line(1, 0, 0, 1, 0)]
    assert scene.ward.lines(2) == []


HOSTILE = "\x1b]0;x\x07" + "\u202e" + "\ud800" + "\n" + "A" * 70_000


def test_hostile_text_is_bounded_and_harmless_everywhere(scene) -> None:
    scene.hear(
        0,
        Alarm(HOSTILE, HOSTILE, "high", Phase.ON, HOSTILE),
        Status(HOSTILE, Phase.ON, HOSTILE, HOSTILE),
        DeviceTime(HOSTILE),
        Identity(HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        PatientId(HOSTILE, HOSTILE),
        Numeric(f"x:{HOSTILE}", 1, HOSTILE),
        Wave(f"y:{HOSTILE}", (1,), Scale(Fraction(1), HOSTILE, filter=HOSTILE)),
    )
    records = scene.take()[0]
    packed = bundle.pack_vital(records)
    assert len(packed) < 20 * 4 * TEXT_LIMIT_LETTERS
    assert not {"\x1b", "\u202e"} & set(str(records))
    assert all(
        text.isprintable() for record in records for text in msgspec.structs.astuple(record) if type(text) is str
    )


@pytest.mark.parametrize(
    "value",
    [
        1 << 62,
        -(1 << 70),
        Decimal("9" * (DIGITS_LIMIT_COUNT + 1)),
        Decimal("1E+4000"),
        Decimal("NaN"),
        Decimal("-Infinity"),
    ],
)
def test_a_number_no_bundle_can_hold_is_no_reading_and_costs_nobody_else(scene, value) -> None:
    scene.hear(0, Numeric("spo2", value, "%"), Numeric("spo2.pr", 72, "/min"))
    assert [(n.value, n.why) for n in of(NumericAt, scene.take()[0])] == [(None, "invalid"), (72, "")]


def test_a_scale_no_bundle_can_hold_is_refused_once_aloud(scene) -> None:
    wild = Scale(Fraction(500), "mV", Fraction(1, 10**127))
    for t in range(3):
        scene.hear(t, wave(None, 10, scale=wild), wave(None, 10, channel="pleth", scale=SLOW))
    records, blocks = scene.take()
    assert of(StatusAt, records) == [StatusAt(0, 0, "streams-refused", "on", "", "ecg.ii")]
    assert [(b.rows, b.count) for b in blocks] == [(1, 30)]
    assert scene.session.refused_streams == 3


def test_a_device_that_invents_channels_is_bounded(scene) -> None:
    scene.hear(0, *[Numeric(f"puppet:{n}", n, "1") for n in range(STREAMS_LIMIT_COUNT + 10)])
    records = scene.take()[0]
    assert len(of(Catalogue, records)[0].streams) == len(of(NumericAt, records)) == STREAMS_LIMIT_COUNT
    assert len(of(StatusAt, records)) == 1
    assert scene.session.refused_streams == 10
