"""The module that asks the Pi's firmware (image-build/tryboot), made for the kernel of the lock, cross-compiled."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from recipe import inside
from recipe.debian import BuildError
from recipe.packages import Archive, Package

NAME = "wardlink_tryboot.ko"


def make(builder: Path, archive: Archive, rows: list[Package], source: Path, folder: Path) -> Path:
    """The module, made once for each kernel and source. Raises BuildError."""
    (kernel,) = (row for row in rows if row.name.startswith("linux-modules-") and row.name != "linux-modules-arm64")
    release = kernel.name.removeprefix("linux-modules-")
    sources = b"".join(path.read_bytes() for path in sorted(source.iterdir()) if path.is_file())
    mark = hashlib.sha256(str(kernel).encode() + sources).hexdigest()[:12]
    made = folder / f"{mark}-{NAME}"
    if made.is_file():
        return made
    headers = folder / f"headers-{kernel.version.replace(':', '%3a')}"
    if not headers.is_dir():
        _fetch(builder, archive, release, kernel.version, headers)
    words = ["sh", "/source/build", "/headers", "/here/made"]
    inside.run(builder, words, folder, {source: "/source", headers: "/headers"})
    shutil.move(folder / "made" / NAME, made)
    shutil.rmtree(folder / "made")
    return made


def _fetch(builder: Path, archive: Archive, release: str, version: str, headers: Path) -> None:
    """The kernel's headers; the programs that come with them are of the builder's own kind."""
    common = release.rsplit("-", 1)[0]
    new = headers.with_name("headers.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    archive.download([f"linux-headers-{release}={version}", f"linux-headers-{common}-common={version}"], new)
    fetch = f"cd /here; apt-get download -qq linux-kbuild-{common}={version}"
    unpack = "for deb in *.deb; do dpkg-deb -x $deb .; rm $deb; done"
    inside.run(builder, ["sh", "-c", f"set -e; {fetch}; {unpack}"], new)
    if not list(new.glob("usr/src/linux-headers-*-arm64")):
        raise BuildError(f"the headers of {release} are not what they were")
    new.rename(headers)
