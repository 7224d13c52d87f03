"""barcode_reader where nobody pinned it: found by what is checked, and never by another device's lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.ports.asking import REST_NS, Asker
from agent.ports.evidence import FRAMES, STRAY_BYTES, Trial
from agent.ports.seek import SECOND_NS, Found, Seek, settings_of
from drivers import capture, registry
from drivers.contract import Integrity, PatientId, Serial
from drivers.devices.barcode_reader import BarcodeReader

CAPTURES = Path(__file__).parents[1] / "captures"
KINDS = [kind for kind in registry.all_drivers() if any(isinstance(claim, Serial) for claim in kind.info.claims)]
LINES = [(line, kinds) for line, kinds in settings_of(KINDS) if BarcodeReader in kinds]
RECIPIENT = b"]C18018350123456789012349\r\n"
CODE39 = b"]A1PAT 7N\r\n"
TWO_OF_FIVE = b"]I112345670\r\n"
MINUTE_NS = 60 * SECOND_NS
NO_EVIDENCE = [
    b"PAT-000123\r\n",
    b"350123456789012349\r\n",
    b"]C0PAT-000123\r\n",
    b"]A0PAT 7N\r\n",
    b"]A3PAT 7\r\n",
    b"]E04006381333931\r\n",
    b"]C10104006381333931\r\n",
    b"]C18018350123456789012340\r\n",
    b"]A1PAT 7X\r\n",
    b"8018350123456789012349\r\n",
]


def others() -> list:
    return [
        pytest.param(path, id=f"{path.parent.name}/{path.stem}")
        for path in sorted(CAPTURES.glob("*/*.cap"))
        if path.parent.name != "barcode_reader"
    ]


def said_by(seek: Seek, scans: list[tuple[int, bytes]]) -> Found | None:
    """Who is found by the last of these, on virtual time."""
    found = None
    for at, data in scans:
        assert found is None, "too early"
        if seek.wake_at is not None and at > seek.wake_at:
            seek.woke(at)
        found = seek.heard(data, at)
    return found


@pytest.mark.parametrize("line", [line for line, _ in LINES], ids=str)
def test_three_checked_scans_minutes_apart_are_found_with_their_own_times(line) -> None:
    scans = [(at * 10 * MINUTE_NS, data) for at, data in enumerate([RECIPIENT, CODE39, TWO_OF_FIVE], 1)]
    seek = Seek(KINDS, 0, line)
    assert said_by(seek, scans[:2]) is None
    assert seek.words(scans[1][0] + MINUTE_NS) == "barcode_reader is understood: 2 of 3 good frames so far"
    found = seek.heard(scans[2][1], scans[2][0])
    assert found is not None
    assert (found.kind, found.line, found.heard) == (BarcodeReader, line, tuple(scans))
    assert (found.frames, found.integrity) == (FRAMES, Integrity.SUM)
    assert found.why.endswith("each with its checksum")


def test_a_scan_that_comes_byte_by_byte_does_not_turn_the_line() -> None:
    seek = Seek(KINDS, 0, LINES[0][0])
    stream = [
        (number * MINUTE_NS + at * 1_000_000, bytes([byte])) for number in range(3) for at, byte in enumerate(RECIPIENT)
    ]
    found = said_by(seek, stream[:-1])  # the third scan ends with its CR
    assert found is not None
    assert found.kind is BarcodeReader


@pytest.mark.parametrize("code", NO_EVIDENCE, ids=repr)
@pytest.mark.parametrize(("line", "kinds"), LINES, ids=["9600", "115200"])
def test_what_is_not_checked_never_makes_it_be_found(line, kinds, code) -> None:
    trial = Trial(kinds)
    said = [trial.hear(code, at * SECOND_NS) for at in range(50)]
    assert not any(verdict.ids or verdict.proved for verdict in said)
    trial = Trial(kinds)
    for at, data in enumerate([RECIPIENT, *[code] * 50, CODE39]):
        assert not trial.hear(data, at * SECOND_NS).ids, "two checked ones among them are no three"


def test_scans_beside_the_checked_ones_do_not_end_the_wait_and_are_told_again() -> None:
    beside = [b"]C0WARD-7/4711\r\n", b"]E04006381333931\r\n", b"]C10104006381333931\r\n", b"\0" * (STRAY_BYTES - 1)]
    scans = [(at * MINUTE_NS, data) for at, data in enumerate([RECIPIENT, *beside, CODE39, TWO_OF_FIVE])]
    found = said_by(Seek(KINDS, 0, LINES[0][0]), scans)
    assert found is not None
    driver = BarcodeReader.unpinned()
    told = [(at, one.code) for at, one in capture.play(driver, found.heard) if isinstance(one, PatientId)]
    codes = ["350123456789012349", "WARD-7/4711", "PAT 7", "1234567"]
    assert told == [(at * MINUTE_NS, code) for at, code in zip((0, 1, 5, 6), codes, strict=True)]


@pytest.mark.parametrize("path", others())
def test_another_devices_lines_are_never_a_patient_where_nobody_pinned_it(path) -> None:
    """Neither before it is found nor after, when the cable was moved; whole, in single bytes, and as printed lines."""
    story = capture.parse(path.read_text(encoding="utf-8"))
    whole = b"".join(data for _, data in story.chunks())
    for before in (b"", RECIPIENT + CODE39 + TWO_OF_FIVE):
        driver = BarcodeReader.unpinned()
        list(driver.on_bytes(before, 0))
        was = driver.counts.checked
        for data in (whole, *(bytes([byte]) for byte in whole[:20_000]), whole.replace(b"\x02", b"\r")):
            said = driver.on_bytes(data, SECOND_NS)
            assert not any(isinstance(one, PatientId) for one in said)
        assert driver.counts.checked == was


def test_a_device_that_was_plugged_into_its_cable_is_found_though_two_scans_came_before() -> None:
    story = capture.parse((CAPTURES / "masimo_ascii1" / "rad8-2018.cap").read_text(encoding="utf-8"))
    seek = Seek(KINDS, 0, LINES[0][0])
    assert said_by(seek, [(0, RECIPIENT), (MINUTE_NS, CODE39)]) is None
    lines = [data for _, data in story.chunks()]
    spoken = [(2 * MINUTE_NS + at * SECOND_NS, data) for at, data in enumerate([*lines, *2 * lines[-1:]])]
    found = next(filter(None, (seek.heard(data, at) for at, data in spoken)), None)
    assert found is not None
    assert found.kind.info.id == "masimo_ascii1"


def test_where_asking_is_allowed_a_checked_scan_gives_it_a_minute_without() -> None:
    asker = Asker(KINDS, 0, LINES[0][0], [registry.driver("ge_s5")])
    assert asker.heard(RECIPIENT, SECOND_NS) is None
    assert asker.wake_at == SECOND_NS + REST_NS
    plain = Asker(KINDS, 0, LINES[0][0], [registry.driver("ge_s5")])
    plain.heard(b"PAT-000123\r\n", SECOND_NS)
    assert plain.wake_at is not None
    assert plain.wake_at < SECOND_NS + REST_NS
