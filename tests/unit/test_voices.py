"""Every simulated device against its own driver, on a virtual line: what was said is what is heard, to the sample."""

import importlib
import pkgutil
import random
from collections import defaultdict
from collections.abc import Sequence

import pytest

import agent.lab.voices
from agent.lab.voice import Voice
from drivers import registry
from drivers.contract import Driver, Numeric, Output, Send, Wave

VOICES = sorted(module.name for module in pkgutil.iter_modules(agent.lab.voices.__path__))
SECOND_NS = 1_000_000_000
LONG_NS = 60 * SECOND_NS
GREETING_S = 10  # some devices want to be asked for a while before they speak


def voice_of(driver_id: str) -> type[Voice]:
    module = importlib.import_module(f"agent.lab.voices.{driver_id}")
    found = [thing for thing in vars(module).values() if isinstance(thing, type) and issubclass(thing, Voice)]
    (kind,) = [thing for thing in found if thing.__module__ == module.__name__]
    return kind


class Line:
    """A driver and a voice on one line; time is a number. Bytes reach the driver in pieces of any size."""

    def __init__(self, driver_id: str) -> None:
        self.rng = random.Random(driver_id)
        self.said: dict[str, list[int]] = defaultdict(list)
        self.heard: dict[str, list[int]] = defaultdict(list)
        self.outputs: list[Output] = []
        kind = voice_of(driver_id)
        signals = {
            channel: [self.rng.randint(wanted.low, wanted.high) for _ in range(997)]
            for channel, wanted in kind.wanted.items()
        }
        self.voice = kind(signals, self._record)
        self.driver: Driver = registry.driver(driver_id)()

    def _record(self, channel: str, samples: Sequence[int]) -> None:
        self.said[channel] += samples

    def run(self, until: int) -> None:
        now = 0
        self._to_driver(self.voice.on_open(now), now)
        self._from_driver(list(self.driver.on_open(now)), now)
        while True:
            wakes = [wake for wake in (self.voice.wake_at, self.driver_wakes()) if wake is not None]
            if not wakes or min(wakes) > until:
                return
            now = max(now, min(wakes))
            if self.voice.wake_at is not None and self.voice.wake_at <= now:
                self._to_driver(self.voice.on_time(now), now)
            if (wake := self.driver_wakes()) is not None and wake <= now:
                self._from_driver(list(self.driver.on_time(now)), now)

    def driver_wakes(self) -> int | None:
        return None if self.driver.wake_at is None else self.driver.wake_at + 1

    def _to_driver(self, data: bytes, now: int) -> None:
        while data:
            size = self.rng.randint(1, 64)
            self._from_driver(list(self.driver.on_bytes(data[:size], now)), now)
            data = data[size:]

    def _from_driver(self, outputs: list[Output], now: int) -> None:
        self.outputs += outputs
        for output in outputs:
            if isinstance(output, Wave):
                self.heard[output.channel] += output.samples
            if isinstance(output, Send):
                assert output.data in self.driver.info.sends
                self._to_driver(self.voice.on_bytes(output.data, now), now)


@pytest.mark.parametrize("driver_id", VOICES)
def test_every_sample_said_is_heard(driver_id: str) -> None:
    line = Line(driver_id)
    line.run(LONG_NS)
    for channel, wanted in line.voice.wanted.items():
        assert (60 - GREETING_S) * wanted.rate <= len(line.said[channel]) <= 61 * wanted.rate, channel
        assert line.heard[channel] == line.said[channel], channel
    assert (line.driver.counts.bad, line.driver.counts.skipped, line.driver.pending()) == (0, 0, 0)


@pytest.mark.parametrize("driver_id", VOICES)
def test_a_voice_speaks_the_channels_of_its_driver_at_their_rates(driver_id: str) -> None:
    line = Line(driver_id)
    line.run((GREETING_S + 2) * SECOND_NS)
    rates = {output.channel: output.scale.rate for output in line.outputs if isinstance(output, Wave)}
    assert {channel: wanted.rate for channel, wanted in line.voice.wanted.items()}.items() <= rates.items()


def test_ivy_prints_the_pressures_it_draws() -> None:
    line = Line("ivy_450c")
    line.run(SECOND_NS)
    told = {output.channel: output.value for output in line.outputs if isinstance(output, Numeric)}
    assert (told["ibp.p1_sys"], told["ibp.p1_dia"]) == (max(line.said["ibp.p1"]), min(line.said["ibp.p1"]))


def contec() -> tuple[Voice, list[int]]:
    said: list[int] = []
    voice = voice_of("contec_v7")({"pleth": [1, 2, 3]}, lambda channel, samples: said.extend(samples))
    return voice, said


def command(code: int) -> bytes:
    return bytes((0x7D, 0x81, code, *[0x80] * 6))


def test_contec_is_silent_until_asked_and_stops_when_nobody_keeps_it_alive() -> None:
    voice, said = contec()
    assert voice.on_open(0) == b""
    assert voice.wake_at is None
    assert voice.on_bytes(command(0xA1), 0) == b""
    voice.on_time(100 * SECOND_NS)
    assert len(said) == 30 * 60 + 1
    assert voice.wake_at is None


def test_contec_kept_alive_goes_on_and_can_be_started_again() -> None:
    voice, said = contec()
    voice.on_bytes(command(0xA1), 0)
    for second in range(0, 60, 5):
        voice.on_time(second * SECOND_NS)
        voice.on_bytes(command(0xAF), second * SECOND_NS)
    assert len(said) == 55 * 60 + 1
    voice.on_bytes(command(0xA2), 56 * SECOND_NS)
    voice.on_bytes(command(0xA1), 57 * SECOND_NS)
    voice.on_time(58 * SECOND_NS)
    assert len(said) == 55 * 60 + 1 + 61


def test_contec_answers_who_it_is_in_pieces_and_refuses_the_rest() -> None:
    voice, _ = contec()
    asked = command(0xA9)
    assert voice.on_bytes(b"\x00" + asked[:4], 0) == b""
    assert voice.on_bytes(asked[4:], 0) == bytes.fromhex("0380C3EFEEF4E5E380")
    assert voice.on_bytes(command(0xA8), 0) == bytes.fromhex("028080C3CDD3B6B0C30281FFD78080808080")
    assert voice.on_bytes(command(0xAE), 0) == bytes.fromhex("0B81AE85")
