"""A guest that is started for one errand: User-Mode Linux, an ordinary process. No root, no network, nothing is left.

The guest's disk is a copy-on-write layer over the image, thrown away at the end. The errand is a shell script; what it
says comes out of our stdout as it says it, what it writes below /host lies in `share` afterwards.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.vm.talk import tell

TREE = Path(__file__).parents[2]
MEMORY = "640M"
CONSOLE_LINES = 30


@dataclass(frozen=True, slots=True)
class Machine:
    """What a guest is made of. With a `layer` what it changes of its disk is kept there, else thrown away."""

    kernel: Path
    image: Path
    layer: Path | None = None
    disk: Path | None = None  # another one, written as it is: ubdb

    def run(self, errand: list[str], share: Path, limit_s: float) -> int:
        """The errand's exit code; 124 if it was not done in time, 125 if the guest ended by itself."""
        (share / "code").unlink(missing_ok=True)
        (share / "errand").write_text(f"exec {shlex.join(errand)}\n", encoding="utf-8")
        with tempfile.TemporaryDirectory(prefix="wardlink-vm-") as name:
            return self._live(Path(name), share, limit_s)

    def _live(self, folder: Path, share: Path, limit_s: float) -> int:
        ours, theirs = os.pipe()
        console = folder / "console.log"
        with console.open("wb") as log, os.fdopen(ours, "rb", buffering=0) as said:
            guest = self.start(folder, log, [theirs], f"ssl0=null,fd:{theirs}", f"guest.share={share}")
            os.close(theirs)
            timer = threading.Timer(limit_s, cut_power, [guest])
            timer.start()
            try:
                while data := said.read(4096):
                    sys.stdout.write(data.decode("utf-8", "replace"))
                    sys.stdout.flush()
                guest.wait()
            finally:
                in_time = timer.is_alive()
                timer.cancel()
                cut_power(guest)
                guest.wait()
        return _verdict(share / "code", console, in_time)

    def start(self, folder: Path, console: IO[bytes], passed: Sequence[int], *more: str) -> subprocess.Popen[bytes]:
        """Its process. `folder` is for its sockets, `more` for its command line, which names what is `passed`."""
        layer = self.layer or folder / "layer"
        words = [
            str(self.kernel),
            f"mem={MEMORY}",
            f"ubd0={layer},{self.image}",
            *([f"ubd1={self.disk}"] if self.disk else []),
            *("root=/dev/ubda", "rw", "rootfstype=ext4", "panic=-1", "seccomp=auto"),
            *("con=null", "con0=null,fd:1", "console=tty0", "ssl=null"),
            f"umid={folder.name}",
            f"guest.tree={TREE}",
            *more,
        ]
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            env={**os.environ, "HOME": str(folder), "TMPDIR": _memory()},
            pass_fds=passed,
            start_new_session=True,
        )


def _memory() -> str:
    """Where the guest's memory lies: a file in memory."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()


def cut_power(guest: subprocess.Popen[bytes]) -> None:
    """The kernel and the processes in which its own live; also what is left of them after an orderly end."""
    try:
        os.killpg(guest.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _verdict(code: Path, console: Path, in_time: bool) -> int:
    if code.exists():
        return int(code.read_text(encoding="utf-8"))
    lines = console.read_text(encoding="utf-8", errors="replace").splitlines()
    tell("\n".join(lines[-CONSOLE_LINES:]))
    tell("error: the guest ended by itself" if in_time else "error: the guest was not done in time")
    return 125 if in_time else 124
