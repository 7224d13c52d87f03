"""A serial port on real pseudo-terminals: nothing that was said is missed, and an unplugged cable is an event."""

import asyncio
import os
import pty
import termios
import tty
from collections.abc import Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import serial

from agent import clock
from agent.ports.line import open_line
from agent.ports.serial_port import Rounds, SerialPort, said
from agent.ports.tape import Tape
from agent.sessions.hearing import Hearing
from agent.sessions.ward import Ward
from agent.supervisor import Supervisor
from drivers import registry
from drivers.contract import Numeric, Serial
from tests.puppet import Puppet
from tests.system.bell import Bell
from wire import codec

LINE = Serial(9600)
FRAME = bytes.fromhex("01E094C095FFFFFFFF")


class Cable:
    """A device's end of a line, plugged in under a path of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plug()

    def plug(self) -> None:
        self.host, device = os.openpty()
        tty.setraw(device)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(device))
        self.device: int | None = device

    def say(self, data: bytes) -> None:
        os.write(self.host, data)

    def unplug(self) -> None:
        self.path.unlink(missing_ok=True)
        for end in (self.host, self.device):
            if end is not None:
                os.close(end)
        self.host = -1
        self.device = None


class Ear:
    """Notes what it hears, and says what the test wants said."""

    def __init__(self, bell: Bell) -> None:
        self.bell = bell
        self.events: list[str] = []
        self.data = b""
        self.wake_at: int | None = None
        self.greeting: list[bytes] = []

    def opened(self, now: int) -> Iterable[bytes]:
        return self._note("opened") or self.greeting

    def heard(self, data: bytes, now: int) -> Iterable[bytes]:
        self.data += data
        return self._note("heard") or []

    def woke(self, now: int) -> Iterable[bytes]:
        assert self.wake_at is not None
        assert now > self.wake_at
        self.wake_at = None
        return self._note("woke") or [b"awake"]

    def closed(self, now: int, reason: str) -> None:
        self._note(f"closed: {reason}")

    def _note(self, event: str) -> None:
        self.events.append(event)
        self.bell.ring()


@asynccontextmanager
async def listening(*ports: SerialPort):
    supervisor = Supervisor()
    task = asyncio.create_task(supervisor.run({f"port {port.path}": port.run for port in ports}))
    try:
        yield supervisor
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def cable(tmp_path):
    made = Cable(tmp_path / "device")
    yield made
    made.unplug() if made.host >= 0 else None


def port_of(cable: Cable, ear) -> SerialPort:
    tape = Tape(cable.path.parent / f"tape-{cable.path.name}", str(cable.path))
    tape.left(lambda _: True)
    return SerialPort(str(cable.path), LINE, ear, clock.now, tape, Rounds())


async def told(host: int, wanted: bytes) -> bytes:
    """What came to the device's end, once it is what is wanted."""
    loop = asyncio.get_running_loop()
    got, done = bytearray(), asyncio.Event()

    def take() -> None:
        got.extend(os.read(host, 4096))
        if wanted in got:
            done.set()

    loop.add_reader(host, take)
    try:
        async with asyncio.timeout(5):
            await done.wait()
    finally:
        loop.remove_reader(host)
    return bytes(got)


def story(work: Callable) -> None:
    asyncio.run(asyncio.wait_for(work(), 15))


def test_what_the_kernel_held_when_the_port_was_opened_is_heard(cable) -> None:
    async def work() -> None:
        bell = Bell()
        ear = Ear(bell)
        cable.say(b"a patient's samples")
        async with listening(port_of(cable, ear)):
            await bell.until(lambda: ear.data == b"a patient's samples")
            assert ear.events[0] == "opened"

    story(work)


def test_an_unplugged_device_is_an_event_and_is_found_again_under_its_path(cable) -> None:
    async def work() -> None:
        bell = Bell()
        ear = Ear(bell)
        port = port_of(cable, ear)
        async with listening(port) as supervisor:
            for round_, word in enumerate((b"first", b"second", b"third"), 1):
                cable.say(word)
                await bell.until(lambda word=word: ear.data.endswith(word))
                assert port.state == "open"
                cable.unplug()
                await bell.until(lambda n=round_: sum(e.startswith("closed") for e in ear.events) == n)
                assert port.state != "open"
                cable.plug()
            await bell.until(lambda: ear.events.count("opened") == 4)
            assert supervisor.watched[0].failures == 0, "an unplugged cable is no failure"
        assert ear.data == b"firstsecondthird"
        assert ear.events[-1] == "closed: stopped"

    story(work)


def test_a_port_that_is_not_there_yet_is_waited_for_and_says_why(cable) -> None:
    async def work() -> None:
        bell = Bell()
        ear = Ear(bell)
        cable.unplug()
        port = port_of(cable, ear)
        async with listening(port):
            await bell.until(lambda: port.state.startswith("cannot open"))
            assert "No such file" in port.state
            cable.plug()
            await bell.until(lambda: ear.events == ["opened"])
            assert port.state == "open"

    story(work)


