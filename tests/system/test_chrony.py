"""Two real chronyd that leave the clock alone (-x): one says the time, the other follows, and chronyc tells us."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from discipline import chrony, machine
from tests.system.centre_rig import free_port, until

pytestmark = pytest.mark.skipif(shutil.which("chronyd") is None, reason="apt-get install chrony")


@contextmanager
def chronyd(folder: Path, name: str, *lines: str) -> Iterator[Path]:
    """The socket to ask it by."""
    socket, conf = folder / f"{name}.sock", folder / f"{name}.conf"
    conf.write_text("\n".join((*lines, "cmdport 0", f"bindcmdaddress {socket}", f"pidfile {folder}/{name}.pid\n")))
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(["chronyd", "-x", "-d", "-U", "-u", "root", "-f", conf], stdout=quiet, stderr=quiet)
    try:
        until(socket.exists)
        yield socket
    finally:
        process.terminate()
        process.wait(10)


def tracking(socket: Path) -> str:
    return machine.run(("chronyc", "-h", str(socket), *chrony.COMMAND[1:])) or ""


def test_chronyd_that_follows_somebody_is_believed_and_others_are_not() -> None:
    port = free_port()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wl-")))  # short: it holds a socket
        folder.chmod(0o700)
        first = stack.enter_context(chronyd(folder, "s", "local stratum 3", "allow 127.0.0.1", f"port {port}"))
        follows = f"server 127.0.0.1 port {port} iburst minpoll 0 maxpoll 0"
        second = stack.enter_context(chronyd(folder, "c", follows, "port 0"))
        until(lambda: ",Normal" in tracking(second))
        error = chrony.error_us(tracking(second))
        assert error is not None
        assert 0 < error < 2_000_000, "a busy machine makes it large at first"
        assert ",Normal" in tracking(first)
        assert chrony.error_us(tracking(first)) is None, "it follows nobody, and only tells others that it does"
