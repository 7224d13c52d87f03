"""`wardlink time set`: what a person says reaches the running gateway, and its answer the person."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from agent import clock, window
from agent.cli import time as verb
from agent.cli.entry import main
from agent.past import PAST_FILE, Past
from agent.spool.files import Disk


@contextmanager
def answering(runtime: Path, word: str) -> Iterator[list[window.TimeSaid]]:
    """A gateway that answers once."""
    heard: list[window.TimeSaid] = []
    done = threading.Event()

    def run() -> None:
        while not done.wait(0.02):
            said = window.read_time(runtime)
            if said is not None and not said.said:
                heard.append(said)
                window.write_time(runtime, msgspec.structs.replace(said, said=word))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield heard
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-22 12:30", 1_795_350_600),
        ("2026-11-22 13:30+01:00", 1_795_350_600),
        ("2026-11-22T12:30:05Z", 1_795_350_605),
    ],
)
def test_what_is_said_is_heard_in_utc(tmp_path: Path, capsys, text: str, utc: int) -> None:
    with answering(tmp_path, "taken") as heard:
        assert main(["time", "set", text, "--within", "90", "--runtime", str(tmp_path)]) == 0
    assert [(one.utc, one.within_us) for one in heard] == [(utc * 1_000_000, 90_000_000)]
    assert "taken" in capsys.readouterr().out


def test_a_refusal_is_said(tmp_path: Path, capsys) -> None:
    with answering(tmp_path, "refused: it is surely later than that"):
        assert main(["time", "set", "1999-01-01", "--runtime", str(tmp_path)]) == 1
    assert "surely later" in capsys.readouterr().err


def test_nobody_answers(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(verb, "PATIENCE_S", 0.1)
    assert main(["time", "set", "2026-11-22 12:30", "--runtime", str(tmp_path)]) == 1
    assert "systemctl status" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["soon"], ["2026-13-01"], ["2026-11-22", "--within", "0"], ["2026-11-22", "--within", "1e9"]]
)
def test_what_is_no_time_is_refused_here(tmp_path: Path, words: list[str]) -> None:
    assert main(["time", "set", *words, "--runtime", str(tmp_path)]) == 1
    assert window.read_time(tmp_path) is None


def test_without_a_gateway_there_is_nobody_to_tell(tmp_path: Path) -> None:
    assert main(["time", "set", "2026-11-22 12:30", "--runtime", str(tmp_path / "none")]) == 1


@pytest.fixture
def moved(monkeypatch) -> list[int]:
    """Where the machine's clock was set to."""
    found: list[int] = []
    monkeypatch.setattr(clock, "set_unix_us", found.append)
    return found


@pytest.mark.parametrize(
    ("here", "kept", "set_to"),
    [
        (0, 0, [clock.FLOOR_UTC_US]),
        (0, clock.FLOOR_UTC_US + 5, [clock.FLOOR_UTC_US + 5]),
        (clock.FLOOR_UTC_US + 4, clock.FLOOR_UTC_US + 5, [clock.FLOOR_UTC_US + 5]),
        (clock.FLOOR_UTC_US + 6, clock.FLOOR_UTC_US + 5, []),
        (clock.FLOOR_UTC_US, 0, []),
    ],
)
def test_the_machines_clock_is_raised_to_the_floor_and_never_set_back(
    tmp_path, monkeypatch, moved, here, kept, set_to
) -> None:
    monkeypatch.setattr(clock, "unix_us", lambda: here)
    if kept:
        Past(Disk(), tmp_path / PAST_FILE, bytes(16)).save(kept)
    assert main(["time", "floor", "--state", str(tmp_path)]) == 0
    assert moved == set_to


def test_a_state_that_is_not_there_or_is_torn_leaves_the_release(tmp_path, monkeypatch, moved) -> None:
    monkeypatch.setattr(clock, "unix_us", lambda: 0)
    (tmp_path / PAST_FILE).write_bytes(b"\0\0\0\x09{")
    assert main(["time", "floor", "--state", str(tmp_path)]) == 0
    assert main(["time", "floor", "--state", str(tmp_path / "none")]) == 0
    assert moved == [clock.FLOOR_UTC_US] * 2
