"""Figures of the programs themselves: how soon the gateway is ready, how fast `decode` reads, how large the tree is."""

from __future__ import annotations

import ast
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from agent.lab import keyring
from bench.results import Figure
from bench.scratch import ROOT

STARTS = 5
READY_LIMIT_S = 15
COMMAND = "python bench/figures.py --no-workloads"
CORPUS_COMMAND = f"WARDLINK_CORPUS=FOLDER {COMMAND}"
PLENTY_BYTES = 2_000_000  # a file is repeated until it is at least this long
CORPUS = {
    "contec_v7": "contec_cms60c/cms60c_rx_part1.bin",
    "dinamap_pro1000": "dinamap_pro1000_native/dinamap_blocks_0000_0799.txt",
    "ivy_450c": "ivy_450c_ansarb/Ivy450C.part1.data",
    "philips_intellivue": "philips_intellivue_rs232/mpraw_frames_0000_2019.raw",
}
PACKAGES = ("drivers", "wire", "agent", "centre", "config", "tests", "bench")
TALK = ("#", "//")


class FigureError(Exception):
    """A program did not do what was measured of it."""


def start() -> Iterator[Figure]:
    """Process start to READY=1: the first grant and the first envelope of vitals are durable. Files are cached."""
    with tempfile.TemporaryDirectory(prefix="wardlink-start-") as name:
        folder = Path(name)
        ring = keyring.make(folder / "keys")
        config = folder / "gateway.toml"
        config.write_text(
            f'site = "b"\nbroker = "mqtt://127.0.0.1:1"\nkeys = "{ring.gateway}"\nconfirm = "broker"\n'
            f'state = "{folder / "state"}"\nruntime = "{folder / "run"}"\n'
            "[spool]\nkey_mib = 8\nvital_mib = 8\nwave_mib = 8\n"
        )
        _, *warm = [ready_s(folder, config) for _ in range(1 + STARTS)]
    yield Figure("start_to_first_envelope", round(median(warm), 3), "s", COMMAND)


def ready_s(folder: Path, config: Path) -> float:
    """Seconds until the gateway of `config` says READY; it is killed then."""
    with started(folder, config) as (seconds, _):
        return seconds


@contextmanager
def started(folder: Path, config: Path, limit_s: float = READY_LIMIT_S) -> Iterator[tuple[float, int]]:
    """(seconds until the gateway of `config` said READY, its process); it is killed on leaving. FigureError."""
    address = folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(str(address))
        notices.settimeout(limit_s)
        words = [sys.executable, "-m", "agent.cli.entry", "run", "--config", str(config)]
        began = time.monotonic()
        env = {**os.environ, "NOTIFY_SOCKET": str(address)}
        gateway = subprocess.Popen(words, cwd=ROOT, env=env, stderr=subprocess.DEVNULL)
        try:
            while b"READY=1" not in notices.recv(4096):
                continue
            yield time.monotonic() - began, gateway.pid
        except TimeoutError as late:
            raise FigureError(f"the gateway was not ready within {limit_s} s") from late
        finally:
            gateway.kill()
            gateway.wait()
            address.unlink()


def decoding(corpus: Path) -> Iterator[Figure]:
    """MB of file that `wardlink decode` reads in a second of CPU, start of the program not counted."""
    for driver, file in CORPUS.items():
        data = (corpus / file).read_bytes()
        many = data * -(-PLENTY_BYTES // len(data))
        empty, whole = decode_cpu_s(driver, b""), decode_cpu_s(driver, many)
        yield Figure(f"decode.{driver}", round(len(many) / 1e6 / (whole - empty), 2), "MB/s", CORPUS_COMMAND)


def decode_cpu_s(driver: str, data: bytes) -> float:
    """CPU seconds, of user and system, of one `wardlink decode` from standard input to nowhere."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [sys.executable, "-m", "agent.cli.entry", "decode", "--driver", driver, "-"]
    quiet = subprocess.DEVNULL
    subprocess.run(words, cwd=ROOT, input=data, stdout=quiet, stderr=quiet, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def lines() -> Iterator[Figure]:
    """Lines of Python and JavaScript that are neither blank nor talk (comments, docstrings)."""
    for package in PACKAGES:
        files = [path for kind in ("*.py", "*.js") for path in (ROOT / package).rglob(kind)]
        count = sum(code_lines(path.read_text(encoding="utf-8"), path.suffix) for path in files)
        yield Figure(f"lines.{package}", count, "lines", COMMAND)


def code_lines(text: str, suffix: str) -> int:
    told = docstring_lines(text) if suffix == ".py" else set()
    rows = enumerate(text.splitlines(), 1)
    return sum(bool(row.strip()) and not row.strip().startswith(TALK) and at not in told for at, row in rows)


def docstring_lines(text: str) -> set[int]:
    """Numbers of the lines that docstrings take."""
    told: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                told.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return told


def tests() -> Iterator[Figure]:
    command = [sys.executable, "-m", "pytest", "--collect-only"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    yield Figure("tests", collected(said), "tests", "python -m pytest --collect-only | tail -1")


def collected(said: str) -> int:
    """The number in pytest's last line; FigureError where it collected with errors."""
    last = said.strip().splitlines()[-1] if said.strip() else ""
    found = re.match(r"=*\s*(\d+) tests? collected in ", last)
    if found is None:
        raise FigureError(f"pytest did not collect: {last!r}")
    return int(found[1])
