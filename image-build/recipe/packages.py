"""Which Debian packages: names in packages.txt, versions and digests in packages.lock, the files in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from recipe import inside
from recipe.debian import BACKPORTS, BuildError, sources

ARCH = "arm64"
CONF = f"""APT::Architecture "{ARCH}";
APT::Architectures {{ "{ARCH}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
pkgCacheGen::ForceEssential ",";
Acquire::Languages "none";
Acquire::ForceHash "SHA256";
Dir::Etc::sourcelist "/here/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferencesparts "-";
Dir::State "/here";
Dir::State::status "/here/status";
Dir::State::lists "/here/lists";
Dir::Cache "/here/cache";
"""


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """One row of packages.lock: a .deb by what is in it. `sha256` is hexadecimal, `size` bytes."""

    name: str
    version: str
    arch: str
    sha256: str
    size: int

    @property
    def file(self) -> str:
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.arch}.deb"

    def __str__(self) -> str:
        return f"{self.name}={self.version} {self.arch} {self.sha256} {self.size}"


def parsed(text: str) -> list[Package]:
    """The rows of a packages.lock. Raises BuildError at a row that is none."""
    rows = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        words = line.split()
        name, equals, version = words[0].partition("=")
        if len(words) != 4 or not equals or len(words[2]) != 64 or not words[3].isdigit():
            raise BuildError(f"packages.lock: {line!r} is no row", "image-build/build lock writes it anew")
        rows.append(Package(name, version, words[1], words[2], int(words[3])))
    return rows


def written(rows: Iterable[Package]) -> str:
    head = "# name=version architecture SHA-256 bytes; written by `image-build/build lock`, read by everything else\n"
    return head + "".join(f"{row}\n" for row in sorted(rows))


def drift(locked: Iterable[Package], now: Iterable[Package]) -> list[str]:
    """What the mirror would give instead, one line for each package."""
    old, new = {p.name: p for p in locked}, {p.name: p for p in now}
    lines = [f"- {old[n].name}={old[n].version}" for n in sorted(old.keys() - new.keys())]
    lines += [f"+ {new[n].name}={new[n].version}" for n in sorted(new.keys() - old.keys())]
    for name in sorted(old.keys() & new.keys()):
        if old[name].version != new[name].version:
            lines.append(f"! {name}={old[name].version} is now {new[name].version}")
        elif old[name].sha256 != new[name].sha256:
            lines.append(f"! {name}={old[name].version} has the same version and other bytes")
    return lines


class Archive:
    """Debian's lists for the image's architecture, in an apt of their own under `folder`."""

    def __init__(self, builder: Path, folder: Path) -> None:
        self._builder, self._folder = builder, folder

    def _apt(self, *words: object) -> str:
        return inside.run(self._builder, ["env", "APT_CONFIG=/here/apt.conf", *words], self._folder)

    def refresh(self) -> None:
        """Ask the mirror for its lists."""
        for part in ("lists/partial", "cache/archives/partial"):
            (self._folder / part).mkdir(parents=True, exist_ok=True)
        (self._folder / "status").write_text("", encoding="utf-8")
        (self._folder / "sources.list").write_text("\n".join(sources()) + "\n", encoding="utf-8")
        (self._folder / "apt.conf").write_text(CONF, encoding="utf-8")
        self._apt("apt-get", "update", "-qq")

    def resolve(self, names: list[str]) -> list[Package]:
        """The packages that `names` and Debian's essential ones come to, today."""
        said = self._apt("apt-get", "install", "-y", "--print-uris", "-qq", "?essential", *names, *self._kernel())
        return [_resolved(line) for line in said.splitlines() if line.startswith("'")]

    def _kernel(self) -> list[str]:
        """The kernel itself: linux-image would bring a maker of initramfs along, and ours is our own."""
        said = self._apt("apt-cache", "depends", f"linux-modules-arm64/{BACKPORTS}")
        modules = [line.split()[1] for line in said.splitlines() if "Depends: linux-modules-" in line]
        return [name.replace("linux-modules-", "linux-binary-") for name in modules]

    def fetch(self, rows: list[Package]) -> Path:
        """The folder of the .debs, each with its locked bytes. Raises BuildError where the mirror has moved on."""
        debs = self._folder / "debs"
        debs.mkdir(parents=True, exist_ok=True)
        missing = [row for row in rows if not (debs / row.file).is_file()]
        if missing:
            self.refresh()
            script = 'cd /here/debs && exec apt-get download -qq "$@"'
            try:
                self._apt("sh", "-c", script, "sh", *(f"{row.name}={row.version}" for row in missing))
            except BuildError as error:
                raise BuildError(
                    f"packages.lock names what the mirror no longer has: {error}",
                    "image-build/build drift shows the difference; image-build/build lock takes today's; "
                    "or put a release's own .debs into the cache",
                ) from error
        for row in rows:
            if digest(debs / row.file) != row.sha256:
                (debs / row.file).unlink()
                raise BuildError(f"{row.file} has other bytes than packages.lock says", "it is removed: build again")
        return debs

    def also(self, *wanted: str) -> Path:
        """The folder in which these packages (`name=version`) lie, too; they are for the build and not installed."""
        debs = self._folder / "debs"
        debs.mkdir(parents=True, exist_ok=True)
        self.refresh()
        self._apt("sh", "-c", 'cd /here/debs && exec apt-get download -qq "$@"', "sh", *wanted)
        return debs


def _resolved(line: str) -> Package:
    uri, file, size, hashed = line.split()
    name, version, arch = file.removesuffix(".deb").split("_")
    if not hashed.startswith("SHA256:"):
        raise BuildError(f"the mirror's lists have no SHA-256 for {unquote(uri)}")
    return Package(name, unquote(version), arch, hashed.removeprefix("SHA256:"), int(size))


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
