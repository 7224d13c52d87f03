"""A real gateway and devices on the network: connections are cut, it is killed, and what was receipted is there."""

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter, defaultdict
from pathlib import Path

from agent import clock
from agent.lab.voices.philips_intellivue import PhilipsIntelliVueVoice
from drivers.philips.datagrams import payload_of
from drivers.philips.frames import framed
from tests.system.bell import Bell
from tests.system.gateway_rig import Centre, Gateway, Mosquitto, Opened, free_port
from wire.records import Catalogue, NumericAt

NOBODY = "mqtt://127.0.0.1:1"


def story(work) -> None:
    asyncio.run(asyncio.wait_for(work, 50))


def port(path: str, driver: str) -> str:
    return f'discover = false\n[[port]]\npath = "{path}"\ndriver = "{driver}"\n'


def readings(said: Opened, channel: str) -> list[int]:
    """The values of a channel in the order of epochs and times."""
    streams = {
        (epoch, info.stream)
        for epoch, record in said.records
        if isinstance(record, Catalogue)
        for info in record.streams
        if info.channel == channel
    }
    found = [
        (epoch, record.t, record.value)
        for epoch, record in said.records
        if isinstance(record, NumericAt) and (epoch, record.stream) in streams
    ]
    return [int(value) for _, _, value in sorted(found, key=lambda one: one[:2])]


class BeneVision:
    """Calls the gateway; says a number in each message, and the next one once that is receipted, else it again."""

    def __init__(self, number: int) -> None:
        self._port = number
        self.sent: Counter[int] = Counter()
        self.receipted = 0
        self.cut_after = 0  # the connection is cut once this one is receipted
        self.stops_after = 0
        self.cuts = 0
        self.task = asyncio.create_task(self._live())

    async def _live(self) -> None:
        while not self._is_over():
            with contextlib.suppress(ConnectionError):
                line = socket.socket()
                line.setblocking(False)
                line.bind(("127.0.0.2", 0))
                try:
                    await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", self._port))
                    await self._talk(line)
                finally:
                    line.close()
            await asyncio.sleep(0)

    def _is_over(self) -> bool:
        return 0 < self.stops_after <= self.receipted

    async def _talk(self, line: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_over():
            number = self.receipted + 1
            self.sent[number] += 1
            await loop.sock_sendall(line, message(number))
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                more = await loop.sock_recv(line, 4096)
                if not more:
                    return
                answer += more
            assert answer.count(b"MSA|AA|") == 1, "one receipt for one message"
            assert f"MSA|AA|{number}\r".encode() in answer
            self.receipted = number
            if number == self.cut_after:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.cuts += 1
                return


def message(number: int) -> bytes:
    head = rf"MSH|^~\&|MINDRAY_^00A037000000^EUI-64|MINDRAY|||20260101120000||ORU^R01^ORU_R01|{number}|P|2.6|||AL|NE"
    what, unit = "150456^MDC_PULS_OXIM_SAT_O2^MDC", "262688^MDC_DIM_PERCENT^MDC"
    return f"\x0b{head}\rOBX|1|NM|{what}|1.3.1.1|{number}|{unit}|||||R\r\x1c\r".encode()


def test_what_a_monitor_has_a_receipt_for_survives_a_cut_and_a_kill(tmp_path) -> None:
    async def work() -> None:
        number = free_port()
        gateway = Gateway(tmp_path, NOBODY, more=port(f"tcp-from://127.0.0.2:{number}", "mindray_hl7"))
        monitor = BeneVision(number)
        monitor.cut_after = 3
        try:
            await gateway.start()
            await Bell().until(lambda: monitor.cuts == 1 and monitor.receipted > 6)
            gateway.kill()
            killed_at = monitor.receipted
            await gateway.start()
            await Bell().until(lambda: monitor.receipted > killed_at + 3)
            monitor.stops_after = monitor.receipted + 2
            await Bell().until(monitor.task.done)
            monitor.task.result()
            assert await gateway.end() == 0
        finally:
            monitor.task.cancel()
            gateway.close()
        found = readings(gateway.stored(), "spo2")
        assert sorted(set(found)) == list(range(1, monitor.receipted + 1)), "receipted, and not there"
        assert found == sorted(found), "as it was said"
        assert all(found.count(value) <= times for value, times in monitor.sent.items()), "said more often than heard"

    story(work())


class BeneView:
    """Is called; beats, and says a heart rate in each message once it has been asked."""

    def __init__(self) -> None:
        self.said: list[int] = []
        self.questions = 0
        self.hushed = False
        self._server: asyncio.Server | None = None
        self._lines: list[asyncio.StreamWriter] = []

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._called, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.append(writer)
        writer.write(b"\x0bMSH|^~\\&|||||||ORU^R01|106|P|2.3.1|\r\x1c\r")
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while b"QRY^R02|1203|" not in await reader.readuntil(b"\x1c\r"):
                continue
            self.questions += 1
            while not self.hushed:
                value = len(self.said) + 1
                head = r"MSH|^~\&|||||||ORU^R01|204|P|2.3.1|"
                writer.write(f"\x0b{head}\rOBX||NM|101^HR|2101|{value}||||||F\r\x1c\r".encode())
                await writer.drain()
                self.said.append(value)
                await reader.readuntil(b"\x1c\r")  # in the rhythm of the gateway's heartbeats

    def cut(self) -> None:
        for line in self._lines:
            line.transport.abort()
        self._lines.clear()

    def close(self) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()


def test_a_monitor_that_is_called_is_asked_again_after_a_cut(tmp_path) -> None:
    async def work() -> None:
        monitor = BeneView()
        path = f"tcp://127.0.0.1:{await monitor.open()}"
        gateway = Gateway(tmp_path, NOBODY, more=port(path, "mindray_hl7"))
        try:
            await gateway.start()
            await Bell().until(lambda: monitor.said)
            monitor.cut()
            await Bell().until(lambda: monitor.questions == 2 and len(monitor.said) >= 3)
            assert await gateway.end() == 0
        finally:
            monitor.close()
            gateway.close()
        found = readings(gateway.stored(), "ecg.hr")
        assert set(found) <= set(monitor.said)
        assert found == sorted(set(found)), "each once, in order"
        assert len(found) >= 2
        closed = [record.reason for _, record in gateway.stored().records if getattr(record, "phase", "") == "closed"]
        assert closed == ["hung up", "stopped"]

    story(work())


class IntelliVue(asyncio.DatagramProtocol):
    """A simulated monitor at a port of UDP, until it is hushed."""

    def __init__(self) -> None:
        rng = random.Random(4)
        wanted = PhilipsIntelliVueVoice.wanted
        signals = {name: [rng.randint(w.low, w.high) for _ in range(997)] for name, w in wanted.items()}
        self.said: dict[str, list[int]] = defaultdict(list)
        self.hushed = False
        self._voice = PhilipsIntelliVueVoice(signals, lambda channel, samples: self.said[channel].extend(samples))
        self._far: tuple[str, int] = ("", 0)

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        if not self.hushed:
            self._far = addr
            self._say(self._voice.on_bytes(framed(data), clock.now()))

    def _wake(self) -> None:
        if not self.hushed and self._voice.wake_at is not None and clock.now() >= self._voice.wake_at:
            self._say(self._voice.on_time(clock.now()))

    def _say(self, frames: bytes) -> None:
        for rest in frames.split(b"\xc0")[1:]:
            self.transport.sendto(payload_of(b"\xc0" + rest), self._far)
        if self._voice.wake_at is not None:
            delay = max(0.0, (self._voice.wake_at - clock.now()) / 1e9)
            asyncio.get_running_loop().call_later(delay, self._wake)


def unread_bytes(transport: asyncio.DatagramTransport) -> int:
    """What the gateway's socket, the only one that is connected to the monitor's, still holds."""
    far = f":{transport.get_extra_info('sockname')[1]:04X}"
    rows = [line.split() for line in Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]]
    (queue,) = [row[4] for row in rows if row[2].endswith(far)]
    return int(queue.partition(":")[2], 16)


