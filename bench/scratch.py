"""A copy of the side-by-side harness that may be written to, with wardlink among its contestants."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OURS = "ours"
BESIDES_S = 330  # warming up (90), draining (150), the feed after an outage, starting and counting
END_S = 20
LAUNCH = """#!/bin/sh
echo {folder}/runs/*/state >> {folder}/states
exec {python} {script} "$@"
"""


class HarnessError(Exception):
    """The harness cannot be used, or a run ended without an answer."""


class Scratch:
    """The copy, in a temporary folder, gone on leaving. The original is only read."""

    def __init__(self, harness: Path) -> None:
        if not (harness / "harness" / "bench.py").is_file():
            raise HarnessError(f"{harness} holds no harness/bench.py")
        self.original = harness
        self.folder = Path(tempfile.mkdtemp(prefix="wardlink-bench-"))

    def __enter__(self) -> Scratch:
        for part in ("harness", "peers"):
            if (self.original / part).is_dir():
                shutil.copytree(self.original / part, self.folder / part, symlinks=True)
        for path in (self.folder, *self.folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o200)
        for part in ("runs", "results", "envs", f"peers/{OURS}"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "envs" / "py").symlink_to(sys.prefix)
        shutil.copy(ROOT / "bench" / "decode.py", self.folder / "peers" / OURS / "decode.py")
        launch = self.folder / "peers" / OURS / "run.sh"
        words = {"folder": self.folder, "python": sys.executable, "script": ROOT / "bench" / "ours.py"}
        launch.write_text(LAUNCH.format(**{name: shlex.quote(str(word)) for name, word in words.items()}))
        launch.chmod(0o755)
        return self

    def __exit__(self, *_: object) -> None:
        states = self.folder / "states"
        for state in set(states.read_text().split()) if states.exists() else ():
            name = f"wardlink-{Path(state).parent.name}"  # where ours.py keeps what a real gateway keeps in /run
            shutil.rmtree(Path("/dev/shm") / name, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, peer: str, workload: str, seconds: float) -> dict[str, Any]:
        """The harness's answer to one run; `HarnessError` where there is none."""
        words = [sys.executable, "harness/bench.py", peer, workload, "--seconds", f"{seconds:g}"]
        env = {**os.environ, "WARDLINK_ROOT": str(ROOT), "BENCH_SECRET": str(self.folder / "recipient.key")}
        log = self.folder / "bench.log"
        with log.open("wb") as talk:
            running = subprocess.Popen(
                words, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=talk
            )
            said = _outcome(running, seconds + BESIDES_S)
        if running.returncode or not said.strip():
            raise HarnessError(f"{peer} {workload} gave no answer\n{log.read_text(errors='replace')[-2000:]}")
        answer: dict[str, Any] = json.loads(said.splitlines()[-1])
        return answer


def _outcome(running: subprocess.Popen[bytes], limit_s: float) -> bytes:
    """What it printed. The harness ends its own processes when interrupted, so that is how it is stopped."""
    try:
        return running.communicate(timeout=limit_s)[0]
    except BaseException as stopped:
        running.send_signal(signal.SIGINT)
        try:
            running.communicate(timeout=END_S)
        except subprocess.TimeoutExpired:
            running.kill()
            running.communicate()
        if isinstance(stopped, subprocess.TimeoutExpired):
            raise HarnessError(f"no answer within {limit_s:g} s") from stopped
        raise
