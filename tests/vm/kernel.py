"""The guest's kernel: one that WARDLINK_UML names, or built from Debian's own kernel source and kept by its recipe."""

from __future__ import annotations

import lzma
import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.vm.debian import BuildError, digest, fetch_source
from tests.vm.talk import tell

RECIPE = Path(__file__).with_name("kernel.config")
CACHED = "WARDLINK_UML"
TOOLS = ("gcc", "make", "flex", "bison", "bc", "xz")


def kernel(folder: Path, fresh: bool = False) -> Path:
    """The kernel as a program. `fresh`: build it though one is given. Raises BuildError."""
    given = os.environ.get(CACHED, "")
    if given and not fresh:
        return _given(Path(given), folder)
    recipe = RECIPE.read_text(encoding="utf-8")
    built = folder / f"kernel-{digest(recipe)}"
    if not built.exists():
        began = time.monotonic()
        tell("the kernel is built once, about 15 minutes of processor time")
        _build(folder / "kernel", built)
        shutil.rmtree(folder / "kernel")  # three gigabytes
        tell(f"kernel built in {time.monotonic() - began:.0f} s")
    return built


def _given(path: Path, folder: Path) -> Path:
    """The kernel that somebody has built, unpacked."""
    if not path.exists():
        raise BuildError(f"{CACHED} names {path}, which is not there")
    if path.suffix != ".xz":
        return path
    packed = path.read_bytes()
    program = folder / f"kernel-{digest(packed)}"
    if not program.exists():
        _put(program, lzma.decompress(packed))
    return program


def _put(program: Path, data: bytes) -> None:
    part = program.with_suffix(".part")
    part.write_bytes(data)
    part.chmod(0o755)
    part.replace(program)


def _build(folder: Path, built: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tree = fetch_source(folder)
    objects = folder / "objects"
    objects.mkdir(exist_ok=True)
    _make(tree, objects, "allnoconfig", {"KCONFIG_ALLCONFIG": str(RECIPE)})
    lacking = lacks(RECIPE.read_text(encoding="utf-8"), (objects / ".config").read_text(encoding="utf-8"))
    if lacking:
        raise BuildError(f"this kernel source does not take: {', '.join(lacking)}")
    _make(tree, objects, f"-j{os.cpu_count() or 1}", {})
    subprocess.run(["strip", "-o", objects / "stripped", objects / "linux"], check=True)
    _put(built, (objects / "stripped").read_bytes())


def _make(tree: Path, objects: Path, what: str, more: dict[str, str]) -> None:
    target = [what, "linux"] if what.startswith("-j") else [what]
    words = ["nice", "-n", "19", "make", "-s", "ARCH=um", f"O={objects}", *target]
    if subprocess.run(words, cwd=tree, env={**os.environ, **more}, check=False).returncode:
        raise BuildError(f"the kernel cannot be built; it needs {', '.join(TOOLS)}")


def lacks(recipe: str, made: str) -> list[str]:
    """What the recipe asks for and the configuration that was made of it has not."""
    there = set(made.splitlines())
    return [line for line in recipe.splitlines() if line.startswith("CONFIG_") and line not in there]
