"""What is compiled: our kernel module, against the headers of the locked kernel, and what RAUC is started with."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from recipe import inside
from recipe.debian import BuildError
from recipe.packages import Archive, Package

NAME = "wardlink_tryboot.ko"
LIBRARY = "verity_status.so"


def overlay(builder: Path, archive: Archive, rows: Iterable[Package], sources: Path, cache: Path) -> Path:
    """Raises BuildError."""
    kernel, version = _kernel(rows)
    folder = cache / f"module-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    _headers(builder, archive, kernel, version, folder)
    binds = {sources: "/src"}
    inside.run(builder, ["sh", "/src/build", "/here/headers", "/here/out"], folder, binds)
    made = folder / "overlay" / "usr/lib/modules" / kernel / "updates"
    made.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / "out" / NAME, made / NAME)
    library = folder / "overlay" / "usr/lib/wardlink"
    library.mkdir(parents=True, exist_ok=True)
    inside.run(builder, ["sh", "/src/build", "/here/out"], folder, {sources.parent / "verity-status": "/src"})
    shutil.copyfile(folder / "out" / LIBRARY, library / LIBRARY)
    return folder / "overlay"


def _kernel(rows: Iterable[Package]) -> tuple[str, str]:
    """(the kernel's own name, the package's version)."""
    for row in rows:
        if found := re.match(r"linux-modules-(\d.*-arm64)$", row.name):
            return found[1], row.version
    raise BuildError("packages.lock names no kernel")


def _headers(builder: Path, archive: Archive, kernel: str, version: str, folder: Path) -> None:
    """Unpacked once. The programs of kbuild are of the builder's kind."""
    if (folder / "headers").exists():
        return
    release = kernel.removesuffix("-arm64")
    debs = archive.also(f"linux-headers-{kernel}={version}", f"linux-headers-{release}-common={version}")
    words = ["sh", "-c", 'cd /here && apt-get update -qq && apt-get download -qq "$1"', "sh"]
    inside.run(builder, [*words, f"linux-kbuild-{release}={version}"], folder)
    fresh = folder / "headers.new"
    shutil.rmtree(fresh, ignore_errors=True)
    quoted = version.replace(":", "%3a")
    found = [*debs.glob(f"linux-headers-{release}*_{quoted}_*.deb"), *folder.glob(f"linux-kbuild-{release}_*.deb")]
    for deb in found:
        subprocess.run(["dpkg-deb", "-x", deb, fresh], check=True)
    fresh.rename(folder / "headers")
