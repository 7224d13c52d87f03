"""Ports on the network, on loopback: only the pinned device is heard, and a lost one is found again."""

import asyncio
import contextlib
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from agent import clock
from agent.ports.doors import Doors
from agent.ports.place import Place
from agent.ports.serial_port import Rounds
from agent.ports.tape import Tape
from agent.ports.tcp_port import TcpCord, TcpPort
from agent.ports.udp_port import UdpPort
from tests.system.bell import Bell
from tests.system.gateway_rig import free_port
from tests.system.test_serial_port import Ear, listening, story

HERE, PINNED, OTHER = "127.0.0.1", "127.0.0.2", "127.0.0.3"


def tape_of(folder: Path) -> Tape:
    tape = Tape(folder / "tape", "net")
    tape.left(lambda _: True)
    return tape


def left(folder: Path) -> list[bytes]:
    return [data for _, data in Tape(folder / "tape", "net").left(lambda _: False)]


def tcp(folder: Path, ear: Ear, place: Place, doors: Doors | None = None) -> TcpPort:
    return TcpPort(place, place.host, ear, clock.now, tape_of(folder), Rounds(), doors or Doors())


def udp(folder: Path, ear: Ear, port: int) -> UdpPort:
    return UdpPort(Place("udp", HERE, port), "net", ear, clock.now, tape_of(folder), Rounds())


class Asking(Ear):
    """Asks again and again."""

    def woke(self, now: int) -> Iterable[bytes]:
        said = super().woke(now)
        self.wake_at = now + 50_000_000
        return said


class Device:
    """Waits to be called."""

    def __init__(self, port: int = 0) -> None:
        self.door = socket.create_server((HERE, port))
        self.door.setblocking(False)
        self.port = self.door.getsockname()[1]

    async def called(self) -> socket.socket:
        async with asyncio.timeout(10):
            line, _ = await asyncio.get_running_loop().sock_accept(self.door)
        return line


async def call(port: int, host: str) -> socket.socket:
    """From that address, once the door is open."""
    while True:
        line = socket.socket()
        line.bind((host, 0))
        line.setblocking(False)
        with contextlib.suppress(ConnectionRefusedError):
            await asyncio.get_running_loop().sock_connect(line, (HERE, port))
            return line
        line.close()
        await asyncio.sleep(0)


async def got(line: socket.socket, size: int = 100) -> bytes:
    async with asyncio.timeout(10):
        return await asyncio.get_running_loop().sock_recv(line, size)


def reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def closed(ear: Ear) -> list[str]:
    return [event for event in ear.events if event.startswith("closed")]


def test_a_device_that_is_called_is_heard_and_what_it_said_is_on_the_tape(tmp_path) -> None:
    burst = bytes(range(256)) * 512

    async def work() -> None:
        bell, device = Bell(), Device()
        ear = Ear(bell)
        ear.greeting = [b"who ", b"are you"]
        port = tcp(tmp_path, ear, Place("tcp", HERE, device.port))
        async with listening(port):
            line = await device.called()
            assert await got(line) == b"who are you"
            await asyncio.get_running_loop().sock_sendall(line, burst)
            await bell.until(lambda: len(ear.data) == len(burst))
            assert port.state == "open"
        assert ear.data == burst
        assert closed(ear) == ["closed: stopped"]

    story(work)
    assert b"".join(left(tmp_path)) == burst


def test_a_connection_that_is_lost_is_an_event_and_made_again(tmp_path) -> None:
    async def work() -> None:
        bell, device = Bell(), Device()
        ear = Ear(bell)
        async with listening(tcp(tmp_path, ear, Place("tcp", HERE, device.port))) as supervisor:
            for number, end in enumerate((socket.socket.close, reset), 1):
                line = await device.called()
                await asyncio.get_running_loop().sock_sendall(line, b"%d" % number)
                await bell.until(lambda n=number: len(ear.data) == n)
                end(line)
                await bell.until(lambda n=number: len(closed(ear)) == n)
            await device.called()
            await bell.until(lambda: ear.events.count("opened") == 3)
            assert closed(ear) == ["closed: hung up", "closed: Connection reset by peer"]
            assert supervisor.watched[0].failures == 0, "a lost connection is no failure"

    story(work)


def test_a_device_that_is_not_there_yet_is_waited_for_and_it_is_said_why(tmp_path) -> None:
    async def work() -> None:
        bell, number = Bell(), free_port()
        ear = Ear(bell)
        port = tcp(tmp_path, ear, Place("tcp", HERE, number))
        async with listening(port):
            await bell.until(lambda: port.state == "cannot open: Connection refused")
            assert ear.events == []
            device = Device(number)
            await device.called()
            await bell.until(lambda: port.state == "open")

    story(work)


def test_who_calls_is_heard_only_if_it_is_the_pinned_device(tmp_path) -> None:
    async def work() -> None:
        bell, number = Bell(), free_port()
        ear = Ear(bell)
        port = tcp(tmp_path, ear, Place("tcp-from", PINNED, number))
        async with listening(port):
            stranger = await call(number, OTHER)
            with contextlib.suppress(ConnectionResetError):
                assert await got(stranger) == b"", "it is let go"
            assert ear.events == []
            assert port.state == "waiting for 127.0.0.2 to call"
            line = await call(number, PINNED)
            await asyncio.get_running_loop().sock_sendall(line, b"it is me")
            await bell.until(lambda: ear.data == b"it is me")

    story(work)


