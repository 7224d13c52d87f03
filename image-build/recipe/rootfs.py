"""Debian's part of the root: the locked packages, installed. Ten minutes under emulation, so it is kept by its lock."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from recipe import inside
from recipe.builder import runs_arm64
from recipe.deb import unpacked
from recipe.debian import SUITE
from recipe.packages import ARCH, Package, digest

# Slow under emulation, and done natively afterwards (recipe/finish.py), or by our own preset.
DIVERTED = (
    "/usr/bin/py3compile",
    "/usr/bin/systemd-hwdb",
    "/usr/bin/deb-systemd-helper",
    "/usr/sbin/update-ca-certificates",
    "/usr/sbin/depmod",
    "/usr/lib/python3.13/py_compile.py",
)
DIVERT = """set -e
for file in {files}; do
    chroot "$1" dpkg-divert --quiet --local --rename --divert "$file.diverted" --add "$file"
    mkdir -p "$1${{file%/*}}"; echo '#!/bin/sh' > "$1$file"; chmod 755 "$1$file"
done"""
RESTORE = """set -e
for file in {files}; do
    rm "$1$file"; chroot "$1" dpkg-divert --quiet --local --rename --remove "$file"
done"""
LEFT_OUT = (
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/bash-completion/*",
    "/usr/lib/python3/dist-packages/numpy/*/tests/*",
)


def make(builder: Path, debs: Path, rows: list[Package], folder: Path) -> Path:
    """A tar of Debian's part of the root, made once for each lock. Raises BuildError."""
    made = hashlib.sha256("".join(map(str, (*rows, DIVERTED, DIVERT, RESTORE, LEFT_OUT))).encode()).hexdigest()[:12]
    tar = folder / f"rootfs-{made}.tar"
    if tar.is_file():
        return tar
    runs_arm64()
    repo = folder / "repo"
    shutil.rmtree(repo, ignore_errors=True)
    repo.mkdir(parents=True)
    for row in rows:
        (repo / row.file).write_bytes(unpacked((debs / row.file).read_bytes()))
    inside.run(builder, ["sh", "-c", "cd /here/repo && dpkg-scanpackages -m . /dev/null > Packages"], folder)
    index = repo / "Packages"
    (repo / "Release").write_text(
        f"Codename: {SUITE}\nArchitectures: {ARCH}\nSHA256:\n {digest(index)} {index.stat().st_size} Packages\n",
        encoding="utf-8",
    )
    files = " ".join(DIVERTED)
    words = ["mmdebstrap", f"--architectures={ARCH}", "--variant=essential", "--mode=root", "--format=tar"]
    words += [f"--include={','.join(row.name for row in rows)}", "--aptopt=APT::Install-Recommends false"]
    words += ["--dpkgopt=force-unsafe-io", *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT)]
    words += ["--dpkgopt=path-include=/usr/share/doc/*/copyright"]
    words += [f"--essential-hook={DIVERT.format(files=files)}", f"--customize-hook={RESTORE.format(files=files)}"]
    inside.run(builder, [*words, SUITE, "/here/new.tar", "deb [trusted=yes] copy:/here/repo ./"], folder)
    shutil.rmtree(repo)
    (folder / "new.tar").rename(tar)
    return tar
