"""What comes and goes on a stick: an update without any network, and the sealed bundle for whoever helps from afar."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.image.cards import formatted
from tests.image.disk import Fat
from tests.image.machine import Machine
from tests.image.outside import BED
from tests.image.stage import BOOT_S, SLOW_S, TRIAL_S, Bedside, Stage
from tests.image.updates import committed
from tests.image.variants import NEXT

MIB = 1 << 20
STICK_BYTES, PART_AT = 320 * MIB, MIB
MOUNTS = "/run/media/wardlink"
BUNDLE_LIMIT_BYTES = 5_000_000


def stick(stage: Stage) -> None:
    """An update from a stick fetches nothing and stays; a diagnostic bundle on a stick is small and sealed."""
    file = stage.built.next()
    with stage.enrolled("stick") as bedside:
        machine = bedside.machine
        _plugged(machine, _made(machine.folder / "stick.img", {file.name: file.read_bytes()}))
        place = _mounted(bedside)
        before = stage.server.sent_bytes
        done = bedside.ssh("wardlink", "update", "--urgent", f"{place}/{file.name}")
        assert "is installed; 0 bytes fetched" in done.stdout, done.stdout + done.stderr
        assert stage.server.sent_bytes == before
        start = machine.restarted(SLOW_S)
        assert (start.partition, start.is_tryboot) == (3, True)
        machine.wait("B runs, on trial", BOOT_S)
        bedside.delivers()
        machine.until(lambda: committed(machine) == 3, TRIAL_S, "the commit")
        assert bedside.asked("cat /usr/lib/wardlink-image") == NEXT
        _bundle(stage, bedside)


def _bundle(stage: Stage, bedside: Bedside) -> None:
    machine, outside = bedside.machine, bedside.outside
    image = _made(machine.folder / "empty.img", {})
    _plugged(machine, image)
    _mounted(bedside)
    said = bedside.asked("wardlink bundle")
    machine.ask("device_del", id="stick")
    machine.until(lambda: not bedside.asked(f"ls {MOUNTS} || true"), SLOW_S, "the stick to be gone")
    fat = Fat(image, PART_AT)
    (name,) = (one for one in fat.names() if one.endswith(".wldg"))
    data = fat.read(name) or b""
    assert 0 < len(data) <= BUNDLE_LIMIT_BYTES, said
    stage.figures["bundle_bytes"] = len(data)
    assert BED.encode() not in data, "it is not sealed"
    sealed, parts = machine.folder / name, machine.folder / "parts"
    sealed.write_bytes(data)
    outside.own("bundle", "open", str(sealed), "--keys", str(outside.folder / "keys"), "--out", str(parts))
    whole = b"".join(one.read_bytes() for one in sorted(parts.iterdir()))
    stage.figures["bundle_parts"] = sorted(one.name for one in parts.iterdir())
    assert whole, "it holds nothing"
    for secret in ("gateway.key", "site.key"):
        text = bedside.ssh(f"cat /etc/wardlink/keys/{secret} 2> /dev/null").stdout.strip()
        assert not text or text.encode() not in whole, secret


def _made(path: Path, files: dict[str, bytes]) -> Path:
    """A stick as shops sell it: one FAT partition in an old table."""
    with path.open("wb") as file:
        file.truncate(STICK_BYTES)
    table = f"label: dos\nstart={PART_AT // 512}, type=c\n"
    subprocess.run(["sfdisk", "-q", str(path)], input=table.encode(), check=True, capture_output=True)
    formatted(Fat(path, PART_AT), STICK_BYTES - PART_AT, "STICK", files, "-F")
    return path


def _plugged(machine: Machine, image: Path) -> None:
    machine.ask(
        "blockdev-add", driver="raw", **{"node-name": image.stem}, file={"driver": "file", "filename": str(image)}
    )
    machine.ask("device_add", driver="usb-storage", id="stick", drive=image.stem, bus="usb.0")


def _mounted(bedside: Bedside) -> str:
    """Where the gateway has it."""

    def look() -> str:
        return bedside.ssh(f"findmnt -rno TARGET | grep {MOUNTS}/ | head -1").stdout.strip()

    return bedside.machine.until(lambda: look() or None, SLOW_S, "a mounted stick")
