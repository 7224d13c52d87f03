"""Debian as this machine gets it: its own mirror, asked from apt at run time, and an apt of our own beside it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

SUITE = "trixie"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
TARGETS = ("apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)", "Created-By: Packages")


class BuildError(Exception):
    """The machine lacks something; says what."""


def mirror() -> str:
    """Where this machine takes Debian from. Raises BuildError where it is no Debian."""
    for row in said(TARGETS).splitlines():
        origin, label, component, uri = row.split("|", 3)
        if (origin, label, component) == ("Debian", "Debian", "main"):
            return uri
    raise BuildError("apt knows no Debian mirror: the guest is made of Debian packages")


def fetch_source(folder: Path) -> Path:
    """The newest kernel source of the suite and its backports, unpacked once under `folder`; returns its tree."""
    environment = _apt(folder / "apt")
    subprocess.run(["apt-get", "update", "-qq"], env=environment, check=True)
    depends = said(("apt-cache", "depends", "linux-source"), environment)
    names = [line.split()[1] for line in depends.splitlines() if line.strip().startswith("Depends:")]
    if not names:
        raise BuildError("the mirror has no linux-source")
    tree = folder / names[0]
    if not (tree / "Makefile").exists():
        subprocess.run(["apt-get", "download", "-qq", names[0]], env=environment, cwd=folder, check=True)
        (package,) = folder.glob(f"{names[0]}_*.deb")
        _unpack(package, names[0], folder)
        package.unlink()
    return tree


def _unpack(package: Path, name: str, folder: Path) -> None:
    opened = folder / "opened"
    subprocess.run(["dpkg-deb", "-x", package, opened], check=True)
    subprocess.run(["tar", "-C", folder, "-xf", opened / "usr" / "src" / f"{name}.tar.xz"], check=True)
    subprocess.run(["rm", "-rf", opened], check=True)


def _apt(folder: Path) -> dict[str, str]:
    """The environment of an apt that knows only the guest's suite; this machine's own is not touched."""
    for part in ("lists/partial", "archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    suites = f"{SUITE}-backports"
    (folder / "sources.list").write_text(f"deb [signed-by={KEYS}] {mirror()} {suites} main\n", encoding="utf-8")
    (folder / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{folder}/sources.list";\nDir::Etc::sourceparts "-";\n'
        f'Dir::State::lists "{folder}/lists";\nDir::Cache "{folder}";\nAcquire::Languages "none";\n'
        'APT::Sandbox::User "root";\n',
        encoding="utf-8",
    )
    return {**os.environ, "APT_CONFIG": str(folder / "apt.conf")}


def said(words: Iterable[str], environment: dict[str, str] | None = None) -> str:
    """What a command says. Raises BuildError with its complaint."""
    done = subprocess.run([*words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def digest(*parts: str | bytes) -> str:
    """A name for what is made of these parts: twelve hexadecimal digits."""
    out = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        out.update(len(data).to_bytes(8, "little") + data)
    return out.hexdigest()[:12]