def test_a_port_is_ours_alone(cable) -> None:
    with open_line(str(cable.path), LINE), pytest.raises(OSError, match="lock"):
        open_line(str(cable.path), LINE)


def test_a_burst_arrives_whole_and_in_order_and_is_on_the_tape(cable) -> None:
    burst = bytes(range(256)) * 256

    async def work() -> None:
        bell = Bell()
        ear = Ear(bell)
        async with listening(port_of(cable, ear)):
            await bell.until(lambda: ear.events == ["opened"])
            await asyncio.to_thread(cable.say, burst)
            await bell.until(lambda: len(ear.data) == len(burst))
        assert ear.data == burst

    story(work)
    left = Tape(cable.path.parent / "tape-device", str(cable.path)).left(lambda _: False)
    assert b"".join(data for _, data in left) == burst
    assert [now for now, _ in left] == sorted(now for now, _ in left)


def test_what_the_driver_wants_sent_is_sent_also_when_it_wakes(cable) -> None:
    async def work() -> None:
        bell = Bell()
        ear = Ear(bell)
        ear.greeting = [b"who ", b"are you"]
        ear.wake_at = clock.now() + 200_000_000
        async with listening(port_of(cable, ear)):
            assert await told(cable.host, b"awake") == b"who are youawake"
            assert clock.now() > 200_000_000
            assert "woke" in ear.events

    story(work)


def test_garbage_and_half_frames_cost_what_they_are_and_no_more(cable) -> None:
    """A real driver: noise, a frame in two halves, a frame cut short, and good ones between."""

    async def work() -> None:
        ward, bell = Ward(lambda: codec.Encoder().encode), Bell()
        hearing = Hearing(ward, registry.driver("contec_v7"), str(cable.path))
        async with listening(port_of(cable, hearing)):
            cable.say(b"\xff\xfe\xfd" + FRAME[:4])
            await bell.until(lambda: hearing.counts.skipped == 3)
            assert hearing.half_frame() == FRAME[:4]
            cable.say(FRAME[4:] + FRAME[:5] + FRAME * 10)
            await bell.until(lambda: hearing.counts.frames == 11)
            assert (hearing.counts.frames, hearing.counts.bad, hearing.counts.skipped) == (11, 1, 8)
        records, blocks = ward.take(clock.now() // 1000)
        assert sum(block.count for block in blocks if block.stream == 0) == 11
        assert records

    story(work)


def test_a_driver_that_fails_is_contained_and_the_others_go_on(tmp_path) -> None:
    """It is heard again with a fresh driver after a pause; what its neighbour hears meanwhile is all there."""
    cables = [Cable(tmp_path / name) for name in ("bad", "good")]

    async def work() -> None:
        ward = Ward(lambda: codec.Encoder().encode)
        bad, good = (Hearing(ward, Puppet, str(cable.path)) for cable in cables)
        ports = [port_of(cable, hearing) for cable, hearing in zip(cables, (bad, good), strict=True)]
        async with listening(*ports) as supervisor:
            await told(cables[0].host, b"ask")
            await told(cables[1].host, b"ask")
            cables[0].say(b"raise")
            await told(cables[0].host, b"ask")
            assert [(w.failures, w.last_error.split()[:1]) for w in supervisor.watched] == [
                (1, ["ZeroDivisionError"]),
                (0, []),
            ]
            assert good.session is not None
            good.session.driver.says = [Numeric("spo2", 97, "%")]
            cables[1].say(b"x")
            await Bell().until(lambda: good.session.heard is not None)
        records = ward.take(0)[0]
        assert [r.value for r in records if hasattr(r, "value")] == [97]
        assert [r.reason for r in records if getattr(r, "phase", "") == "closed"] == ["fault", "stopped", "stopped"]

    story(work)
    for cable in cables:
        cable.unplug()


def test_a_failure_is_told_in_the_systems_words() -> None:
    assert said(OSError(5, "x")) == said(termios.error(5, "x")) == "Input/output error"
    assert said(ValueError("no such speed")) == "no such speed"


def test_no_byte_of_the_device_is_echoed_to_it_while_its_port_is_opened(monkeypatch) -> None:
    """Linux opens a port with ECHO; what comes before pyserial has made its settings would go back to the device."""
    seen: list[int] = []
    true = serial.Serial._reconfigure_port

    def look(port: serial.Serial, *words: object, **more: object) -> None:
        seen.append(termios.tcgetattr(port.fd)[3] & termios.ECHO)
        true(port, *words, **more)

    monkeypatch.setattr(serial.Serial, "_reconfigure_port", look)
    far, near = pty.openpty()
    assert termios.tcgetattr(near)[3] & termios.ECHO
    open_line(os.ttyname(near), Serial(9600)).close()
    assert seen == [0]
    os.close(far)
    os.close(near)
