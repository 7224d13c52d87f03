"""The wheels of requirements/gateway.txt for a processor, by their hashes, and what of them goes into the package."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from errors import DebError

PYTHON = "3.13"  # Debian 13's
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBCS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")  # Debian 13: 2.41
PLATFORMS = {arch: tuple(f"{glibc}_{machine}" for glibc in GLIBCS) for arch, machine in MACHINES.items()}
ABIS = ("cp313", "abi3", "none")
SECTIONS = ("purelib", "platlib")  # of NAME.data/, that are libraries


def fetched(pins: Path, arch: str, cache: Path) -> list[Path]:
    """The wheels, downloaded once for these pins. Raises DebError."""
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:12]
    folder = cache / f"{arch}-{digest}"
    if not folder.exists():
        part = cache / f"{arch}-{digest}.part"
        pip = (sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps")
        which = ("--only-binary=:all:", f"--python-version={PYTHON}", "--implementation=cp")
        where = (*(f"--platform={name}" for name in PLATFORMS[arch]), *(f"--abi={abi}" for abi in ABIS))
        what = ("--require-hashes", "-r", str(pins), "-d", str(part))
        if subprocess.run([*pip, *which, *where, *what], check=False).returncode:
            raise DebError(f"pip cannot fetch the wheels for {arch}; is there a network, and are they pinned?")
        part.rename(folder)
    return sorted(folder.glob("*.whl"))


def files(wheel: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """What of a wheel lies below the library folder; its scripts are left out. Raises DebError."""
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            path = PurePosixPath(name)
            if name.endswith("/"):
                continue
            if path.is_absolute() or ".." in path.parts:
                raise DebError(f"{wheel.name} holds {name}")
            if path.parts[0].endswith(".data"):
                if path.parts[1] not in SECTIONS:
                    continue
                path = PurePosixPath(*path.parts[2:])
            yield path, archive.read(name)
