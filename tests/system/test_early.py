"""What a device says while the program is being loaded is on the tape, and the port is handed on open."""

import os
import pty
import tty

import pytest

from agent import clock
from agent.ports.early import Early
from agent.ports.tape import Tape
from drivers.contract import Serial

LINE = Serial(115200)


@pytest.fixture
def device():
    """(host side, path)"""
    host, slave = pty.openpty()
    tty.setraw(slave)
    yield host, os.ttyname(slave)
    os.close(host)
    os.close(slave)


def left(folder, path: str) -> bytes:
    return b"".join(data for _, data in Tape(folder, path).left(lambda _: False))


def test_what_the_kernel_held_is_on_the_tape_and_the_port_stays_open(device, tmp_path) -> None:
    host, path = device
    os.write(host, b"a patient's samples")
    early = Early(tmp_path, clock.now)
    early.listen(path, LINE)
    assert left(tmp_path, path) == b"a patient's samples"
    with early.open_line(path, LINE) as port:
        os.write(host, b"more")
        assert port.read(100) == b"more"
    with early.open_line(path, LINE) as port:
        assert port.fileno() >= 0, "the second time it is opened anew"


def test_a_port_that_is_not_there_is_left_to_its_reader(tmp_path) -> None:
    early = Early(tmp_path, clock.now)
    early.listen(str(tmp_path / "absent"), LINE)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        early.open_line(str(tmp_path / "absent"), LINE)


def test_a_port_that_somebody_else_has_is_left_to_its_reader(device, tmp_path) -> None:
    _, path = device
    first, second = Early(tmp_path, clock.now), Early(tmp_path, clock.now)
    first.listen(path, LINE)
    second.listen(path, LINE)
    with pytest.raises(OSError, match="lock"):
        second.open_line(path, LINE)
    first.open_line(path, LINE).close()
