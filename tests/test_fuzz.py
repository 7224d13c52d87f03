"""Every driver hears bytes that no device would say: a short `python -m tests.fuzz`, and what it found so far."""

from itertools import pairwise
from pathlib import Path

import pytest

from drivers import capture, registry
from drivers.contract import DeviceTime, Numeric, Output, Send, Status, Why
from drivers.devices.nonin_spot import NoninSpot
from tests.fuzz import corpus, evidence, life, mend, shrink
from tests.fuzz.feed import Feed, Step
from tests.fuzz.judge import Judged, OutsideError, judge

FOUND = sorted((Path(__file__).parent / "fuzz" / "found").glob("*.cap"))
LONG_BYTES, SHORT_BYTES = 20_000, 4_000
HELD_LIMIT_BYTES = 1 << 20


@pytest.mark.parametrize("driver_id", registry.ids())
def test_a_driver_lives_through_anything(driver_id: str) -> None:
    tally = life.Tally()
    life.long_life(driver_id, 1, LONG_BYTES, tally)
    life.short_lives(driver_id, 1, SHORT_BYTES, tally)
    assert not tally.failures, f"python -m tests.fuzz --driver {driver_id} --bytes {LONG_BYTES} writes a capture of it"
    assert tally.held_bytes < HELD_LIMIT_BYTES
    assert tally.frames, "nothing that it understood: it was not tried"


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_was_found_is_mended(path: Path) -> None:
    story = capture.parse(path.read_text(encoding="utf-8"))
    steps = [Step(at, data, source, late=False) for at, data, source in story.notified()]
    assert life.failure(story.header["driver"], "found", steps) is None


def test_a_life_is_pure_of_its_seed() -> None:
    steps = list(life.story("contec_v7", "1 short 0"))
    assert steps == list(life.story("contec_v7", "1 short 0"))
    assert steps != list(life.story("contec_v7", "2 short 0"))
    assert all(one.now <= other.now for one, other in pairwise(steps))


@pytest.mark.parametrize("driver_id", ["philips_intellivue", "ge_s5", "dinamap_pro1000", "nonin_spot", "bbraun_bcc"])
def test_sums_and_lengths_are_learnt_from_the_captures(driver_id: str) -> None:
    """A frame with one byte changed is refused as it is, and taken once it is mended."""
    mender = mend.learnt(corpus.of(driver_id))
    frames = [one.data for one in corpus.of(driver_id).segments if one.frames == 1 and mend_holds(mender, one.data)]
    opened = mender.opened(frames[0])
    at = len(opened) // 2
    hurt = opened[:at] + bytes((opened[at] ^ 0x01,)) + opened[at + 1 :]
    assert taken(driver_id, frames[0])
    assert not taken(driver_id, mend.restuffed(hurt) if mender.stuffed else hurt)
    assert taken(driver_id, mender.closed(hurt))


def mend_holds(mender: mend.Mender, frame: bytes) -> bool:
    return mender.closed(mender.opened(frame)) == frame and taken(mender.driver_id, frame)


def taken(driver_id: str, frame: bytes) -> bool:
    driver = registry.driver(driver_id)()
    list(driver.on_open(0))
    list(driver.on_bytes(frame, 0))
    return driver.counts.frames > 0


def test_a_sum_that_nobody_knows_is_found_by_trial() -> None:
    frame = bytes.fromhex("0002000D000E20141231143015000000004800616A03")
    assert not taken("nonin_spot", frame)
    assert taken("nonin_spot", mend.by_trial("nonin_spot", frame))


@pytest.mark.parametrize("output", [
    Numeric("spo2", 97.5, "%"),  # type: ignore[arg-type]
    Numeric("ecg.hr", 60, "/min"),
    Numeric("spo2", None, "%", "why"),  # type: ignore[arg-type]
    Send(b"anything"),
    Status("", phase="on"),  # type: ignore[arg-type]
    DeviceTime("2014-02-31T14:30:15"),
    DeviceTime(),
])  # fmt: skip
def test_the_judge_refuses(output: Output) -> None:
    with pytest.raises(OutsideError):
        judge(NoninSpot(), output)
    judge(NoninSpot(), Numeric("spo2", None, "%", Why.INVALID))


def test_words_that_depend_on_the_pieces_are_refused() -> None:
    life.agree([Numeric("spo2", 97, "%")], [Numeric("spo2", 97, "%")])
    with pytest.raises(OutsideError, match="depends on the pieces"):
        life.agree([Numeric("spo2", 97, "%")], [Numeric("spo2", 96, "%")])


def test_the_books_must_balance() -> None:
    judged = Judged(NoninSpot())
    judged.driver.counts.skipped = 2
    with pytest.raises(OutsideError, match="of 1 bytes"):
        judged.bytes(b"\0", 0, "")


def test_a_failure_is_made_small() -> None:
    steps = [Step(at, bytes((at, 7, at)), "", late=False) for at in range(50)]

    def fails(tried: object) -> bool:
        return any(step.data[:1] == b"\x11" for step in tried)  # type: ignore[attr-defined]

    (left,) = shrink.fewer(steps, fails)
    assert shrink.shorter([left], 0, fails).data == b"\x11"


def test_a_driver_that_went_through_as_it_is_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "fuzz.jsonl"
    assert not evidence.done(file, "contec_v7", 1, 100)
    evidence.write(file, evidence.line("contec_v7", 1, life.Tally(bytes=100), []))
    assert evidence.done(file, "contec_v7", 1, 100)
    assert not evidence.done(file, "contec_v7", 1, 101)
    assert not evidence.done(file, "contec_v7", 2, 100)
    assert not evidence.done(file, "contec_v5", 1, 100)
    assert "drivers/bci/oximeter.py" in {
        path.relative_to(corpus.ROOT).as_posix()
        for path in evidence.imported(corpus.ROOT / "drivers/devices/contec_v5.py", set())
    }


def test_every_characteristic_is_tried() -> None:
    sources = {step.source for _, step in zip(range(4000), Feed("polar_h10", "1").steps(), strict=False)}
    assert len(sources) >= 4
