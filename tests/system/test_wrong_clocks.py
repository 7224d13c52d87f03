"""Boots in 1970, 2019 and 2099 (TIM-08): the real gateway with a system clock of that year, a real broker over TLS.

libfaketime gives the process another wall clock, OpenSSL included; the monotonic one is left as it is.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.uplink.dates import Known
from agent.uplink.link import Broker, Link, Will
from agent.uplink.tls import LinkError, context
from centre.counts import Counts
from centre.timeport import TimePort
from centre.timing import Timing
from discipline.machine import Found
from tests.system.bell import Bell
from tests.system.broker_rig import Authority
from tests.system.broker_rig import Mosquitto as Guarded
from tests.system.centre_rig import free_port
from tests.system.gateway_rig import Gateway, Mosquitto
from wire import keys
from wire.records import Anchor, Boot

FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
needs_faketime = pytest.mark.skipif(FAKETIME is None, reason="apt-get install faketime")
YEARS = ("1970", "2019", "2099")
DAY_US = 86_400_000_000


@contextmanager
def time_port(gateway: Gateway) -> Iterator[int]:
    """The centre's, with the true time."""
    signer = keys.signer((gateway.ring.centre / "centre.key").read_text())
    timing = Timing(signer, Counts(), look=lambda utc: Found("chrony", 2000))
    timing.look()
    number = free_port()
    port = TimePort(("127.0.0.1", number), timing, Counts())
    port.start()
    try:
        yield number
    finally:
        port.stop()


async def boot(folder: Path, monkeypatch, year: str, has_port: bool):
    """(log, records) of a gateway that starts in another year, once it is connected or has said why it is not."""
    gateway = Gateway(folder, "mqtts://localhost:1")
    broker = Mosquitto(folder, gateway.ring.broker)
    broker.start()
    try:
        with time_port(gateway) as number:
            text = gateway.config.read_text().replace("localhost:1", f"localhost:{broker.port}")
            text = text.replace('confirm = "broker"', f'time = "127.0.0.1:{number}"' if has_port else "")
            gateway.config.write_text(text)
            with monkeypatch.context() as here:
                here.setenv("LD_PRELOAD", str(FAKETIME))
                here.setenv("FAKETIME", f"@{year}-06-01 12:00:00")
                here.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                here.setenv("DONT_FAKE_MONOTONIC", "1")
                gateway.begin()
            await Bell().until(lambda: "state=" in gateway.log.read_text() or gateway.process.poll() is not None)
            await Bell().until(lambda: gateway.status() is not None)
            await gateway.end()
            return gateway.log.read_text(), gateway.stored().records
    finally:
        gateway.close()
        broker.stop()


def boots(folder: Path, monkeypatch, has_port: bool) -> dict[str, tuple[str, list]]:
    """By year, all at once: each takes a second to load."""

    for year in YEARS:
        (folder / year).mkdir()

    async def all_at_once():
        return await asyncio.gather(*(boot(folder / year, monkeypatch, year, has_port) for year in YEARS))

    return dict(zip(YEARS, asyncio.run(all_at_once()), strict=True))


@needs_faketime
def test_a_boot_in_another_year_reaches_the_broker_by_the_time_port(tmp_path, monkeypatch) -> None:
    for log, records in boots(tmp_path, monkeypatch, has_port=True).values():
        assert "state=connected" in log, log
        anchors = [one for _, one in records if isinstance(one, Anchor)]
        now = datetime.datetime.now(datetime.UTC).timestamp() * 1e6
        signed = [one for one in anchors if one.source == "signed"]
        assert signed
        assert all(abs(one.utc - now) < DAY_US and one.error < 2_000_000 for one in signed)
        assert not [one for one in anchors if one.error is not None and abs(one.utc - now) > one.error + 60_000_000]
        assert next(one.count for _, one in records if isinstance(one, Boot)) == 1


@needs_faketime
def test_without_the_time_port_it_is_refused_in_words(tmp_path, monkeypatch) -> None:
    """The certificates of the demo were made an hour ago, after this release: nobody can tell that they are valid."""
    for year, (log, records) in boots(tmp_path, monkeypatch, has_port=False).items():
        assert "state=connected" not in log
        assert f"{year}-06-01" in log
        assert "wardlink time set" in log
        assert all(one.error is None and year == "2099" for _, one in records if isinstance(one, Anchor))


