"""The centre's time port and its answers by MQTT: real sockets, a real broker with the access list that ships."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from agent import clock, timeport
from agent.exchange import Exchange
from agent.lab import keyring, programs
from agent.timeport import TimePort as Asking
from agent.uplink.dates import Known
from agent.uplink.link import Broker, Link, Will
from agent.uplink.tls import context
from centre.config import Config
from centre.counts import Counts
from centre.subscriber import Subscriber
from centre.timeport import TimePort
from centre.timing import Timing
from discipline.machine import Found
from tests.system.broker_rig import Bell
from tests.system.centre_rig import SIGNER, free_port, until
from wire import keys, moment
from wire.topics import Address

GATEWAY = "a" * 20
ERROR_US = 3000
STRANGER = keys.signer("ed25519-secret:" + "B" * 43)


class Port:
    """A time port on a free port, whose machine's clock is kept as the test says."""

    def __init__(self, error: int | None = ERROR_US, signer=SIGNER) -> None:
        self.counts = Counts()
        self.timing = Timing(signer, self.counts, look=lambda utc: Found("chrony", error))
        self.timing.look()
        self.number = free_port()
        self.port = TimePort(("127.0.0.1", self.number), self.timing, self.counts)
        self.port.start()

    def ask(self) -> tuple[Exchange, Asking]:
        exchange = Exchange("signed", GATEWAY, [SIGNER.public_key()], os.urandom)
        return exchange, Asking("127.0.0.1", self.number, GATEWAY, exchange, clock.now)


@contextmanager
def opened(**given) -> Iterator[Port]:
    port = Port(**given)
    try:
        yield port
    finally:
        port.port.stop()


def is_true(anchor) -> bool:
    """Both ends have this machine's clock, so it is the truth."""
    return abs(anchor.utc - clock.unix_us() + clock.now() // 1000 - anchor.t) <= anchor.error


def test_a_datagram_is_answered_with_the_time() -> None:
    with opened() as port:
        exchange, asking = port.ask()
        anchor = asking.ask()
        assert anchor.source == "signed"
        assert is_true(anchor)
        assert ERROR_US <= anchor.error < ERROR_US + 200_000
        assert exchange.refused == {}


def test_where_datagrams_are_blocked_http_does_it() -> None:
    with opened() as port:
        port.port._loop.call_soon_threadsafe(port.port._datagrams.close)
        _, asking = port.ask()
        anchor = asking.ask()
        assert is_true(anchor)
        assert port.counts.snapshot() == {"times_told": 1}


@pytest.mark.parametrize(("given", "reason"), [({"error": None}, "undisciplined"), ({"signer": STRANGER}, "signature")])
def test_a_port_without_a_clock_or_of_somebody_else_is_no_help(monkeypatch, given, reason: str) -> None:
    monkeypatch.setattr(timeport, "DATAGRAM_LIMIT_S", 0.2)
    with opened(**given) as port:
        exchange, asking = port.ask()
        assert asking.ask() is None
        assert exchange.refused == {reason: 3}, "two datagrams and a request"


def test_nobody_there_is_said_at_once() -> None:
    exchange = Exchange("signed", GATEWAY, [SIGNER.public_key()], os.urandom)
    assert Asking("127.0.0.1", free_port(), GATEWAY, exchange, clock.now).ask() is None
    assert Asking("no.such.host.invalid", 1, GATEWAY, exchange, clock.now).ask() is None


def test_what_is_no_question_gets_no_answer() -> None:
    with opened() as port, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port.number))
        for bad in (b"", b"x", bytes(96), moment.question(GATEWAY, bytes(8)) + b"\0", bytes(1400)):
            sock.send(bad)
        sock.send(moment.question(GATEWAY, bytes(8)))
        sock.settimeout(10)
        answer = sock.recv(2000)
        assert len(answer) == moment.ANSWER_BYTES
        assert port.counts.snapshot() == {"time_port_refused": 5, "times_told": 1}


@pytest.mark.parametrize(
    "request_line",
    [b"GET / HTTP/1.1", b"POST /time/a/0011223344556677 HTTP/1.1", b"GET /time/a/00 HTTP/1.1", b"\xff\xfe", b""],
)
def test_another_request_is_not_found(request_line: bytes) -> None:
    with opened() as port, socket.create_connection(("127.0.0.1", port.number), timeout=10) as sock:
        sock.sendall(request_line + b"\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 404 ")
        assert sock.recv(4096) == b""


def test_a_request_without_end_is_cut() -> None:
    with opened() as port, socket.create_connection(("127.0.0.1", port.number), timeout=10) as sock:
        sock.sendall(b"GET /" + b"x" * 20_000)
        with suppress(ConnectionResetError):  # closed while more was coming
            assert sock.recv(4096) == b""
        until(lambda: port.counts.snapshot() == {"time_port_refused": 1})


def test_a_centre_whose_clock_is_stepped_says_so_until_it_was_looked_at() -> None:
    utc = [5_000_000]
    timing = Timing(SIGNER, Counts(), lambda: utc[0], lambda: 77, lambda clock: Found("chrony", 40))
    assert timing.error_us() is None
    timing.look()
    assert timing.error_us() == 41
    utc[0] += 60_000_000
    assert timing.error_us() is None
    timing.look()
    assert timing.error_us() == 41


def test_the_time_by_mqtt_with_the_access_list_that_ships(tmp_path: Path) -> None:
    """A gateway asks under its own name and hears the centre; the answer does not wait for a commit."""
    asyncio.run(by_mqtt(tmp_path))


async def by_mqtt(folder: Path) -> None:
    ring, number, bell = keyring.make(folder / "keys"), free_port(), Bell()
    address = Address("north", ring.gateway_id)
    broker = programs.broker(folder, ring, number)
    own = Config(broker=f"mqtts://localhost:{number}", keys=str(ring.centre))
    signer = keys.signer((ring.centre / "centre.key").read_text())
    timing = Timing(signer, Counts(), look=lambda utc: Found("chrony", ERROR_US))
    timing.look()
    subscriber = Subscriber(own, Counts(), timing)
    verifier = keys.verifier((ring.gateway / "centre.pub").read_text())
    exchange, heard = Exchange("mqtt", address.gateway, [verifier], os.urandom), []
    loop = asyncio.get_running_loop()

    def hear(topic: str, data: bytes) -> None:
        heard.append((topic, exchange.answered(data, clock.now())))
        bell.ring()

    await broker.start()
    try:
        await programs.listening(broker, number)
        subscriber.start()
        wall = Known(clock.unix_us(), clock.unix_us(), "wall")
        files = (ring.gateway / name for name in ("ca.crt", "gateway.crt", "gateway.key"))
        tls = context(*files, known=lambda: wall)
        link = Link(
            Broker("localhost", number, tls), address.gateway, Will(address.topic("state"), b"x"), bell.ring, hear
        )
        await link.open()
        link.subscribe(address.topic("time"), 0)

        def ask() -> None:
            if not heard:
                link.tell(address.topic("clock"), exchange.question(clock.now()))
                link.flush()
                loop.call_later(0.2, ask)

        ask()
        await bell.until(lambda: heard)
        assert not link.acks, "nobody acknowledges a question"
        link.drop()
    finally:
        await asyncio.to_thread(subscriber.stop)
        await broker.end()
    topic, anchor = heard[0]
    assert topic == address.topic("time")
    assert is_true(anchor)
