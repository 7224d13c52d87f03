"""The ear of a port: sessions begin and end, the allow-list holds, and a driver's bug costs that session alone."""

import pytest

from agent.sessions.hearing import Hearing
from agent.sessions.ward import Ward
from agent.supervisor import Supervisor
from drivers.contract import Alarm, Identity, Numeric, Phase, Send, Status
from tests.puppet import Puppet, wave
from wire import codec
from wire.records import NumericAt, SessionAt, StatusAt
from wire.topics import Class

SPO2 = Numeric("spo2", 97, "%")


class Port:
    """A hearing whose drivers are at hand, newest last."""

    def __init__(self) -> None:
        self.ward = Ward(lambda: codec.Encoder().encode)
        self.drivers: list[Puppet] = []
        self.hurries: list[None] = []
        self.hearing = Hearing(self.ward, self.make, "/dev/ttyUSB0", lambda: self.hurries.append(None))

    def make(self) -> Puppet:
        self.drivers.append(Puppet())
        return self.drivers[-1]

    def said(self, kind):
        return [record for record in self.ward.take(1)[0] if isinstance(record, kind)]


@pytest.fixture
def port() -> Port:
    return Port()


def test_what_the_driver_asks_for_is_sent(port: Port) -> None:
    assert port.hearing.opened(1000) == [b"ask"]


def test_what_is_not_on_the_allow_list_never_leaves(port: Port) -> None:
    port.hearing.opened(0)
    port.drivers[-1].says = [Send(b"set the alarm limit")]
    with pytest.raises(AssertionError, match="allow-list"):
        port.hearing.heard(b"x", 1)


def test_every_plug_is_a_session_with_a_fresh_driver(port: Port) -> None:
    for start in (0, 10_000):
        port.hearing.opened(start)
        port.drivers[-1].says = [SPO2]
        port.hearing.heard(b"x", start + 1000)
        port.hearing.closed(start + 2000, "unplugged")
    assert port.drivers[-1] is not port.drivers[-2]
    assert [(s.t, s.session, s.phase) for s in port.said(SessionAt)] == [
        (0, 0, "open"), (2, 0, "closed"), (10, 1, "open"), (12, 1, "closed"),
    ]  # fmt: skip


def test_closing_what_is_closed_says_nothing(port: Port) -> None:
    port.hearing.closed(5, "never opened")
    assert port.said(SessionAt) == []


def test_an_alarm_hurries_the_beat(port: Port) -> None:
    port.hearing.opened(0)
    port.drivers[-1].says = [SPO2]
    port.hearing.heard(b"x", 1)
    assert not port.hurries
    port.drivers[-1].says = [Alarm("HR", "ASYSTOLE", "high", Phase.ON)]
    port.hearing.heard(b"x", 2)
    assert port.hurries


def test_of_what_is_resumed_only_what_is_not_durable_is_said_again(port: Port) -> None:
    port.hearing.resume(b"", 0)
    for safe, readings, samples in ((Class.VITAL, 0, 3), (Class.WAVE, 1, 0), (None, 1, 3)):
        port.drivers[-1].says = [SPO2, wave(None, 3)]
        port.hearing.resume(b"x", 7, lambda now, cls, safe=safe: (now, cls) == (7, safe))
        records, blocks = port.ward.take(1)
        assert sum(isinstance(record, NumericAt) for record in records) == readings
        assert sum(block.count for block in blocks) == samples


def test_the_half_frame_is_what_the_driver_waits_with(port: Port) -> None:
    port.hearing.opened(0)
    for waiting, data, half in ((4, b"abc", b"abc"), (4, b"def", b"cdef"), (5, b"g", b"cdefg"), (0, b"h", b"")):
        port.drivers[-1].waiting = waiting
        port.hearing.heard(data, 1)
        assert port.hearing.half_frame() == half


