"""What is told of an update: by the system that runs afterwards, once, and never before it is decided."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from agent import trying
from agent.cli.update import _tell
from agent.spool.files import Disk
from agent.trying import Trying, came
from agent.update.wish import TRIAL_FILE, UPDATE_FILE, Outcome, Trial, Wish
from wire.reply import Answer

NONCE = b"nonce  1"
WISH = Wish("1.1.0", "https://example.org/w.raucb", "00" * 32, "0.0", NONCE.hex())
TRIAL = Trial(NONCE.hex(), "1.1.0")


@pytest.mark.parametrize(
    ("trial", "word", "running", "answer"),
    [
        (TRIAL, "", "1.0", None),  # written, and not yet started
        (TRIAL, "on", "1.1", None),
        (TRIAL, "", "1.1", Answer("done", "1.1 runs")),
        (TRIAL, "failed", "1.0", Answer("failed", "1.1.0 was tried and was not well: 1.0 runs again")),
        (Trial(NONCE.hex(), "1.1.0", "signature verification failed"), "", "1.0",
         Answer("refused", "signature verification failed")),
        (Trial(NONCE.hex(), "nonsense"), "", "1.0", None),
    ],
)  # fmt: skip
def test_what_came_of_it(trial: Trial, word: str, running: str, answer: Answer | None) -> None:
    assert came(trial, word, running) == answer


class Thread:
    """Stands for the thread that waits for the disk."""

    async def on_thread(self, work):
        return work()


class Desk:
    """What the broker took; `failure` is what it says instead of taking it."""

    def __init__(self, folder: Path, failure: str = "") -> None:
        self.heard: list[tuple[bytes, Answer]] = []
        self.failure = failure
        self.trying = Trying(Disk(direct=False), folder, Thread(), self.send)  # type: ignore[arg-type]

    async def send(self, nonce: bytes, answer: Answer) -> str:
        self.heard.append((nonce, answer))
        return self.failure

    def step(self) -> list[Answer]:
        asyncio.run(self.trying._step())
        heard, self.heard = self.heard, []
        assert all(nonce == NONCE for nonce, _ in heard)
        return [answer for _, answer in heard]


@pytest.fixture
def word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(trying, "WORD", tmp_path / "wardlink-trial")
    return tmp_path / "wardlink-trial"


def test_the_new_system_tells_once_its_trial_is_over(tmp_path: Path, word: Path, monkeypatch) -> None:
    _tell(tmp_path, WISH, Outcome("installed", "1.1.0 is installed", version="1.1.0"))
    assert (tmp_path / TRIAL_FILE).stat().st_mode & 0o777 == 0o644, "the gateway is another user"
    word.write_text("on")
    desk = Desk(tmp_path)
    monkeypatch.setattr(trying.came, "__defaults__", ("1.1.0",))
    assert desk.step() == []
    word.unlink()
    assert desk.step() == [Answer("done", "1.1.0 runs")]
    assert not (tmp_path / TRIAL_FILE).exists()
    assert desk.step() == []


def test_what_the_broker_did_not_take_is_told_again(tmp_path: Path, word: Path) -> None:
    _tell(tmp_path, WISH, Outcome("refused", "signature verification failed", "ask for another bundle"))
    desk = Desk(tmp_path, "quota")
    told = [Answer("refused", "signature verification failed. ask for another bundle")]
    assert desk.step() == told
    desk.failure = ""
    assert desk.step() == told
    assert desk.step() == []


def test_what_a_person_installed_is_told_to_nobody(tmp_path: Path, word: Path) -> None:
    _tell(tmp_path, msgspec.structs.replace(WISH, command=""), Outcome("installed", "", version="1.1.0"))
    assert not (tmp_path / TRIAL_FILE).exists()


def test_a_file_that_is_none_is_removed(tmp_path: Path, word: Path) -> None:
    (tmp_path / TRIAL_FILE).write_bytes(b"\xff")
    assert Desk(tmp_path).step() == []
    assert not (tmp_path / TRIAL_FILE).exists()


def test_it_looks_only_while_something_is_expected(tmp_path: Path, word: Path) -> None:
    assert not Desk(tmp_path).trying._expected.is_set()
    (tmp_path / UPDATE_FILE).write_bytes(b"{}")
    desk = Desk(tmp_path)
    assert desk.trying._expected.is_set()
    (tmp_path / UPDATE_FILE).unlink()
    desk.step()
    assert not desk.trying._expected.is_set()
