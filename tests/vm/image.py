"""The guest's disk: Debian with systemd, udev, bluetoothd and a venv of the pinned wheels, kept by its recipe."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.vm.debian import SUITE, BuildError, digest, mirror
from tests.vm.talk import tell

GUEST = Path(__file__).with_name("guest")
REQUIREMENTS = Path(__file__).parents[2] / "requirements" / "all.txt"
PACKAGES = (
    *("systemd", "systemd-sysv", "udev", "dbus", "bluez", "kmod", "procps", "iproute2", "e2fsprogs"),
    *("python3", "python3-venv", "python3-systemd", "python3-numpy", "python3-serial"),
    *(
        "python3-fastapi",
        "python3-psycopg",
        "python3-segno",
        "python3-sqlalchemy",
        "python3-uvicorn",
        "python3-websockets",
    ),
)
WHEELS = (  # of requirements/all.txt, for the tests; what Debian has new enough is Debian's, as our packages want it
    *("cbor2", "cffi", "cryptography", "msgspec", "paho-mqtt", "pycparser", "typing-extensions"),
    *("bleak", "bumble", "dbus-fast", "platformdirs", "pyee"),
    *("iniconfig", "packaging", "pluggy", "pygments", "pytest"),
)
PYTHON = "3.13"  # the suite's own
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
LEFT_OUT = ("doc", "man", "locale", "info")
DISK_SIZE = "3G"  # sparse


def image(folder: Path) -> Path:
    """The disk image; made where there is none of this recipe. Raises BuildError."""
    pins = chosen(REQUIREMENTS.read_text(encoding="utf-8"), WHEELS)
    parts = [path.read_bytes() for path in sorted(GUEST.iterdir())]
    made = folder / f"root-{digest(SUITE, ' '.join(PACKAGES), ' '.join(LEFT_OUT), PYTHON, DISK_SIZE, pins, *parts)}.img"
    if made.exists():
        return made
    if os.geteuid() != 0:
        raise BuildError("only root can make the guest's disk (mmdebstrap, chroot)")
    began = time.monotonic()
    tell("the guest's disk is made once, about two minutes")
    work = folder / "root"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        _make(work, pins, made)
    finally:
        shutil.rmtree(work)
    tell(f"disk made in {time.monotonic() - began:.0f} s")
    return made


def _make(work: Path, pins: str, made: Path) -> None:
    wheels, pinned, root, disk = work / "wheels", work / "pins.txt", work / "tree", work / "disk"
    pinned.write_text(pins, encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps")
    which = ("--only-binary=:all:", f"--python-version={PYTHON}", *(f"--platform={name}" for name in PLATFORMS))
    _run([*pip, *which, "--require-hashes", "-r", str(pinned), "-d", str(wheels)])
    strap = ("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=directory", "--skip=output/dev")
    out = (f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT)
    what = ('--aptopt=Acquire::Languages "none"', *out, f"--include={','.join(PACKAGES)}")
    then = f"--customize-hook={GUEST / 'furnish.sh'}"
    _run([*strap, *what, then, SUITE, str(root), mirror()], {"WHEELS": str(wheels), "PINS": str(pinned)})
    _run(["truncate", "-s", DISK_SIZE, str(disk)])
    lazy = "lazy_itable_init=1,lazy_journal_init=1"
    _run(["mke2fs", "-q", "-F", "-t", "ext4", "-E", lazy, "-d", str(root), str(disk)])
    disk.replace(made)


def _run(words: list[str], more: dict[str, str] | None = None) -> None:
    if subprocess.run(["nice", "-n", "10", *words], env={**os.environ, **(more or {})}, check=False).returncode:
        raise BuildError(f"{words[0]} failed; the guest's disk is not made")


def chosen(requirements: str, names: tuple[str, ...]) -> str:
    """The pins of these packages, hashes and all. Raises BuildError where one is not pinned."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", requirements)
    found = {block.partition("==")[0]: block.rstrip() for block in blocks if "==" in block.partition("\n")[0]}
    lacking = [name for name in names if name not in found]
    if lacking:
        raise BuildError(f"requirements/all.txt does not pin {', '.join(lacking)}")
    return "".join(f"{found[name]}\n" for name in names)
