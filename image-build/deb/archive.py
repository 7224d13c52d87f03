"""A tree of files becomes a .deb: every byte of it follows from the tree, the control files and a date."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from errors import DebError

SCRIPTS = frozenset({"preinst", "postinst", "prerm", "postrm"})


def pack(root: Path, control: Mapping[str, str], made: Path, epoch: int, level: int = 9) -> Path:
    """Write the package; `control`: what goes into DEBIAN/; `level`: how hard it is packed. Raises DebError."""
    folder = root / "DEBIAN"
    folder.mkdir()
    for name, text in control.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755 if name in SCRIPTS else 0o644)
    for path in [root, *root.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    part = made.with_suffix(".part")
    words = ["dpkg-deb", "--root-owner-group", "-Zxz", f"-z{level}", "--build", str(root), str(part)]
    done = subprocess.run(
        words, env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DebError(f"dpkg-deb: {done.stderr.strip()}")
    return part.rename(made)
