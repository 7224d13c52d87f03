"""wardlink's Debian packages: made on the host, kept by what they are made of; installed in the guest, once a boot."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.vm.debian import BuildError, digest

TREE = Path(__file__).parents[2]
MADE_OF = ("agent", "centre", "config", "discipline", "docs", "drivers", "image-build/deb", "systemd", "wire")
FILES = ("CHANGELOG.md", "pyproject.toml", "requirements/gateway.txt")
HERE = Path("/host")
GATEWAY, CENTRE = "wardlink", "wardlink-centre"
QUIET = Path("/etc/systemd/system-preset/00-tests.preset")
INSTALLING_S = 180.0


def packages(folder: Path) -> list[Path]:
    """The .debs of this checkout for this machine; made where they are not there. Raises BuildError."""
    made = folder / f"deb-{_digest()}"
    if not made.exists():
        part = made.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        words = [sys.executable, str(TREE / "image-build" / "deb" / "build"), "--arch", "amd64", "--out", str(part)]
        if subprocess.run(["nice", "-n", "10", *words], stdout=subprocess.DEVNULL, check=False).returncode:
            raise BuildError("the packages cannot be made")
        for old in folder.glob("deb-*"):
            if old != part:
                shutil.rmtree(old)
        part.rename(made)
    return sorted(made.glob("*.deb"))


def give(made: Iterable[Path], share: Path) -> None:
    """Put them where the guest finds them."""
    for package in made:
        shutil.copy(package, share / f"{package.name.partition('_')[0]}.deb")


def _digest() -> str:
    found = [path for name in MADE_OF for path in (TREE / name).rglob("*") if path.is_file()]
    wanted = sorted(path for path in found if "__pycache__" not in path.parts)
    paths = [*wanted, *(TREE / name for name in FILES)]
    return digest(*(part for path in paths for part in (str(path.relative_to(TREE)), path.read_bytes())))


def install(name: str = GATEWAY) -> None:
    """In the guest, as an engineer does; but nothing starts by itself, for the machine's own presets say so."""
    QUIET.parent.mkdir(parents=True, exist_ok=True)
    QUIET.write_text("disable wardlink*\n", encoding="utf-8")
    if Path(f"/var/lib/dpkg/info/{name}.list").exists():
        return
    done = subprocess.run(
        ["dpkg", "--install", str(HERE / f"{name}.deb")],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        text=True,
        timeout=INSTALLING_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
