"""`wardlink centre retention` and `hold`, as people type them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.cli.entry import main
from centre.store import Store
from tests.sealed import CENTRE
from tests.system.centre_rig import SIGNER
from tests.system.test_removing import Scene
from wire import keys


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A store of old data, and thirty days to keep it. `RECEIVED` is years ahead, so here nothing is old yet."""
    (tmp_path / "recipient.key").write_text(CENTRE.text())
    (tmp_path / "centre.key").write_text(keys.signer_text(SIGNER))
    file, store = tmp_path / "centre.toml", tmp_path / "centre.db"
    opened = Store(f"sqlite:///{store}")
    Scene(opened)
    opened.close()
    file.write_text(
        f'broker = "mqtt://127.0.0.1:1"\nkeys = "{tmp_path}"\nstore = "sqlite:///{store}"\n[keep]\nwaves_days = 30\n'
    )
    return file


def said(capsys: pytest.CaptureFixture[str], config: Path, *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["centre", *words, "--config", str(config)]) == code
    out = capsys.readouterr()
    return out.out + out.err


def test_nothing_is_removed_that_is_young(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, config, "retention", "--dry-run") == "would go: 0 bytes\n"
    assert said(capsys, config, "retention") == "removed: 0 bytes\n"


def test_holds_are_added_listed_lifted_and_signed(
    config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "has one of" in said(capsys, config, "hold", "add", "--reason", "none", code=1)
    assert said(capsys, config, "hold", "add", "--pseudonym", "p-1", "--reason", "a court asked") == "hold 1\n"
    since = ("--since", "2026-11-22T08:00:00")
    assert said(capsys, config, "hold", "add", "--bed", "bed 12", *since, "--reason", "an accident") == "hold 2\n"
    assert said(capsys, config, "hold", "lift", "1", "--reason", "over") == ""
    assert "no hold 1 stands" in said(capsys, config, "hold", "lift", "1", code=1)
    assert said(capsys, config, "hold", "list").splitlines() == [
        "1 pseudonym p-1 ... to ... lifted",
        "2 bed bed 12 2026-11-22T08:00:00 to ... an accident",
    ]
    log = tmp_path / "deeds.log"
    log.write_text(said(capsys, config, "retention", "--log"))
    assert len(log.read_text().splitlines()) == 4
    assert main(["audit", "verify", str(log)]) == 0
    log.write_text(log.read_text().replace("over", "0ver"))
    assert main(["audit", "verify", str(log)]) != 0


def test_without_a_word_everything_is_kept(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(config.read_text().partition("[keep]")[0])
    assert "everything is kept for ever" in said(capsys, config, "retention", code=1)
    config.write_text(config.read_text() + "[keep]\nenvelopes_days = 3\n")
    assert main(["centre", "retention", "--config", str(config)]) == 78