def test_an_intellivue_on_the_network_is_heard_whole_through_a_kill(tmp_path) -> None:
    async def work() -> None:
        mosquitto = Mosquitto(tmp_path)
        mosquitto.start()
        transport, monitor = await asyncio.get_running_loop().create_datagram_endpoint(
            IntelliVue, local_addr=("127.0.0.1", 0)
        )
        path = f"udp://127.0.0.1:{transport.get_extra_info('sockname')[1]}"
        broker = f"mqtt://127.0.0.1:{mosquitto.port}"
        gateway = Gateway(tmp_path, broker, more="interval_s = 2\n" + port(path, "philips_intellivue_lan"))
        try:
            centre = await Centre(mosquitto.port).ready()
            await gateway.start()
            await Bell().until(lambda: len(monitor.said["ecg.ii"]) > 500)
            monitor.hushed = True
            await Bell().until(lambda: unread_bytes(transport) == 0)
            gateway.kill()
            await gateway.start()
            for channel in ("ecg.ii", "pleth"):
                await Bell().until(lambda c=channel: gateway.opened(centre.envelopes).heard(c, path) == monitor.said[c])
            assert await gateway.end() == 0
            assert gateway.stored().heard("ecg.ii", path) == monitor.said["ecg.ii"]
            centre.stop()
        finally:
            transport.close()
            gateway.close()
            mosquitto.stop()

    story(work())
