"""Whose bytes are these: evidence over every capture there is, and the search over line settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from agent.ports.ears import SETTLE_NS, Searching
from agent.ports.evidence import STRAY_BYTES, Trial
from agent.ports.seek import ENOUGH_BYTES, NEAR_NS, PATIENCE_NS, SECOND_NS, UNKNOWN_NS, Seek, settings_of
from drivers import capture, registry
from drivers.contract import Driver, Info, Integrity, Numeric, Serial
from tests import claims
from tests.claims import TWINS

CAPTURES = Path(__file__).parents[1] / "captures"
KINDS = [kind for kind in registry.all_drivers() if any(isinstance(claim, Serial) for claim in kind.info.claims)]


def stories() -> list:
    return list(_stories())


def _stories():
    for kind in KINDS:
        for path in sorted((CAPTURES / kind.info.id).glob("*.cap")):
            yield pytest.param(kind, capture.parse(path.read_text(encoding="utf-8")), id=f"{kind.info.id}/{path.stem}")


def story_of(driver_id: str, name: str) -> list[tuple[int, bytes]]:
    text = (CAPTURES / driver_id / f"{name}.cap").read_text(encoding="utf-8")
    return list(capture.parse(text).chunks())


def lines_of(kind):
    return [claim for claim in kind.info.claims if isinstance(claim, Serial)]


@pytest.mark.parametrize(("kind", "story"), stories())
def test_a_recording_cut_anywhere_is_claimed_by_its_own_driver_or_nobody(kind, story) -> None:
    """At each of its own line settings, against all who claim it too."""
    chunks = list(story.chunks())
    random = Random(7)
    for line, kinds in settings_of(KINDS):
        if kind not in kinds:
            continue
        for start in [0, *(random.randrange(len(chunks)) for _ in range(5))]:
            skip = 0 if start == 0 else random.randrange(len(chunks[start][1]))
            trial = Trial(kinds)
            claimed = {driver_id for at, data in [(chunks[start][0], chunks[start][1][skip:]), *chunks[start + 1 :]]
                       for driver_id in trial.hear(data, at).ids}  # fmt: skip
            assert claimed <= {kind.info.id, TWINS.get(kind.info.id)}, f"at {line}, from chunk {start} byte {skip}"


@pytest.mark.parametrize(("kind", "story"), stories())
def test_nobody_else_claims_a_recording_at_any_setting(kind, story) -> None:
    for line, kinds in settings_of(KINDS):
        others = [other for other in kinds if other is not kind and TWINS.get(kind.info.id) != other.info.id]
        trial = Trial(others)
        for at, data in story.chunks():
            verdict = trial.hear(data, at)
            assert not verdict.ids, f"at {line}"


def test_noise_is_nobodys() -> None:
    random = Random(1)
    for line, kinds in settings_of(KINDS):
        trial = Trial(kinds)
        for at in range(200):
            assert not trial.hear(random.randbytes(100), at * 10_000_000).ids, line


class Sure(Driver):
    """Three letters A are a frame."""

    info = Info("sure", ("one",), (Serial(9600), Serial(19200)), ("spo2",), Integrity.CRC, "none")

    def on_bytes(self, data, now, source=""):
        good = data.count(b"AAA")
        self.counts.frames += good
        self.counts.skipped += len(data) - 3 * good
        return [Numeric("spo2", 97, "%")] * good


class Loose(Driver):
    """Takes anything, and has nothing to prove it."""

    info = Info("loose", ("another",), (Serial(9600),), ("spo2",), Integrity.NONE, "none")

    def on_bytes(self, data, now, source=""):
        self.counts.frames += 1
        return [Numeric("spo2", 97, "%")]


class Broken(Driver):
    info = Info("broken", ("third",), (Serial(9600),), ("spo2",), Integrity.CRC, "none")

    def on_bytes(self, data, now, source=""):
        raise ZeroDivisionError


class Twin(Sure):
    info = Info("twin", ("two",), (Serial(9600),), ("spo2",), Integrity.CRC, "none")


def seek(*kinds) -> Seek:
    return Seek(kinds, 0)


def test_what_was_read_while_searching_is_handed_over() -> None:
    one = seek(Sure)
    assert one.heard(b"AAA", 1) is None
    assert one.heard(b"AAA", 2) is None
    found = one.heard(b"AAA", 3)
    assert found is not None
    assert (found.kind, found.heard) == (Sure, ((1, b"AAA"), (2, b"AAA"), (3, b"AAA")))


def test_a_checksum_goes_before_what_only_looks_right_and_a_bug_decides_nothing() -> None:
    found = seek(Loose, Sure, Broken).heard(b"AAA" * 20, 1)
    assert found is not None
    assert found.kind is Sure


def test_between_equals_nobody_is_chosen() -> None:
    one = seek(Sure, Twin)
    assert one.heard(b"AAA" * 20, 1) is None
    assert "sure and twin both understand it: pin one" in one.words(1 + UNKNOWN_NS)


def test_while_nothing_comes_the_line_stays_and_that_is_said() -> None:
    one = seek(Sure)
    first = one.line
    assert one.wake_at is None
    one.woke(3600 * SECOND_NS)
    assert one.line == first
    assert one.words(3600 * SECOND_NS) == "listening: nothing is heard"


def test_bytes_that_nobody_understands_turn_the_line_and_after_twenty_seconds_that_is_said() -> None:
    one = seek(Sure)
    first = one.line
    assert one.heard(b"zzz" * 20, 5) is None
    assert one.wake_at == 5 + PATIENCE_NS
    one.woke(5 + PATIENCE_NS)
    assert one.line != first
    assert one.heard(bytes(ENOUGH_BYTES), 10 + PATIENCE_NS) is None
    assert one.line == first, "so many bytes need no patience"
    assert one.words(UNKNOWN_NS) == "listening"
    words = one.words(5 + UNKNOWN_NS)
    assert words.startswith("unknown device")
    assert all(f"{line.baud} 8N1" in words for line in (Serial(9600), Serial(19200)))


def test_where_a_frame_was_found_there_is_time_for_more() -> None:
    one = seek(Sure)
    line = one.line
    one.heard(b"AAA", 0)
    one.heard(b"z" * STRAY_BYTES, 1)
    one.woke(PATIENCE_NS)
    assert one.line == line
    assert one.wake_at == 1 + NEAR_NS


def test_after_a_frame_with_a_right_check_silence_says_nothing_and_bytes_that_are_none_do() -> None:
    one = seek(Sure)
    line = one.line
    one.heard(b"AAA", 0)
    assert one.wake_at is None
    one.woke(3600 * SECOND_NS)
    one.heard(b"z" * (STRAY_BYTES - 1), 3600 * SECOND_NS)
    assert one.wake_at is None, "a plug that was pushed in"
    assert one.words(3600 * SECOND_NS) == "sure is understood: 1 of 3 good frames so far"
    one.heard(b"z", 7200 * SECOND_NS)
    assert one.wake_at == 7200 * SECOND_NS + NEAR_NS, "from the first byte that says against it"
    one.woke(7200 * SECOND_NS + NEAR_NS)
    assert one.line != line


def test_where_nothing_protects_a_frame_silence_ends_the_wait() -> None:
    one = seek(Loose, Sure)
    one.heard(b"zzz", 0)
    assert one.wake_at == NEAR_NS


def test_the_setting_of_last_time_is_the_first() -> None:
    assert Seek([Sure, Loose], 0, Serial(19200)).line == Serial(19200)


def searched(line: Serial, said: list[tuple[int, bytes]]) -> tuple[str, float]:
    """Who is found, and after how many seconds: at `line` a device speaks, at other settings it is noise."""
    random = Random(3)
    one = Seek(KINDS, 0)
    for at, data in said:
        if one.wake_at is not None and at > one.wake_at:
            one.woke(at)
        found = one.heard(data if str(one.line) == str(line) else random.randbytes(len(data)), at)
        if found is not None:
            return found.kind.info.id, at / SECOND_NS
    return "", 0.0


def test_a_device_of_three_bytes_a_second_is_found() -> None:
    said = [(second * SECOND_NS, bytes.fromhex("804861")) for second in range(120)]
    assert searched(Serial(9600), said) == ("nonin_numeric", 18.0)


def test_a_device_of_one_line_in_five_seconds_is_found() -> None:
    line = b"02/24/18 04:48:53 SN=0000000000 SPO2=097% BPM=080 PI=04.96% SPCO=--.-% SPMET=--.-% DESAT=-- PIDELTA=+-- "
    said = [(second * 5 * SECOND_NS, line + b"ALARM=0000 EXC=000800\r\n") for second in range(60)]
    assert searched(Serial(9600), said)[0] == "masimo_ascii1"


@pytest.mark.parametrize("cuts", [1])
def test_every_recording_is_claimed_by_its_own_driver(cuts: int) -> None:
    """Whole, as here, it is long enough. `python -m tests.claims` tries more cuts, and says how many bytes it takes."""
    wrong = []
    for one in claims.recordings():
        found = claims.row(one, claims.tally(one, cuts, Random(one.name)))
        if "others" in found or "rivals" in found or found["own_percent"] == 0:
            wrong.append(found)
    assert not wrong


def test_too_short_to_convince_is_said_with_its_reason() -> None:
    (whole,) = (found for found in claims.recordings() if found.name == "nonin_numeric/format-8")
    one = replace(whole, chunks=whole.chunks[:21])
    found = claims.row(one, claims.tally(one, 2, Random(1)))
    assert (found["own_percent"], found["others_percent"]) == (0.0, 0.0)
    assert found["why_nobody"] == "fewer than 40 bytes in a row"


def test_a_line_whose_bits_are_wrong_is_left_at_once_and_not_where_somebody_is_understood() -> None:
    seek = Seek(KINDS, 0)
    first = seek.line
    seek.heard(b"\x93" * 7, 0)
    seek.misread(0)
    assert seek.line == first, "a few bytes while a plug is being pushed in prove nothing"
    seek.heard(b"\x93", 0)
    seek.misread(0)
    assert seek.line != first
    assert seek.tried == (str(first),)
    again = Seek(KINDS, 0)
    for at, data in story_of("masimo_ascii1", "rad8-2018"):
        if at < 2 * SECOND_NS:
            again.heard(data, at)
    assert again.verdict.near
    again.misread(0)
    assert again.line == first


class Misreading:
    """A cable whose kernel counts wrong bits."""

    def __init__(self) -> None:
        self.misread = 0
        self.lines: list[Serial] = []

    def become(self, line: Serial) -> None:
        self.lines.append(line)


def test_what_the_adapter_still_held_of_the_old_setting_is_not_held_against_the_new_one() -> None:
    cable, seek = Misreading(), Seek(KINDS, 0)
    ear = Searching(seek, cable)
    ear.opened(0)
    now, first = SETTLE_NS, seek.line
    cable.misread += 1
    ear.heard(b"\x93" * 20, now)
    (second,) = cable.lines
    assert second != first
    cable.misread += 1
    ear.heard(b"\x93" * 20, now + SETTLE_NS - 1)
    assert cable.lines == [second]
    ear.heard(b"\x93" * 20, now + SETTLE_NS)
    assert cable.lines == [second], "no wrong bit since"
    cable.misread += 1
    ear.heard(b"\x93" * 20, now + SETTLE_NS)
    assert len(cable.lines) == 2


def test_a_damaged_line_now_and_then_does_not_lose_the_right_setting() -> None:
    """Masimo's lines have no checksum: three in a row are wanted, and each fourth is damaged."""
    line = max((data for _, data in story_of("masimo_ascii1", "rad8-2018")), key=len)
    seek, found = Seek(KINDS, 0), None
    for second in range(12):
        said = line if second % 4 != 2 else line[:60] + b"\xff" + line[61:]
        found = found or seek.heard(said, second * SECOND_NS)
    assert found is not None
    assert (found.kind.info.id, seek.tried) == ("masimo_ascii1", ())