def test_bytes_that_are_in_a_frame_are_not_kept(port: Port) -> None:
    """They were once, up to 70 kB of each port, and copied with every read."""
    port.hearing.opened(0)
    port.hearing.heard(b"abc", 1)
    port.drivers[-1].waiting = 3
    assert port.hearing.half_frame() == b""


def test_a_half_frame_ends_with_its_session(port: Port) -> None:
    """Otherwise it would be written to every tape piece until the device comes back, and be heard as its beginning."""
    port.hearing.opened(0)
    port.drivers[-1].waiting = 3
    port.hearing.heard(b"abc", 1)
    port.hearing.closed(2, "unplugged")
    assert port.hearing.half_frame() == b""


def test_a_resumed_session_goes_on_when_the_port_opens(port: Port) -> None:
    port.hearing.resume(b"left", 5_000)
    port.hearing.opened(9_000)
    assert len(port.ward.sessions) == 1
    assert port.said(SessionAt) == [SessionAt(5, 0, "open", "")]


def test_what_made_a_driver_fail_before_a_kill_does_not_stop_the_next_start(port: Port) -> None:
    supervisor = Supervisor()
    for now, data in enumerate((b"good", b"raise", b"good again"), 1):
        supervisor.once("port", lambda data=data, now=now: port.hearing.resume(data, now * 1000))
    assert [(s.phase, s.reason) for s in port.said(SessionAt)] == [("open", ""), ("closed", "fault"), ("open", "")]
    (watched,) = supervisor.watched
    assert (watched.name, watched.failures) == ("port", 1)
    assert watched.last_error.startswith("ZeroDivisionError at ")


def test_a_failing_driver_loses_nothing_it_had_said(port: Port) -> None:
    port.hearing.opened(0)
    port.drivers[-1].says = [SPO2]
    port.hearing.heard(b"x", 1000)
    with pytest.raises(ZeroDivisionError):
        port.hearing.heard(b"raise", 2000)
    port.hearing.closed(3000, "fault")
    assert port.said(NumericAt) == [NumericAt(1, 0, 97)]


def test_another_serial_number_is_another_session_and_what_stands_is_said_again(port: Port) -> None:
    probe = Status("probe-off", Phase.ON)
    port.hearing.opened(0)
    port.drivers[-1].says = [Identity(model="A", serial="1234"), Status("search", Phase.ON), probe]
    port.hearing.heard(b"x", 1000)
    port.drivers[-1].says = [Status("search", Phase.OFF), SPO2, Identity(model="A", serial="5678"), SPO2]
    port.hearing.heard(b"x", 2000)
    said = port.ward.take(3)[0]
    assert [(s.session, s.phase, s.reason) for s in said if isinstance(s, SessionAt)] == [
        (0, "open", ""), (0, "closed", "another device"), (1, "open", ""),
    ]  # fmt: skip
    assert [(s.session, s.code) for s in said if isinstance(s, StatusAt) and s.phase == "on"] == [
        (0, "search"), (0, "probe-off"), (1, "probe-off"),
    ]  # fmt: skip
    assert len({s.stream for s in said if isinstance(s, NumericAt)}) == 2


def test_who_says_first_an_address_and_then_a_label_is_one_device(port: Port) -> None:
    port.hearing.opened(0)
    for serial, model in (("1122334455", ""), ("DE124567", "Scale"), ("1122334455", ""), ("DE124567", "Scale")):
        port.drivers[-1].says = [Identity(model=model, serial=serial), SPO2]
        port.hearing.heard(b"x", 1000)
    assert [s.session for s in port.said(SessionAt)] == [0]


def test_a_serial_number_that_every_device_has_splits_nothing(port: Port) -> None:
    port.hearing.opened(0)
    for serial in ("0000000000", "0000012345", "0000000000", "user"):
        port.drivers[-1].says = [Identity(serial=serial), SPO2]
        port.hearing.heard(b"x", 1000)
    assert [s.session for s in port.said(SessionAt)] == [0]
