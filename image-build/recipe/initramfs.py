"""The first root: busybox, veritysetup, the modules that find the disk, and initramfs/init. Written here, in a second.

Debian's own maker takes five minutes under emulation, and what it makes has four hundred files that nobody needs.
"""

from __future__ import annotations

import lzma
import re
import subprocess
from pathlib import Path

from recipe import cpio, lists
from recipe.debian import BuildError

PROGRAMS = ("usr/bin/busybox", "usr/sbin/veritysetup")
LIBRARIES = ("usr/lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu/systemd", "usr/lib")
EMPTY = ("dev", "proc", "sys", "run", "newroot")
Files = dict[str, tuple[bytes, int]]


def made(root: Path, init: Path) -> bytes:
    """The archive, zstd'ed: the same bytes from the same root. Raises BuildError where the root lacks something."""
    files: Files = {"init": (init.read_bytes(), 0o755)}
    (modules,) = (root / "usr/lib/modules").iterdir()
    _add_modules(modules, files)
    for program in PROGRAMS:
        _add_program(root, root / program, f"bin/{Path(program).name}", files)
    archive = cpio.packed(files, EMPTY)
    return subprocess.run(
        ["zstd", "-q", "-19", "--single-thread"], input=archive, capture_output=True, check=True
    ).stdout


def _add_modules(tree: Path, files: Files) -> None:
    """MODULES and what they stand on; unpacked, because the archive is packed as a whole."""
    needs: dict[str, list[str]] = {}
    for line in (tree / "modules.dep").read_text(encoding="utf-8").splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
    paths = {plain(path): path for path in needs}
    builtin = {plain(line) for line in (tree / "modules.builtin").read_text(encoding="utf-8").split()}
    taken: set[str] = set()
    for name in lists.words("initramfs/modules.txt"):
        found = paths.get(name.replace("-", "_"))
        if found:
            taken |= {found, *needs[found]}
        elif name.replace("-", "_") not in builtin:
            raise BuildError(
                f"the kernel has no module {name}", "it was renamed or left out: see initramfs/modules.txt"
            )
    home = f"lib/modules/{tree.name}"
    for path in taken:
        data = (tree / path).read_bytes()
        files[f"{home}/{path.removesuffix('.xz')}"] = (lzma.decompress(data) if path.endswith(".xz") else data, 0o644)
    rows = [f"{path}: {' '.join(needs[path])}\n".replace(".ko.xz", ".ko") for path in sorted(taken)]
    files[f"{home}/modules.dep"] = ("".join(rows).encode(), 0o644)
    ours = {plain(path) for path in taken}
    aliases = (tree / "modules.alias").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in aliases if line.split()[-1].replace("-", "_") in ours]
    files[f"{home}/modules.alias"] = ("".join(kept).encode(), 0o644)
    files[f"{home}/modules.builtin"] = ((tree / "modules.builtin").read_bytes(), 0o644)


def plain(path: str) -> str:
    """A module's name as the kernel says it: kernel/fs/nls/nls_iso8859-1.ko.xz is nls_iso8859_1."""
    return re.sub(r"\.ko(\.xz)?$", "", path.rpartition("/")[2]).replace("-", "_")


def _add_program(root: Path, source: Path, target: str, files: Files) -> None:
    """A program, its loader and its libraries."""
    if target in files:
        return
    real = (
        source.resolve()
        if not source.is_symlink() or not source.readlink().is_absolute()
        else root / str(source.readlink())[1:]
    )
    if not real.is_file():
        raise BuildError(f"the root has no {source.relative_to(root)}")
    files[target] = (real.read_bytes(), 0o755)
    said = subprocess.run(["readelf", "-ld", real], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"\(NEEDED\).*\[(.+?)\]", said):
        _add_program(root, _library(root, library), f"lib/{library}", files)
    for loader in re.findall(r"interpreter: /(.+?)\]", said):
        _add_program(root, _library(root, Path(loader).name), loader, files)


def _library(root: Path, name: str) -> Path:
    for folder in LIBRARIES:
        if (root / folder / name).exists():
            return root / folder / name
    raise BuildError(f"the root has no library {name}")
