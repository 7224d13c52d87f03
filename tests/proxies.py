"""Real proxies of Debian as processes, and one that says what a test wants."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.system.bell import until
from tests.system.gateway_rig import free_port

real = pytest.mark.skipif(
    not (shutil.which("tinyproxy") and shutil.which("microsocks")), reason="no tinyproxy or microsocks"
)


@contextmanager
def _running(port: int, *words: str) -> Iterator[int]:
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _answers(port))
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def tinyproxy(folder: Path, more: str = "") -> Iterator[int]:
    """Its port."""
    port, config = free_port(), folder / "tinyproxy.conf"
    config.write_text(f'Port {port}\nListen 127.0.0.1\nTimeout 60\nLogFile "{folder}/tinyproxy.log"\n{more}\n')
    with _running(port, "tinyproxy", "-d", "-c", str(config)):
        yield port


@contextmanager
def microsocks(*more: str) -> Iterator[int]:
    """Its port."""
    port = free_port()
    with _running(port, "microsocks", "-i", "127.0.0.1", "-p", str(port), *more):
        yield port


@contextmanager
def saying(*answers: bytes) -> Iterator[int]:
    """Takes one connection, says the next answer to each thing it hears, then ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_say, args=(server, answers))
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def _say(server: socket.socket, answers: tuple[bytes, ...]) -> None:
    link, _ = server.accept()
    with link, suppress(OSError):
        for answer in answers:
            link.recv(4096)
            link.sendall(answer)
        link.shutdown(socket.SHUT_WR)
        while link.recv(4096):
            continue
