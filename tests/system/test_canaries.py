"""No patient data in a diagnostic bundle: a gateway hears a scan, readings, texts of a device; none is there."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import msgspec
import pytest

from agent import audit, diagnosis, history
from agent.cli.entry import main
from agent.config import Radio, load
from agent.gateway import Gateway
from agent.health import status
from agent.lab import keyring
from agent.spool.files import Disk
from agent.spool.spool import Spool
from tests.system.bell import Bell
from tests.system.test_serial_port import Cable
from wire import diagnosis as form
from wire.records import NumericAt, PatientIdAt

WRISTBAND, REFUSED, SERIAL, BED = "CANARY-WRIST-4711", "=CANARY-REFUSED", "4711004711", "CANARY BED OF MRS X"
READING = f"02/24/18 04:48:53 SN={SERIAL} SPO2=097% BPM=064 PI=11.82% SPCO=--.-% ALARM=0000 EXC=000800"
SECRETS = ("424242", "hunter2")
CANARIES = ("CANARY", "WRIST", "4711004", "11.82", "SPO2", "BPM=", "04:48:53", *SECRETS)


@pytest.fixture
def story(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Path:
    """A gateway that has heard all of it, and an exception that quoted a device; its configuration file."""
    caplog.set_level("INFO", "wardlink")
    ring = keyring.make(tmp_path / "keys")
    scanner, oximeter = Cable(tmp_path / "scanner"), Cable(tmp_path / "oximeter")
    config = tmp_path / "gateway.toml"
    config.write_text(
        f'site = "north"\nbroker = "mqtt://127.0.0.1:1"\nconfirm = "broker"\nbed = "{BED}"\ninterval_s = 0.25\n'
        f'keys = "{ring.gateway}"\nstate = "{tmp_path / "state"}"\nruntime = "{tmp_path / "run"}"\n'
        f'discover = false\n[[port]]\npath = "{scanner.path}"\ndriver = "barcode_reader"\n'
        f'[[port]]\npath = "{oximeter.path}"\ndriver = "masimo_ascii1"\n'
        "[spool]\nkey_mib = 8\nvital_mib = 8\nwave_mib = 8\n"
    )

    async def hear() -> None:
        gateway, stop = Gateway(load(config)), asyncio.Event()
        heard: list[object] = []
        take = gateway.ward.take
        gateway.ward.take = lambda t: _noted(heard, take(t))
        running = asyncio.create_task(gateway.run(stop))
        await Bell().until(lambda: all(port.state == "open" for port, _ in gateway.ports))
        scanner.say(f"{WRISTBAND}\r{REFUSED}\r".encode())
        for _ in range(4):
            oximeter.say(f"{READING}\r\n".encode())
        await Bell().until(lambda: {NumericAt, PatientIdAt} <= {type(one) for one in heard})
        await Bell().until(lambda: (tmp_path / "run" / status.STATUS_FILE).exists())
        gateway.supervisor.once("port", lambda: int(READING))
        stop.set()
        await running

    asyncio.run(hear())
    scanner.unplug()
    oximeter.unplug()
    return config


def _noted(heard: list[object], taken: tuple[list, list]) -> tuple[list, list]:
    heard += taken[0]
    return taken


def found(parts: dict[str, bytes]) -> list[tuple[str, str]]:
    return [(name, word) for name, data in parts.items() for word in CANARIES if word.encode() in data]


def test_none_of_it_is_in_a_bundle_on_a_stick(story: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    assert main(["bundle", str(stick), "--config", str(story)]) == 0
    (file,) = stick.iterdir()
    assert main(["bundle", "open", str(file), "--keys", str(tmp_path / "keys" / "centre"), "--out", str(stick)]) == 0
    parts = {name: (stick / name).read_bytes() for name in form.NAMES}
    assert found(parts) == []
    assert not any(word in name.name for name in stick.iterdir() for word in CANARIES)
    assert b"ValueError at" in parts["log.txt"], "where it failed is there, what it quoted is not"
    assert b'"what":"bundle"' in parts["audit.jsonl"]
    assert b'"check": []' in parts["spool.json"], "nobody has it open, so it was proven"
    assert file.stat().st_size < form.DIAGNOSIS_LIMIT_BYTES
    said = "".join(capsys.readouterr())
    assert not any(word in said for word in CANARIES)
    assert main(["bundle", "open", str(file), "--keys", str(_stranger(tmp_path))]) == 1
    assert "sealed to others" in capsys.readouterr().err


def _stranger(folder: Path) -> Path:
    return keyring.make(folder / "others").centre


def test_the_test_can_fail(story: Path) -> None:
    """What was heard is in the spool, sealed; and in what the daemon wrote unsealed nothing is but the bed's name."""
    config = load(story)
    loose = (Path(config.runtime) / status.STATUS_FILE).read_bytes()
    assert BED.encode() in loose
    assert b"invalid literal" not in (Path(config.runtime) / history.HISTORY_FILE).read_bytes()
    assert b"CANARY" not in audit.kept(Disk(), Path(config.state) / audit.FOLDER)


def test_secrets_of_the_configuration_stay_here(story: Path) -> None:
    radio = Radio("C0:11:22:33:44:55", "gatt_oximeter", SECRETS[0], {"pin": SECRETS[0]})
    config = msgspec.structs.replace(load(story), broker=f"mqtts://user:{SECRETS[1]}@b.example.org:1", radio=[radio])
    parts = diagnosis.gathered(config, "gateway", Disk())
    assert found(parts) == []
    assert b"mqtts://b.example.org:1" in parts["config.json"]


def test_an_exception_is_kept_without_its_text(tmp_path: Path) -> None:
    kept = history.History(1, tmp_path, lambda: 0, lambda late: None)
    room = logging.getLogger("wardlink.test")
    room.addHandler(kept)
    try:
        int(READING)
    except ValueError:
        room.exception("task failed name=%s", "x")
    finally:
        room.removeHandler(kept)
    kept.write()
    told = history.read(tmp_path)
    assert told is not None
    assert told.log[0].startswith("0 ERROR wardlink.test task failed name=x ValueError at test_canaries.py:")
    assert "SPO2" not in told.log[0]


def test_a_spool_that_the_daemon_has_is_left_alone(story: Path) -> None:
    config = load(story)
    spool = Spool.open(Path(config.state) / "spool", dict.fromkeys((0, 1, 2), 8 << 20))
    try:
        assert b"the daemon has it open" in diagnosis.gathered(config, "gateway", Disk())["spool.json"]
    finally:
        spool.close()
