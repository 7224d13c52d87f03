"""One device is one device wherever it is plugged in, and two are two: twins, swapped cables, moved plugs, restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent import clock
from agent.ports.ears import CHANGED_BYTES, CHANGED_NS
from agent.ports.plugs import Plug, plug_of
from drivers.contract import Identity
from tests.system.test_discovery import DINAMAP, LINES, MASIMO, Bench, looking
from tests.system.test_serial_port import Cable
from wire.records import Catalogue, NumericAt, SessionAt

ZEROS = b"SN=0000000000"
ONE = MASIMO.replace(ZEROS, b"SN=0000012345")
TWO = MASIMO.replace(ZEROS, b"SN=0000067890").replace(b"SPO2=097%", b"SPO2=051%")


def serials(records: list[Catalogue]) -> dict[int, tuple[str, str]]:
    return {record.session: (record.serial, record.port) for record in records}


def told(bench: Bench) -> tuple[dict[int, tuple[str, str]], dict[int, set[int]], list[SessionAt]]:
    """(session: serial number and port), (session: saturations), sessions' beginnings and ends."""
    records, _ = bench.ward.take(clock.now() // 1000)
    who = [one for one in records if isinstance(one, Catalogue)]
    streams = {s.stream: one.session for one in who for s in one.streams if s.channel == "spo2"}
    values: dict[int, set[int]] = {}
    for one in records:
        if isinstance(one, NumericAt) and one.stream in streams:
            values.setdefault(streams[one.stream], set()).add(int(one.value or 0))
    return serials(who), values, [one for one in records if isinstance(one, SessionAt)]


def test_a_serial_number_that_all_have_is_none() -> None:
    assert Identity(serial="0000012345").is_one
    assert [Identity(serial=one).is_one for one in ("", "0000000000", "user", "123", "----")] == [False] * 5


def test_twins_whose_cables_change_places_within_a_moment_are_other_sessions(tmp_path) -> None:
    """The adapters stay, both devices speak the same protocol at the same setting: only their serial numbers differ."""

    async def story() -> Bench:
        bench = Bench(tmp_path / "run")
        one, two = Cable(tmp_path / "ttyUSB0"), Cable(tmp_path / "ttyUSB1")
        bench.plugs = (Plug(str(one.path), "usb-1"), Plug(str(two.path), "usb-2"))
        async with looking(bench):
            for first, second in ((ONE, TWO), (TWO, ONE)):
                for session in bench.ward.sessions:
                    session.driver.counts.frames = 0
                one.say(first)
                two.say(second)
                await bench.bell.until(
                    lambda: [session.driver.counts.frames for session in bench.ward.sessions] == [LINES, LINES]
                )
            for cable in (one, two):
                cable.unplug()
        return bench

    who, values, sessions = told(asyncio.run(story()))
    assert sorted(who.values()) == [
        ("0000012345", "usb-1"), ("0000012345", "usb-2"), ("0000067890", "usb-1"), ("0000067890", "usb-2"),
    ]  # fmt: skip
    assert {session: {97} if serial == "0000012345" else {51} for session, (serial, _) in who.items()} == values
    assert [one.reason for one in sessions].count("another device") == 2


def test_two_kinds_whose_cables_change_places_are_never_mistaken(tmp_path) -> None:
    async def story() -> Bench:
        bench = Bench(tmp_path / "run")
        one, two = Cable(tmp_path / "ttyUSB0"), Cable(tmp_path / "ttyUSB1")
        bench.plugs = (Plug(str(one.path), "usb-1"), Plug(str(two.path), "usb-2"))
        async with looking(bench):
            one.say(ONE)
            two.say(DINAMAP)
            await bench.bell.until(lambda: sorted(bench.drivers()) == ["dinamap_pro1000", "masimo_ascii1"])
            bench.late_ns += CHANGED_NS
            one.say(DINAMAP[: CHANGED_BYTES * 4])
            two.say(ONE)
            await bench.bell.until(lambda: bench.drivers() == [])
            one.say(DINAMAP)
            two.say(ONE)
            await bench.bell.until(lambda: sorted(bench.drivers()) == ["dinamap_pro1000", "masimo_ascii1"])
            for cable in (one, two):
                cable.unplug()
        return bench

    bench = asyncio.run(story())
    found = {(one.driver, one.port) for one in bench.records(Catalogue)}
    assert found == {(driver, place) for driver in ("dinamap_pro1000", "masimo_ascii1") for place in ("usb-1", "usb-2")}


def heard_at(tmp_path: Path, place: str, said: bytes) -> Catalogue:
    """One start of the gateway: what it tells of the device in that socket."""

    async def story() -> Bench:
        bench = Bench(tmp_path / "run")
        cable = Cable(tmp_path / "ttyUSB0")
        bench.plugs = (Plug(str(cable.path), place),)
        async with looking(bench):
            cable.say(said)
            await bench.bell.until(lambda: [session.port for session in bench.ward.sessions] == [place])
            await bench.bell.until(lambda: bench.ward.sessions[0].driver.counts.frames >= LINES)
            cable.unplug()
        return bench

    return asyncio.run(story()).records(Catalogue)[-1]


def test_a_device_keeps_its_serial_number_in_another_socket_and_after_a_restart(tmp_path) -> None:
    before, moved, after = [heard_at(tmp_path, place, ONE) for place in ("usb-1", "usb-2", "usb-2")]
    assert {(one.driver, one.serial) for one in (before, moved, after)} == {("masimo_ascii1", "0000012345")}
    assert [one.port for one in (before, moved, after)] == ["usb-1", "usb-2", "usb-2"]


def test_sockets_of_one_adapter_are_places_of_their_own(tmp_path) -> None:
    """One interface with four sockets, as the MCS7840 has: pyserial gives them one location."""
    for number in range(3):
        (tmp_path / f"ttyUSB{number}" / "device").mkdir(parents=True)
        (tmp_path / f"ttyUSB{number}" / "device" / "port_number").write_text(f"{number}\n")

    class Port:
        location, manufacturer, product = "1-1.2", "", ""

        def __init__(self, number: int) -> None:
            self.name = f"ttyUSB{number}"
            self.device = f"/dev/{self.name}"

    places = [plug_of(Port(number), tmp_path).place for number in range(4)]
    assert places == ["usb-1-1.2", "usb-1-1.2-port1", "usb-1-1.2-port2", "usb-1-1.2"]
