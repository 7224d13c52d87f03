"""What lies where in the packages, and what their control files say (docs/adr/0023-packages.md)."""

from __future__ import annotations

import gzip
import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path, PurePosixPath

import wheels

LIB = PurePosixPath("opt/wardlink/lib")
DOC = PurePosixPath("usr/share/doc")
UNITS = PurePosixPath("usr/lib/systemd/system")
OURS = ("agent", "config", "discipline", "drivers", "wire")
OF_CENTRE = ("wardlink-centre.service", "wardlink-fleet.service")
PAGES = (
    *(
        "operate.md",
        "setup.md",
        "enrolment.md",
        "keys.md",
        "codes.md",
        "page.md",
        "patients.md",
        "image.md",
        "updates.md",
    ),
    *("devices.md", "cables.md", "radio.md", "formats.md", "broker.md"),
)
WHO = "The wardlink authors <packages@wardlink.invalid>"
MACHINE = PurePosixPath("usr/share/wardlink/machine")  # drop-ins for a machine that is a gateway and nothing else


@dataclass(frozen=True, slots=True)
class Put:
    """One file of a package: what it holds, or where it points to."""

    path: PurePosixPath
    data: bytes = b""
    mode: int = 0o644
    link: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """`epoch`: seconds since 1970, the date of everything in it."""

    version: str
    epoch: int


def version(tree: Path) -> str:
    project = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def gateway(tree: Path, found: Iterable[Path], release: Release) -> list[Put]:
    """`found`: the wheels."""
    units = tree / "systemd"
    return [
        *(put for name in OURS for put in library(tree / name)),
        *(Put(LIB / path, data) for wheel in found for path, data in wheels.files(wheel) if is_wanted(path)),
        Put(PurePosixPath("opt/wardlink/bin/wardlink"), starter(tree), 0o755),
        Put(PurePosixPath("usr/bin/wardlink"), link="/opt/wardlink/bin/wardlink"),
        *(Put(UNITS / path.name, path.read_bytes()) for path in units_of(units) if path.name not in OF_CENTRE),
        *(
            Put(PurePosixPath("usr/lib/wardlink") / path.name, path.read_bytes(), 0o755)
            for path in all_in(units / "bin")
        ),
        *(Put(MACHINE / path.relative_to(units / "machine"), path.read_bytes()) for path in all_in(units / "machine")),
        *(Put(PurePosixPath("usr/lib/udev/rules.d") / path.name, path.read_bytes()) for path in units.glob("*.rules")),
        Put(
            PurePosixPath("usr/lib/systemd/system-preset/60-wardlink.preset"),
            (units / "60-wardlink.preset").read_bytes(),
        ),
        Put(PurePosixPath("usr/lib/sysusers.d/wardlink.conf"), (units / "sysusers.conf").read_bytes()),
        Put(PurePosixPath("usr/lib/tmpfiles.d/wardlink.conf"), (units / "tmpfiles.conf").read_bytes()),
        *(Put(DOC / "wardlink" / name, (tree / "docs" / name).read_bytes()) for name in PAGES),
        Put(DOC / "wardlink/examples/gateway.toml", (tree / "config" / "gateway.toml").read_bytes()),
        *papers(tree, "wardlink", release),
    ]


def centre(tree: Path, release: Release) -> list[Put]:
    units = tree / "systemd"
    return [
        *library(tree / "centre"),
        *(Put(UNITS / name, (units / name).read_bytes()) for name in OF_CENTRE),
        Put(PurePosixPath("usr/lib/sysusers.d/wardlink-centre.conf"), (units / "sysusers-centre.conf").read_bytes()),
        Put(PurePosixPath("usr/lib/tmpfiles.d/wardlink-centre.conf"), (units / "tmpfiles-centre.conf").read_bytes()),
        Put(DOC / "wardlink-centre/examples/centre.toml", (tree / "config" / "centre.toml").read_bytes()),
        *papers(tree, "wardlink-centre", release),
    ]


def library(folder: Path) -> Iterator[Put]:
    for path in all_in(folder):
        put = PurePosixPath(path.relative_to(folder.parent).as_posix())
        if is_wanted(put):
            yield Put(LIB / put, path.read_bytes())


def is_wanted(path: PurePosixPath) -> bool:
    return "__pycache__" not in path.parts and path.suffix != ".pyi"


def all_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def units_of(folder: Path) -> list[Path]:
    kinds = (".service", ".timer", ".path", ".target", ".socket")
    return sorted(path for path in folder.iterdir() if path.suffix in kinds)


def starter(tree: Path) -> bytes:
    return (tree / "image-build" / "deb" / "wardlink" / "wardlink.py").read_bytes()


def packed(data: bytes) -> bytes:
    return gzip.compress(data, 9, mtime=0)


def papers(tree: Path, package: str, release: Release) -> Iterator[Put]:
    """Licence and changes, where Debian wants them."""
    yield Put(DOC / package / "copyright", (tree / "image-build/deb/wardlink/copyright").read_bytes())
    yield Put(DOC / package / "NEWS.gz", packed((tree / "CHANGELOG.md").read_bytes()))
    when = format_datetime(datetime.fromtimestamp(release.epoch, UTC))
    entry = f"{package} ({release.version}) trixie; urgency=medium\n\n  * As NEWS.gz says.\n\n -- {WHO}  {when}\n"
    yield Put(DOC / package / "changelog.gz", packed(entry.encode()))
    overrides = tree / "image-build" / "deb" / package / "lintian-overrides"
    yield Put(PurePosixPath("usr/share/lintian/overrides") / package, overrides.read_bytes())


def lay(put: Iterable[Put], root: Path) -> None:
    """Write the files below `root`; the same name twice is an error of ours."""
    for one in put:
        path = root / one.path
        path.parent.mkdir(parents=True, exist_ok=True)
        assert not path.exists(), f"{one.path} stands there twice"
        if one.link:
            path.symlink_to(one.link)
            continue
        path.write_bytes(one.data)
        path.chmod(one.mode)


def control(folder: Path, version: str, arch: str, root: Path) -> dict[str, str]:
    """The control files of a package: its template filled in, its scripts, the sums of its files."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()]
    kib = sum(-(-path.stat().st_size // 1024) for path in files)
    template = (folder / "control").read_text(encoding="utf-8")
    filled = (
        template.replace("@VERSION@", version).replace("@ARCH@", arch).replace("@KIB@", str(kib)).replace("@WHO@", WHO)
    )
    sums = (f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in files)  # noqa: S324
    scripts = {
        name: (folder / name).read_text(encoding="utf-8")
        for name in ("postinst", "prerm", "postrm")
        if (folder / name).exists()
    }
    return {"control": filled, "md5sums": "".join(sums), **scripts}
