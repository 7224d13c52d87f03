"""Devices that say nothing unless asked, on real pseudo-terminals: found by asking where an engineer allowed it."""

from __future__ import annotations

import asyncio
import json
import os
import selectors
from pathlib import Path

import pytest

from agent import clock
from agent.discovery import Discovery, Rules
from agent.lab.line import Line
from agent.lab.voice import Voice
from agent.lab.voices.contec_v7 import ContecV7Voice
from agent.lab.voices.philips_intellivue import PhilipsIntelliVueVoice
from agent.ports import asking, seek
from agent.ports.ears import UNANSWERED_NS
from agent.ports.line import open_line
from agent.ports.plugs import FOUND, Plug
from agent.ports.serial_port import Rounds
from agent.supervisor import Supervisor
from agent.tapes import Tapes
from agent.world import World
from drivers import capture, registry
from drivers.contract import Serial
from tests.scripted import Scripted
from tests.system.bell import Bell
from tests.system.test_discovery import MASIMO, Ward2
from tests.system.test_serial_port import Cable
from wire.records import Catalogue

CAPTURES = Path(__file__).parents[1] / "captures"
HURRY = 40  # the clock and the loop of these tests: what takes a minute takes a second and a half
LIMIT_S = 15.0 * HURRY


class Hasty(selectors.DefaultSelector):
    def select(self, timeout=None):
        return super().select(timeout / HURRY if timeout else timeout)


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__(Hasty())

    def time(self) -> float:
        return super().time() * HURRY


def run(story):
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(story)


class Far(Scripted):
    """A device of a capture at a pseudo-terminal; it is asked at any line setting, a pseudo-terminal has none."""

    def __init__(self, driver: str, story: str, cable: Cable) -> None:
        text = (CAPTURES / driver / f"{story}.cap").read_text(encoding="utf-8")
        super().__init__(capture.parse(text), Serial(9600))
        self.cable = cable
        os.set_blocking(cable.host, False)

    def turn(self, now: int) -> None:
        try:
            self.hear(os.read(self.cable.host, 65536), now, self.line)
        except BlockingIOError:
            self.got += b""
        said = self.say(now)
        if said:
            self.cable.say(said)


