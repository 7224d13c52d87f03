"""The builder: a Debian of the image's own release in a folder, so that the machine around it may be any Debian."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from recipe import debian, lists

FOREIGN = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")


def make(folder: Path) -> Path:
    """The builder's root, made once for its list of packages: 1.2 GB. Raises BuildError."""
    ready = folder / "etc" / "wardlink-builder"
    names = lists.words("builder.txt")
    wanted = " ".join(names)
    if ready.is_file() and ready.read_text(encoding="utf-8") == wanted:
        return folder
    if not shutil.which("mmdebstrap"):
        raise debian.BuildError("mmdebstrap is not here", "apt-get install mmdebstrap debian-archive-keyring")
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.parent.mkdir(parents=True, exist_ok=True)
    words = ["mmdebstrap", "--mode=root", "--variant=apt", "--aptopt=APT::Install-Recommends false"]
    words += ["--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=force-unsafe-io", "--skip=cleanup/apt/lists"]
    words += [f"--include={','.join(names)}"]
    subprocess.run([*words, debian.SUITE, str(new), *debian.sources()], check=True)
    ready = new / "etc" / "wardlink-builder"
    ready.write_text(wanted, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
    return folder


def runs_arm64() -> None:
    """Raises BuildError where this machine cannot run arm64 programs (the packages' own scripts need it)."""
    if not FOREIGN.exists():
        raise debian.BuildError(
            "this machine does not run arm64 programs",
            "apt-get install qemu-user-static binfmt-support; in a container also: "
            "mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc && update-binfmts --enable qemu-aarch64",
        )
