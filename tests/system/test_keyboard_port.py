"""A keyboard port on real event structures: through a pipe, since a test machine has no keyboard to take."""

import asyncio
import fcntl
import os
import termios
from functools import partial
from pathlib import Path

import pytest

from agent import clock
from agent.config import Port
from agent.lines import UNSET, line_of, opener_of
from agent.listening import KEYS_GATHER_S
from agent.ports.keyboard_port import EVENT, grab, open_keyboard
from agent.ports.serial_port import Rounds, SerialPort
from agent.ports.tape import Tape
from agent.sessions.hearing import Hearing
from agent.sessions.ward import Ward
from config.load import ConfigError
from drivers import registry
from drivers.contract import Serial
from tests.system.bell import Bell
from tests.system.test_serial_port import Ear, listening
from wire import codec

SHIFT, ENTER = 42, 28
DIGITS = {"4": 5, "7": 8, "1": 2}


def events(*keys: int) -> bytes:
    """Each key pressed and let go, with what the kernel puts around it: MSC_SCAN before, SYN behind."""
    return b"".join(
        EVENT.pack(1, 0, kind, code, value)
        for key in keys
        for kind, code, value in ((4, 4, key), (1, key, 1), (0, 0, 0), (4, 4, key), (1, key, 0), (0, 0, 0))
    )


SCAN = events(*(DIGITS[digit] for digit in "4711"), ENTER)


class RingingHearing(Hearing):
    """Rings when it has heard something."""

    def __init__(self, bell: Bell, *args) -> None:
        super().__init__(*args)
        self.bell = bell

    def opened(self, now: int) -> list[bytes]:
        answers = super().opened(now)
        self.bell.ring()
        return answers

    def heard(self, data: bytes, now: int) -> list[bytes]:
        answers = super().heard(data, now)
        self.bell.ring()
        return answers


@pytest.fixture
def keyboard(tmp_path):
    path = tmp_path / "event7"
    os.mkfifo(path)
    return path


def port_of(path, ear, layout: str = "us", takes=lambda fd: None) -> SerialPort:
    tape = Tape(path.parent / "tape", str(path))
    tape.left(lambda _: True)
    opener = partial(open_keyboard, layout=layout, take=takes)
    return SerialPort(str(path), UNSET, ear, clock.now, tape, Rounds(KEYS_GATHER_S), opener)


def test_a_scan_is_heard_as_a_line_and_the_keyboard_is_waited_for(keyboard) -> None:
    async def body() -> None:
        bell = Bell()
        ear, taken = Ear(bell), []
        port = port_of(keyboard, ear, takes=taken.append)
        async with listening(port):
            await bell.until(lambda: "opened" in ear.events)
            assert len(taken) == 1
            typing = os.open(keyboard, os.O_WRONLY)
            for _ in range(3):  # types nothing: no reason to believe the keyboard gone, whoever told of the event
                os.write(typing, events(69))
                await bell.until(lambda: not any(fcntl.ioctl(taken[0], termios.FIONREAD, bytes(4))))
            os.write(typing, SCAN[:40])
            os.write(typing, SCAN[40:])
            await bell.until(lambda: ear.data == b"4711\n")
            assert not any(event.startswith("closed") for event in ear.events)
            os.close(typing)
            await bell.until(lambda: "closed: unplugged" in ear.events and ear.events.count("opened") == 2)
            typing = os.open(keyboard, os.O_WRONLY)
            os.write(typing, SCAN)
            await bell.until(lambda: ear.data == b"4711\n4711\n")
            os.close(typing)

    asyncio.run(body())