class Bench:
    """A discovery in a world whose clock runs fast."""

    def __init__(self, folder: Path, rules: Rules) -> None:
        self.bell = Bell()
        self.plugs: tuple[Plug, ...] = ()
        self.ward = Ward2(self.bell)
        self.supervisor = Supervisor()
        self._began = clock.now()
        world = World(now=self.now, plugged=lambda: self.plugs, open_line=self._open)
        self.lines: list[str] = []
        self.discovery = Discovery(
            self.ward, Tapes(), world, folder, rules, self.bell.ring, Rounds(), self.supervisor.once
        )
        self.discovery.resume(lambda sealed: False)

    def now(self) -> int:
        return self._began + (clock.now() - self._began) * HURRY

    def _open(self, path: str, line: Serial):
        self.lines.append(str(line))
        return open_line(path, line)

    async def until(self, condition) -> None:
        await self.bell.until(condition, LIMIT_S)

    def drivers(self) -> list[str]:
        return [session.driver.info.id for session in self.ward.sessions]

    def port(self):
        ((port, _),) = self.discovery.heard()
        return port

    def records(self, kind):
        return [record for record in self.ward.take(self.now() // 1000)[0] if isinstance(record, kind)]


def bench_for(tmp_path: Path, *drivers: str, place: str = "usb-1") -> tuple[Bench, Cable]:
    cable = Cable(tmp_path / "ttyUSB0")
    bench = Bench(tmp_path / "run", Rules(probed={str(cable.path): drivers}))
    bench.plugs = (Plug(str(cable.path.resolve()), place, "FTDI FT232R"),)
    return bench, cable


@pytest.mark.parametrize(
    ("driver", "story"),
    [("ge_s5", "waves-and-alarms"), ("draeger_medibus", "evita4"), ("puritan_bennett_840", "rounds")],
)
def test_a_device_that_must_be_asked_is_found_and_goes_on_being_asked(tmp_path, driver, story) -> None:
    async def tale() -> None:
        bench, cable = bench_for(tmp_path, "ge_s5", "draeger_medibus", "puritan_bennett_840")
        far = Far(driver, story, cable)
        bench.discovery.look()
        await bench.until(lambda: far.turn(bench.now()) or bench.drivers() == [driver])
        session = bench.ward.sessions[0]
        before, asked = session.driver.counts.frames, len(far.got)
        await bench.until(lambda: far.turn(bench.now()) or session.driver.counts.frames > before)
        await bench.until(lambda: far.turn(bench.now()) or len(far.got) > asked)
        port = bench.port()
        assert port.state == "open"
        assert port.why.startswith("understood by asking: ")
        assert driver in {one.driver for one in port.asked.values()}
        await bench.discovery.close()
        cable.unplug()
        allowed = b"".join(b for kind in map(registry.driver, ("ge_s5", "draeger_medibus", "puritan_bennett_840"))
                           for b in kind.info.sends)  # fmt: skip
        assert set(far.got) <= set(allowed)

    run(tale())


@pytest.mark.parametrize(
    ("driver", "voice"), [("philips_intellivue", PhilipsIntelliVueVoice), ("contec_v7", ContecV7Voice)]
)
def test_simulated_devices_are_found_and_their_samples_come_whole(tmp_path, driver: str, voice: type[Voice]) -> None:
    async def tale() -> None:
        link = tmp_path / "ttyUSB0"
        bench = Bench(tmp_path / "run", Rules(askable=("contec_v7", "philips_intellivue")))
        line = Line(link, bench.now)
        said: dict[str, list[int]] = {}
        signals = {channel: range(wanted.low, wanted.high + 1) for channel, wanted in voice.wanted.items()}
        device = voice(signals, lambda channel, samples: said.setdefault(channel, []).extend(samples))
        speaking = asyncio.create_task(line.speak(device))
        bench.plugs = (Plug(str(link.resolve()), "usb-1"),)
        bench.discovery.look()
        await bench.until(lambda: bench.drivers() == [driver])
        await bench.until(lambda: bench.ward.sessions[0].driver.counts.frames > 20)
        counts = bench.ward.sessions[0].driver.counts
        assert (counts.bad, counts.skipped) == (0, 0), "nothing of what was said while it was being found is lost"
        line.stopping = True
        await speaking
        await bench.discovery.close()

    run(tale())


def test_nothing_is_sent_where_nobody_allowed_it(tmp_path) -> None:
    async def tale() -> None:
        cable = Cable(tmp_path / "ttyUSB0")
        bench = Bench(tmp_path / "run", Rules(probed={str(cable.path): ()}, askable=("ge_s5",)))
        bench.plugs = (Plug(str(cable.path.resolve()), "usb-1"),)
        far = Far("ge_s5", "waves-and-alarms", cable)
        bench.discovery.look()
        start = bench.now()
        await bench.until(lambda: far.turn(bench.now()) or bench.now() - start > 3 * asking.SILENT_NS)
        assert (far.got, bench.drivers()) == (b"", [])
        await bench.discovery.close()
        cable.unplug()

    run(tale())


def test_where_somebody_spoke_by_himself_nobody_is_asked_until_it_is_plugged_in_anew(tmp_path) -> None:
    async def tale() -> None:
        bench, cable = bench_for(tmp_path, "ge_s5")
        far = Far("ge_s5", "waves-and-alarms", cable)
        bench.discovery.look()
        cable.say(MASIMO)
        await bench.until(lambda: bench.drivers() == ["masimo_ascii1"])
        start = bench.now()
        await bench.until(lambda: far.turn(bench.now()) or bench.now() - start > 10 * seek.SECOND_NS)
        cable.say(b"\x00" * 500)  # another device, which nobody understands
        await bench.until(lambda: bench.drivers() == [])
        start = bench.now()
        await bench.until(lambda: far.turn(bench.now()) or bench.now() - start > 3 * asking.SILENT_NS)
        assert far.got == b""
        assert "masimo_ascii1 spoke here by itself" in bench.port().state
        plugs, bench.plugs = bench.plugs, ()
        bench.discovery.look()
        bench.plugs = plugs
        bench.discovery.look()
        await bench.until(lambda: far.turn(bench.now()) or bench.drivers() == ["ge_s5"])
        await bench.discovery.close()
        cable.unplug()

    run(tale())


def test_after_a_restart_the_talker_is_remembered_and_the_asked_one_is_asked_first(tmp_path) -> None:
    async def found(story: str, *drivers: str) -> list[str]:
        bench, cable = bench_for(tmp_path, *drivers)
        far = Far("ge_s5", story, cable)
        bench.discovery.look()
        await bench.until(lambda: far.turn(bench.now()) or bench.port().state == "open")
        await bench.discovery.close()
        cable.unplug()
        asked = [one.driver for one in bench.port().asked.values()]
        (known,) = json.loads((tmp_path / "run" / FOUND).read_text()).values()
        assert (known["driver"], known["is_asked"]) == ("ge_s5", True)
        return asked

    assert len(run(found("waves-and-alarms", "puritan_bennett_840", "ge_s5"))) > 1
    assert run(found("displayed-values", "puritan_bennett_840", "ge_s5")) == ["ge_s5"]


def test_another_polled_device_at_the_same_cable_is_another_session(tmp_path) -> None:
    """The first goes silent for it is not there any more; whoever answers now is found."""

    async def tale() -> None:
        bench, cable = bench_for(tmp_path, "ge_s5", "draeger_medibus")
        far = Far("ge_s5", "waves-and-alarms", cable)
        bench.discovery.look()
        await bench.until(lambda: far.turn(bench.now()) or bench.drivers() == ["ge_s5"])
        far = Far("draeger_medibus", "evita4", cable)
        start = bench.now()
        await bench.until(lambda: bench.drivers() == [])
        assert bench.now() - start < 2 * UNANSWERED_NS
        await bench.until(lambda: far.turn(bench.now()) or bench.drivers() == ["draeger_medibus"])
        await bench.discovery.close()
        cable.unplug()
        drivers = {record.session: record.driver for record in bench.records(Catalogue)}
        assert drivers == {0: "ge_s5", 1: "draeger_medibus"}

    run(tale())


@pytest.mark.parametrize("may_ask", [False, True])
def test_who_is_found_by_listening_is_spoken_to_only_where_an_engineer_allowed_it(tmp_path, may_ask: bool) -> None:
    """An earlier gateway left an oximeter sending: it is heard at once, and kept alive where that is allowed."""
    text = (CAPTURES / "contec_v7" / "cms60c-finger-in.cap").read_text(encoding="utf-8")
    stream = b"".join(data for _, data in capture.parse(text).chunks())[40:400]

    async def tale() -> bytes:
        bench, cable = bench_for(tmp_path, *(["contec_v7"] if may_ask else []))
        os.set_blocking(cable.host, False)
        bench.discovery.look()
        said = [bench.now()]

        def speaks_on() -> bool:
            if bench.now() - said[-1] > seek.SECOND_NS // 2:
                cable.say(stream)
                said.append(bench.now())
            return bench.drivers() == ["contec_v7"]

        await bench.until(speaks_on)
        assert "by listening" in bench.port().why
        start = bench.now()
        got = bytearray()

        def is_over() -> bool:
            try:
                got.extend(os.read(cable.host, 4096))
            except BlockingIOError:
                return bench.now() - start > 6 * seek.SECOND_NS
            return False

        await bench.until(is_over)
        await bench.discovery.close()
        cable.unplug()
        return bytes(got)

    got = run(tale())
    assert bool(got) is may_ask
    assert not may_ask or {b"\xa1", b"\xaf"} <= {got[at : at + 1] for at in range(2, len(got), 9)}, "start, keep alive"
