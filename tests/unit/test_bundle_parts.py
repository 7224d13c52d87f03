"""The bundle: the stick is found, storage tells its wear, and the limit of 5 MB holds whatever lies in the folders."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import audit, config, diagnosis, history
from agent.cli.bundle import stick
from agent.cli.talk import CommandError
from agent.health import notify, wear
from wire import diagnosis as form
from wire.keys import RecipientSecret

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OURS = RecipientSecret("x25519", bytes(range(32)))
ROOT = "/dev/mapper/root / squashfs ro 0 0\n"
ONE = "/dev/sda1 /media/stick\\040one vfat rw,nosuid 0 0\n"


def test_the_one_stick_is_found() -> None:
    assert stick(ROOT + ONE) == Path("/media/stick one")
    ours = "/dev/sda1 /run/media/wardlink/sda1 vfat ro,nosuid 0 0\n"  # made writable for as long as it is written
    assert stick(ROOT + ours) == Path("/run/media/wardlink/sda1")
    for mounts, words in (
        (ROOT, "no stick"),
        (ROOT + ONE.replace("rw,", "ro,"), "no stick"),
        (ROOT + ONE + "/dev/sdb1 /mnt vfat rw 0 0\n", "2 sticks"),
    ):
        with pytest.raises(CommandError, match=words):
            stick(mounts)


def disk(folder: Path, **files: str) -> None:
    for name, text in files.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")


def test_storage_tells_its_wear(tmp_path) -> None:
    block = tmp_path / "sys/block"
    stat = "1 2 3 4 5 6 2000 8 9 10 11"
    disk(block / "mmcblk0", size="1000", stat=stat, removable="0", device__life_time="0x02 0x01", device__type="MMC")
    disk(block / "mmcblk0", device__pre_eol_info="0x01", device__serial="0xdeadbeef")
    disk(block / "sdz", size="10", stat=stat, removable="1")
    disk(block / "loop0", size="10")
    assert wear.look(tmp_path) == [
        {
            "disk": "mmcblk0", "size_bytes": 512_000, "written_bytes": 1_024_000, "type": "MMC",
            "life_time": "0x02 0x01", "pre_eol_info": "0x01",
        }
    ]  # fmt: skip
    assert wear.look(tmp_path / "none") == []


def test_it_is_never_larger_than_5_mb(tmp_path) -> None:
    """Of a log that is as large as can be, and of what no compression makes smaller, the newest is taken."""
    loaded = config.Config(site="north", broker="mqtts://b", state=str(tmp_path / "state"), runtime=str(tmp_path))
    folder = tmp_path / "state" / audit.FOLDER
    folder.mkdir(parents=True)
    for slot in range(audit.PARTS_COUNT):
        lines = b"".join(base64.b85encode(os.urandom(800)) + b"\n" for _ in range(1000))
        (folder / f"{slot}.jsonl").write_bytes(lines)
    lines = [os.urandom(200).hex() for _ in range(history.LINES_LIMIT_COUNT)]
    told = history.Told(1, lines, [], [])
    notify.replace(tmp_path / history.HISTORY_FILE, history.msgspec.json.encode(told))
    data = diagnosis.made(loaded, KEY, [OURS.recipient], bytes(32), 7, None)
    assert 500_000 < len(data) <= form.DIAGNOSIS_LIMIT_BYTES
    _, _, parts = form.open_(data, [OURS])
    assert set(parts) == set(form.NAMES)
    assert 900_000 < len(parts["audit.jsonl"]) <= 1 << 20
    assert not parts["audit.jsonl"].startswith(b"\n")