def test_a_device_that_calls_again_is_heard_on_its_new_connection(tmp_path) -> None:
    """Its old one looks open to the kernel: the device was switched off and on."""

    async def work() -> None:
        bell, number = Bell(), free_port()
        ear = Ear(bell)
        async with listening(tcp(tmp_path, ear, Place("tcp-from", PINNED, number))):
            old = await call(number, PINNED)
            await bell.until(lambda: ear.events == ["opened"])
            new = await call(number, PINNED)
            await asyncio.get_running_loop().sock_sendall(new, b"again")
            await bell.until(lambda: ear.data == b"again")
            assert closed(ear) == ["closed: it called again"]
            assert await got(old) == b""

    story(work)


def test_two_devices_call_at_one_door(tmp_path) -> None:
    async def work() -> None:
        bell, number, doors = Bell(), free_port(), Doors()
        ears = [Ear(bell), Ear(bell)]
        ports = [
            tcp(tmp_path / host, ear, Place("tcp-from", host, number), doors)
            for host, ear in zip((PINNED, OTHER), ears, strict=True)
        ]
        async with listening(*ports):
            lines = [await call(number, host) for host in (OTHER, PINNED)]
            for line, host in zip(lines, (OTHER, PINNED), strict=True):
                await asyncio.get_running_loop().sock_sendall(line, host.encode())
            await bell.until(lambda: [ear.data for ear in ears] == [PINNED.encode(), OTHER.encode()])
        with socket.socket() as probe:
            assert probe.connect_ex((HERE, number)) != 0, "nobody is expected any more"

    story(work)


def test_a_door_that_another_program_has_is_waited_for(tmp_path) -> None:
    async def work() -> None:
        bell = Bell()
        taken = socket.create_server(("", 0))
        number = taken.getsockname()[1]
        port = tcp(tmp_path, Ear(bell), Place("tcp-from", PINNED, number))
        async with listening(port):
            await bell.until(lambda: port.state == "cannot open: Address already in use")
            taken.close()
            await bell.until(lambda: port.state == "waiting for 127.0.0.2 to call")

    story(work)


def test_the_kernel_asks_whether_the_other_end_is_still_there() -> None:
    with socket.create_server((HERE, 0)) as door, socket.create_connection(door.getsockname()) as line:
        TcpCord(line)
        options = [socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT]
        idle, every, count, untaken_ms = (line.getsockopt(socket.IPPROTO_TCP, option) for option in options)
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert idle + every * count <= 20
        assert untaken_ms <= 20_000


def test_datagrams_are_heard_one_by_one_in_order_and_are_on_the_tape_so(tmp_path) -> None:
    said = [b"%d" % number for number in range(400)]

    async def work() -> None:
        bell = Bell()
        ear = Ear(bell)
        ear.greeting = [b"who", b"are you"]
        device = socket.socket(type=socket.SOCK_DGRAM)
        device.bind((HERE, 0))
        device.setblocking(False)
        async with listening(udp(tmp_path, ear, device.getsockname()[1])):
            data, gateway = await asyncio.get_running_loop().sock_recvfrom(device, 100)
            assert (data, await got(device)) == (b"who", b"are you")
            for word in said:
                device.sendto(word, gateway)
            await bell.until(lambda: ear.data == b"".join(said))
            assert ear.events.count("heard") == len(said)

    story(work)
    assert left(tmp_path) == said


def test_datagrams_of_a_stranger_are_not_heard(tmp_path) -> None:
    async def work() -> None:
        bell = Bell()
        ear = Ear(bell)
        ear.greeting = [b"who"]
        device, stranger = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
        for one, host in ((device, HERE), (stranger, PINNED)):
            one.bind((host, 0))
            one.setblocking(False)
        async with listening(udp(tmp_path, ear, device.getsockname()[1])):
            _, gateway = await asyncio.get_running_loop().sock_recvfrom(device, 100)
            stranger.sendto(b"lies", gateway)
            device.sendto(b"truth", gateway)
            await bell.until(lambda: ear.data)
            stranger.sendto(b"lies", gateway)
            device.sendto(b"truth", gateway)
            await bell.until(lambda: len(ear.data) >= 10)
            assert ear.data == b"truthtruth"

    story(work)


def test_a_device_that_does_not_answer_costs_no_session_and_is_heard_when_it_does(tmp_path) -> None:
    async def work() -> None:
        bell, number = Bell(), free_port()
        ear = Asking(bell)
        ear.wake_at = clock.now()
        port = udp(tmp_path, ear, number)
        async with listening(port):
            await bell.until(lambda: port.state == "no answer: Connection refused")
            device = socket.socket(type=socket.SOCK_DGRAM)
            device.bind((HERE, number))
            device.setblocking(False)
            data, gateway = await asyncio.get_running_loop().sock_recvfrom(device, 100)
            device.sendto(b"here", gateway)
            await bell.until(lambda: ear.data == b"here")
            assert port.state == "open"
            assert data == b"awake"
            assert closed(ear) == []

    story(work)


@pytest.mark.parametrize("words", ["agent.gateway", "agent.cli.run"])
def test_a_gateway_without_network_ports_loads_none(words: str) -> None:
    code = f"import sys, {words}; print([m for m in sys.modules if m.startswith('agent.ports.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "serial_port" in loaded or words == "agent.cli.run"
    assert not [name for name in ("place", "doors", "tcp_port", "udp_port") if f"agent.ports.{name}" in loaded]
