"""How worn the machine's storage is, as far as it says so itself.

eMMC tells `life_time` and `pre_eol_info` (JESD84-B51, EXT_CSD 267 to 269);
an SD card tells nobody, so what was written since the start stands beside it; other disks are asked by smartctl(8).
Serial numbers are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

SECTOR_BYTES = 512  # whatever the disk has: Documentation/block/stat.rst
SMART_LIMIT_S = 10.0
_LEFT_OUT = ("loop", "ram", "zram", "dm-", "nbd", "mtdblock", "ubd")
_SMART = ("smart_status", "temperature", "power_on_time", "ata_smart_attributes", "nvme_smart_health_information_log")
_CARD = ("type", "name", "manfid", "oemid", "date", "fwrev", "life_time", "pre_eol_info")


def look(root: Path = Path("/")) -> list[dict[str, Any]]:
    """One for each disk that is built in; those that can be pulled out are no storage of ours."""
    folder = root / "sys/block"
    disks = sorted(folder.iterdir()) if folder.is_dir() else []
    kept = [disk for disk in disks if not disk.name.startswith(_LEFT_OUT) and _text(disk / "removable") != "1"]
    return [_disk(disk) for disk in kept]


def _disk(disk: Path) -> dict[str, Any]:
    stat = _text(disk / "stat").split()
    said: dict[str, Any] = {"disk": disk.name, "size_bytes": _number(_text(disk / "size")) * SECTOR_BYTES}
    if len(stat) > 6:
        said["written_bytes"] = _number(stat[6]) * SECTOR_BYTES
    said |= {word: text for word in _CARD if (text := _text(disk / "device" / word))}
    return said | ({"smart": _smart(disk.name)} if disk.name.startswith(("sd", "nvme")) else {})


def _smart(name: str) -> Any:
    import json  # noqa: PLC0415  most boards have a card, and that has no SMART
    import shutil  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    program = shutil.which("smartctl")
    if program is None:
        return "smartctl is not installed"
    words = [program, "--json", "--health", "--attributes", f"/dev/{name}"]
    try:
        done = subprocess.run(words, capture_output=True, timeout=SMART_LIMIT_S, check=False)
        told = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        return f"not told: {type(error).__name__}"
    return {key: told[key] for key in _SMART if key in told} or "nothing is told: root, or no SMART"


def _text(file: Path) -> str:
    try:
        return file.read_text("ascii", "replace").strip()
    except OSError:
        return ""


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
