"""`wardlink time set`: what a person says reaches the running gateway, and its answer the person."""

from __future__ import annotations

import json
import subprocess
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


FLOOR = Path(__file__).parents[2] / "systemd/bin/time-floor"
FLOOR_S = clock.FLOOR_UTC_US // 1_000_000


class Board:
    """A machine whose `date` says and sets `here`, seconds."""

    def __init__(self, folder: Path, here: int) -> None:
        self.state, self._at = folder / "state", folder / "here"
        self.state.mkdir()
        self._at.write_text(f"{here}")
        (folder / "bin").mkdir()
        program = folder / "bin/date"
        program.write_text(f'#!/bin/sh\ncase $1 in +%s) cat {self._at} ;; *) echo "${{3#@}}" > {self._at} ;; esac\n')
        program.chmod(0o755)
        self._path = f"{folder / 'bin'}:/usr/bin:/bin"

    def start(self) -> int:
        subprocess.run([FLOOR, self.state], env={"PATH": self._path}, check=True, capture_output=True)
        return int(self._at.read_text())


@pytest.mark.parametrize(
    ("here", "kept", "is_then"),
    [
        (0, 0, FLOOR_S),
        (0, FLOOR_S + 5, FLOOR_S + 5),
        (FLOOR_S + 4, FLOOR_S + 5, FLOOR_S + 5),
        (FLOOR_S + 6, FLOOR_S + 5, FLOOR_S + 6),
        (FLOOR_S, 0, FLOOR_S),
        (FLOOR_S + 9, 0, FLOOR_S + 9),
    ],
)
def test_the_machines_clock_is_raised_to_the_floor_and_never_set_back(tmp_path, here, kept, is_then) -> None:
    board = Board(tmp_path, here)
    if kept:
        Past(Disk(), board.state / PAST_FILE, bytes(16)).save(kept * 1_000_000, rtc=17, rtc_error=4)
    assert board.start() == is_then


@pytest.mark.parametrize(
    "torn", [b"\0\0\0\x09{", b"", b"\xff" * 9000, b'\0\0\0\x40{"utc":17953056', b'\0\0\0\x40{"utc":99}']
)
def test_a_state_that_is_torn_leaves_the_release(tmp_path, torn) -> None:
    board = Board(tmp_path, 0)
    (board.state / PAST_FILE).write_bytes(torn)
    assert board.start() == FLOOR_S


def test_what_is_kept_is_read_however_its_json_is_spaced(tmp_path) -> None:
    board = Board(tmp_path, 0)
    data = json.dumps({"boot": "00", "utc": (FLOOR_S + 7) * 1_000_000, "rtc": 5}).encode()
    (board.state / PAST_FILE).write_bytes(len(data).to_bytes(4, "big") + data)
    assert board.start() == FLOOR_S + 7


def test_no_state_leaves_the_release(tmp_path) -> None:
    board = Board(tmp_path, 0)
    board.state.rmdir()
    assert board.start() == FLOOR_S
