"""Run a program of the builder's Debian, with folders of this machine in it, in mounts that die with the program."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from recipe.debian import BuildError

EPOCH_S = 1_763_600_000  # every date in the image: two builds must not differ by the day they ran
HERE = Path("/here")
SCRIPT = """set -e
root=$1; shift
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"; mount --rbind /dev "$root/dev"; mount -t tmpfs tmpfs "$root/tmp"
while [ "$1" != -- ]; do mkdir -p "$root$2"; mount --bind "$1" "$root$2"; shift 2; done
shift
cp /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
exec chroot "$root" "$@"
"""


def run(builder: Path, words: Iterable[object], folder: Path, binds: Mapping[Path, str] | None = None) -> str:
    """What the program says. `folder` is /here inside, and each of `binds` where it is told. Raises BuildError."""
    line = ["unshare", "--mount", "--fork", "sh", "-c", SCRIPT, "sh", str(builder)]
    for outside, within in {folder: str(HERE), **(binds or {})}.items():
        line += [str(outside.resolve()), within]
    done = subprocess.run(
        [*line, "--", *(str(word) for word in words)], env=clean(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        name = " ".join(str(word) for word in words)[:60]
        raise BuildError(f"{name}... ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-3000:]}")
    return done.stdout


def clean() -> dict[str, str]:
    """An environment in which nothing of this machine shows: not its language, not its clock's zone, not its day."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "HOME": "/root",
        "DEBIAN_FRONTEND": "noninteractive",
        "SOURCE_DATE_EPOCH": str(EPOCH_S),
    }
