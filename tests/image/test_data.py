"""Which key opens the data partition: the shipped script, with programs of ours in the place of cryptsetup and mount.

A source of the key that is missing must never end in a partition that is locked anew.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "image-build/overlay/usr/lib/wardlink/data"
PLACES = re.compile(
    r"/boot/firmware|/data\b(?!\.)|/run/|/proc/(?=mounts|device)|/dev/(?=tpmrm0|mapper|kmsg)|/sys/firmware|/etc/machine-id"
)
CRYPTSETUP = """#!/bin/sh
while [ $# -gt 0 ]; do case $1 in
    isLuks) exec test -e HOME/header ;;
    luksDump) exec cat HOME/header ;;
    luksFormat|open) verb=$1 ;;
    --subsystem) subsystem=$2; shift ;;
    --key-file) file=$2; shift ;;
    --token-only) exec grep -q systemd-tpm2 HOME/header ;;
esac; shift; done
if [ $verb = luksFormat ]; then
    printf 'Subsystem:\\t%s\\n' "$subsystem" > HOME/header; cp "$file" HOME/locked; echo x >> HOME/times
fi
exec cmp -s "$file" HOME/locked
"""
STUBS = {
    "cryptsetup": CRYPTSETUP,
    "systemd-cryptenroll": "#!/bin/sh\n[ ! -e HOME/cut ] && echo systemd-tpm2 >> HOME/header\n",
    "dd": "#!/bin/sh\nprintf '\\123\\357'\n",
    **dict.fromkeys(("mount", "chown", "modprobe", "udevadm", "sync"), "#!/bin/sh\n"),
}
KEY = "0123456789abcdef" * 4


class Board:
    """A board's files below a folder, and its start as the script sees it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        for place in ("boot/firmware", "data", "run", "proc", "dev/mapper", "sys/firmware/wardlink", "etc", "bin"):
            (home / place).mkdir(parents=True)
        (home / "proc/mounts").write_text(f"/dev/x1 {home}/boot/firmware vfat ro 0 0\n", encoding="utf-8")
        (home / "etc/machine-id").write_text("0123456789abcdef" * 2 + "\n", encoding="utf-8")
        for name, text in STUBS.items():
            (home / "bin" / name).write_text(text.replace("HOME", str(home)), encoding="utf-8")
            (home / "bin" / name).chmod(0o755)
        lines = SCRIPT.read_text(encoding="utf-8").splitlines()
        text = "\n".join(line for line in lines if not line.startswith(("last /", "disk=", "data=")))
        text = PLACES.sub(lambda found: f"{home}{found[0]}", text)
        head, _, rest = text.partition("key=")
        (home / "script").write_text(f"{head}data={home}/etc\nkey={rest}".replace("! -b", "! -e"), encoding="utf-8")

    def start(self) -> str:
        """The key source that was told, or "" where it did not open."""
        told = self.home / "run/wardlink/keysource"
        told.unlink(missing_ok=True)
        path = f"{self.home}/bin:/usr/bin:/bin"
        subprocess.run(["sh", self.home / "script"], env={"PATH": path}, capture_output=True, check=False)
        return told.read_text(encoding="utf-8").strip() if told.exists() else ""

    @property
    def locked_times(self) -> int:
        path = self.home / "times"
        return path.read_text(encoding="utf-8").count("x") if path.exists() else 0

    @property
    def otp(self) -> Path:
        return self.home / "sys/firmware/wardlink/otp_key"

    @property
    def tpm(self) -> Path:
        return self.home / "dev/tpmrm0"


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def test_without_anything_better_the_key_lies_on_the_card(board: Board) -> None:
    board.otp.write_text("0" * 64 + "\n", encoding="utf-8")
    assert [board.start(), board.start()] == ["none", "none"]
    assert len((board.home / "boot/firmware/data.key").read_text(encoding="utf-8")) == 64
    assert board.locked_times == 1


def test_a_burnt_key_comes_first_and_leaves_no_other(board: Board) -> None:
    board.otp.write_text(KEY + "\n", encoding="utf-8")
    board.tpm.touch()
    assert [board.start(), board.start()] == ["otp", "otp"]
    assert not (board.home / "boot/firmware/data.key").exists()
    assert (board.home / "locked").read_text(encoding="utf-8") not in ("", KEY)


def test_a_tpm_keeps_what_opens_it(board: Board) -> None:
    board.tpm.touch()
    assert [board.start(), board.start()] == ["tpm2", "tpm2"]
    assert board.locked_times == 1


@pytest.mark.parametrize("source", ["none", "otp", "tpm2"])
def test_a_source_that_is_gone_is_an_error_and_locks_nothing(board: Board, source: str) -> None:
    if source == "otp":
        board.otp.write_text(KEY + "\n", encoding="utf-8")
    if source == "tpm2":
        board.tpm.touch()
    assert board.start() == source
    kept = board.home / "kept"
    at = {"none": board.home / "boot/firmware/data.key", "otp": board.otp, "tpm2": board.tpm}[source]
    at.rename(kept)
    for other in (None, board.otp, board.tpm):
        if other is not None and other != at:
            other.write_text("f" * 64 + "\n", encoding="utf-8")
        assert board.start() == ""
        assert board.locked_times == 1
        assert not at.exists()
    kept.rename(at)
    assert board.start() == source


def test_a_cut_before_the_tpm_had_it_is_made_good(board: Board) -> None:
    board.tpm.touch()
    (board.home / "cut").touch()
    assert board.start() == ""
    (board.home / "cut").unlink()
    assert board.start() == "tpm2"
    assert board.locked_times == 2


def test_no_key_stays_behind(board: Board) -> None:
    board.start()
    assert not (board.home / "run/wardlink-data.key").exists()