def test_a_scan_longer_than_the_kernel_keeps_is_read_as_it_is_typed(keyboard) -> None:
    """The kernel keeps 64 events (here: as many as a pipe holds) and drops all of them when one more comes."""

    async def body() -> None:
        bell = Bell()
        ear = Ear(bell)
        async with listening(port_of(keyboard, ear)):
            await bell.until(lambda: "opened" in ear.events)
            typing = os.open(keyboard, os.O_WRONLY | os.O_NONBLOCK)
            room_bytes = fcntl.fcntl(typing, fcntl.F_SETPIPE_SZ, 4096)
            digits = "4711" * (2 * room_bytes // len(events(*(DIGITS[digit] for digit in "4711"))))
            lost = await Typist(typing, digits).done
            await bell.until(lambda: ear.data.endswith(b"\n"))
            os.close(typing)
        assert (lost, ear.data.decode()) == (0, f"{digits}\n")

    asyncio.run(body())


class Typist:
    """A fast reader: a key each millisecond. What finds no room is lost; `done` says how many."""

    def __init__(self, fd: int, digits: str) -> None:
        self._fd = fd
        self._keys = [*(DIGITS[digit] for digit in digits), ENTER]
        self._lost = 0
        self._loop = asyncio.get_running_loop()
        self.done = self._loop.create_future()
        self._next()

    def _next(self) -> None:
        try:
            os.write(self._fd, events(self._keys.pop(0)))
        except BlockingIOError:
            self._lost += 1
        if self._keys:
            self._loop.call_later(0.001, self._next)
        else:
            self.done.set_result(self._lost)


def test_what_was_scanned_is_on_the_tape_and_in_the_session(keyboard) -> None:
    async def body() -> None:
        bell = Bell()
        ward = Ward(lambda: codec.Encoder().encode)
        hearing = RingingHearing(bell, ward, registry.driver("barcode_reader"), str(keyboard))
        port = port_of(keyboard, hearing)
        async with listening(port):
            await bell.until(lambda: hearing.session is not None)
            typing = os.open(keyboard, os.O_WRONLY)
            os.write(typing, SCAN)
            os.write(typing, events(59, *(DIGITS[digit] for digit in "471"), ENTER))  # with a function key in it
            await bell.until(lambda: hearing.counts.bad == 1)
            os.close(typing)
        assert any(b"4711\n" in tape.read_bytes() for tape in (keyboard.parent / "tape").iterdir())
        assert hearing.counts.frames == 1
        assert hearing.counts.reasons == {"control character": 1}

    asyncio.run(body())


def test_what_cannot_be_taken_is_not_read(keyboard) -> None:
    fds = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match=r"[Ii]nappropriate ioctl"):
        open_keyboard(str(keyboard), UNSET, layout="us", take=grab)
    assert len(list(Path("/proc/self/fd").iterdir())) == fds


def test_nothing_is_sent_to_a_keyboard(keyboard) -> None:
    opened = open_keyboard(str(keyboard), UNSET, layout="us", take=lambda fd: None)
    with pytest.raises(OSError, match="not spoken to"):
        opened.write(b"x")
    opened.close()


def test_the_path_says_that_it_is_a_keyboard() -> None:
    reader = registry.driver("barcode_reader")
    port = Port("/dev/input/by-id/usb-Reader-event-kbd", "barcode_reader", options={"layout": "fr"})
    assert line_of(reader, port) == UNSET
    assert opener_of(port, lambda path, line: pytest.fail("a line")).keywords == {"layout": "fr"}
    serial = Port("/dev/ttyACM0", "barcode_reader")
    assert line_of(reader, serial) == Serial(9600)
    assert opener_of(serial, open_keyboard) is open_keyboard


def test_a_wrong_layout_and_a_driver_that_reads_no_keyboard_are_said() -> None:
    with pytest.raises(ConfigError, match="layout 'gb' is not known"):
        opener_of(Port("/dev/input/event1", "barcode_reader", options={"layout": "gb"}), open_keyboard)
    with pytest.raises(ConfigError, match="contec_v7 is not found on keyboards"):
        line_of(registry.driver("contec_v7"), Port("/dev/input/event1", "contec_v7"))