# The same rules in one process, with the dates that the test sets.

OLD, NEW = datetime.datetime(2030, 1, 1), datetime.datetime(2031, 1, 1)  # noqa: DTZ001  X.509 is UTC


def us(when: datetime.datetime) -> int:
    return int(when.replace(tzinfo=datetime.UTC).timestamp()) * 1_000_000


class Place:
    """A broker whose certificate holds until `OLD`, and a gateway that knows what the test says."""

    def __init__(self, folder: Path, given: str = "") -> None:
        self.authority = Authority(folder, "authority")
        self.broker = Guarded(folder, self.authority, self.authority.issue("broker", OLD), given, "")
        self.broker.start()
        self.known = Known(us(OLD) - DAY_US, us(OLD) - DAY_US + 1000, "ntp")
        own = self.authority.issue("gw-0001", NEW)
        self.tls = context(self.authority.path, *own, known=lambda: self.known)

    async def dial(self, then: Known | None = None) -> Link:
        """Connect, and look again when `then` is known."""
        place = Broker("127.0.0.1", self.broker.port, self.tls, connect_limit_s=5)
        link = Link(place, "gw-0001", Will("t", b"x"), lambda: None, lambda *_: None)
        try:
            await link.open()
            self.known = then or self.known
            link.tend()
            if link.lost is not None:
                raise link.lost
        finally:
            link.drop()
        return link


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.broker.kill()


@pytest.mark.parametrize(
    ("earliest", "latest", "by", "words"),
    [
        (us(OLD) + 2_000_000, us(OLD) + 3_000_000, "ntp", "has expired"),
        (us(OLD) - 60_000_000, us(OLD) + 60_000_000, "operator", "may have expired"),
        (us(NEW), us(NEW), "wall", "nobody confirms this machine's clock"),
        (us(NEW), us(NEW), "floor", "has expired"),
        (1_000_000_000_000_000, 1_000_000_000_001_000, "mqtt", "is not valid yet"),
        (0, 0, "floor", "is not valid yet"),
    ],
)
def test_certificates_are_held_against_what_is_known(
    place: Place, earliest: int, latest: int, by: str, words: str
) -> None:
    """Row 7: expired and not yet valid are refused by a right clock, and by a wrong one in words."""
    asyncio.run(place.dial())
    place.known = Known(earliest, latest, by)
    with pytest.raises(LinkError) as caught:
        asyncio.run(place.dial())
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_a_resumed_session_keeps_the_end_of_the_chain_it_was_made_with(place: Place) -> None:
    asyncio.run(place.dial())
    assert asyncio.run(place.dial()).resumed
    place.known = Known(us(OLD) + 2_000_000, us(OLD) + 3_000_000, "ntp")
    with pytest.raises(LinkError, match="has expired"):
        asyncio.run(place.dial())


@pytest.mark.parametrize("by", ["wall", "floor"])
def test_what_was_taken_while_nobody_knew_the_time_is_looked_at_again(place: Place, by: str) -> None:
    weak, after = Known(us(OLD) - DAY_US, us(OLD) - DAY_US, by), us(OLD) + DAY_US
    place.known = weak
    asyncio.run(place.dial(then=Known(us(OLD) - 9, us(OLD) - 8, "mqtt")))
    place.known = weak
    with pytest.raises(LinkError, match="has expired"):
        asyncio.run(place.dial(then=Known(after, after, "mqtt")))


def test_not_a_byte_of_mqtt_is_said_before_the_dates_were_looked_at(tmp_path: Path) -> None:
    """The broker notes who connects: nobody did."""
    place = Place(tmp_path, "log_type all")
    place.known = Known(us(OLD) + 2_000_000, us(OLD) + 3_000_000, "ntp")
    try:
        with pytest.raises(LinkError):
            asyncio.run(place.dial())
        place.broker.process.terminate()
        assert "as gw-0001" not in place.broker.process.stderr.read()
    finally:
        place.broker.kill()
