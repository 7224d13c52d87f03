"""What the encryption of the card is worth is told where people look, in words that do not promise too much."""

import json
from pathlib import Path

import pytest

from agent import config, diagnosis, keysource
from agent.cli.entry import main
from agent.health import notify, status
from agent.spool.files import Disk
from tests.unit.test_status import WELL

DATA = Path(__file__).parents[2] / "image-build/overlay/usr/lib/wardlink/data"


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    notify.replace(tmp_path / status.STATUS_FILE, status.pack(WELL))
    return tmp_path


@pytest.mark.parametrize("source", ["otp", "tpm2", "none"])
def test_status_and_bundle_tell_it(runtime: Path, source: str, capsys) -> None:
    (runtime / "keysource").write_text(f"{source}\n")
    main(["status", "--runtime", str(runtime)])
    assert f"{keysource.WORDS[source]} (keysource {source})" in capsys.readouterr().out
    main(["status", "--runtime", str(runtime), "--json"])
    assert json.loads(capsys.readouterr().out)["keysource"] == source
    conf = config.Config("north", "mqtts://b", runtime=str(runtime), state=str(runtime / "state"))
    about = json.loads(diagnosis.gathered(conf, "g" * 20, Disk())["about.json"])
    assert about["keysource"] == f"{source}: {keysource.WORDS[source]}"


@pytest.mark.parametrize("said", [None, b"", b"gold", b"\xff"])
def test_nothing_is_said_where_nobody_knows(runtime: Path, said: bytes | None, capsys) -> None:
    if said is not None:
        (runtime / "keysource").write_bytes(said)
    main(["status", "--runtime", str(runtime)])
    assert "keysource" not in capsys.readouterr().out


def test_the_words_are_those_that_the_image_writes() -> None:
    text = DATA.read_text()
    assert all(f"echo {source}" in text for source in keysource.WORDS)
    assert "whoever has the card can read it" in keysource.WORDS["none"]
