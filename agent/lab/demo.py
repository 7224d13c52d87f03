"""The whole path on one machine: devices on pseudo-terminals, gateway, broker, centre, page; and the proof at the end.

It exits well only if every sample that the devices said is in the centre's store, once, bad day or not.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import sys
import tempfile
import urllib.error
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agent import clock
from agent.lab import keyring, programs, proof, recordings, signals
from agent.lab.line import Line
from agent.lab.voice import Voice

BED = "Bed 3"
VOICES = ("contec_v7", "dinamap_pro1000", "ivy_450c", "philips_intellivue")
OUTAGE_S = 8.0
DRAIN_LIMIT_S = 60.0
SHOW_S = 5.0
PICTURE = (1440, 1180)
LOOK_MS = 14000


@dataclass(frozen=True, slots=True)
class Plan:
    """What to show. `seconds` 0 is until Ctrl-C."""

    seconds: float = 0
    kill_broker: bool = False
    kill_gateway: bool = False
    screenshot: Path | None = None


@dataclass(slots=True)
class Device:
    """A device of the demo and what it said so far."""

    link: Path
    driver: str
    line: Line
    said: dict[str, list[int]] = field(default_factory=dict)

    def record(self, channel: str, samples: Sequence[int]) -> None:
        self.said.setdefault(channel, []).extend(samples)


def tell(text: str) -> None:
    """Talk goes to stderr."""
    print(text, file=sys.stderr, flush=True)


async def run(plan: Plan) -> int:
    """Returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="wardlink-demo-") as name:
        folder = Path(name)
        (folder / "dev").mkdir()
        ring = keyring.make(folder / "keys")
        devices = [_device(folder, driver) for driver in VOICES]
        broker_port, page_port = programs.free_port(), programs.free_port()
        broker = programs.broker(folder, ring, broker_port)
        centre = programs.centre(folder, ring, broker_port, page_port, BED)
        replayed = recordings.devices(folder / "dev", clock.now)
        ports = {str(d.link): d.driver for d in devices} | {str(r.link): r.driver for r in replayed}
        gateway = programs.gateway(folder, ring, broker_port, BED, ports)
        url = f"http://127.0.0.1:{page_port}"
        asked = proof.Centre(url, ring.gateway_id, await programs.let_in(folder))
        async with _running(broker, broker_port), _running(centre, page_port), _running(gateway, None):
            tell(f"bed page: {url}/beds/{ring.gateway_id}\nall beds: {url}/\nlogs:     {folder}")
            tell(f"log in as demo, with the password: {programs.DEMO_PASSWORD}")
            speaking = [asyncio.create_task(d.line.speak(_voice(d))) for d in devices]
            speaking += [asyncio.create_task(r.line.play(r.pieces)) for r in replayed]
            await _show(plan, devices, broker, broker_port, gateway, f"{url}/beds/{ring.gateway_id}")
            for line in [d.line for d in devices] + [r.line for r in replayed]:
                line.stopping = True
            await asyncio.gather(*speaking)
            return await _prove(
                asked, {str(d.link): d.said for d in devices} | {str(r.link): r.said() for r in replayed}
            )


def _device(folder: Path, driver: str) -> Device:
    link = folder / "dev" / driver
    return Device(link, driver, Line(link, clock.now))


def _voice(device: Device) -> Voice:
    module = importlib.import_module(f"agent.lab.voices.{device.driver}")
    kind = next(
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Voice) and thing is not Voice
    )
    return kind(signals.for_device(device.driver, kind.wanted), device.record)


@contextlib.asynccontextmanager
async def _running(program: programs.Program, port: int | None) -> AsyncIterator[None]:
    try:
        await program.start()
        if port is not None:
            await programs.listening(program, port)
        yield
    finally:
        await program.end()


async def _show(
    plan: Plan,
    devices: list[Device],
    broker: programs.Program,
    broker_port: int,
    gateway: programs.Program,
    page: str,
) -> None:
    """Let time pass, with the bad day in the middle."""
    start = clock.now()
    half = plan.seconds / 2 or 20.0
    bad_day = asyncio.create_task(_bad_day(plan, half, broker, broker_port, gateway))
    picture = asyncio.create_task(_screenshot(plan, half, page))
    try:
        while not plan.seconds or clock.now() - start < plan.seconds * 1e9:
            left = SHOW_S if not plan.seconds else min(SHOW_S, plan.seconds - (clock.now() - start) / 1e9)
            await asyncio.sleep(max(0.0, left))
            said = sum(len(samples) for device in devices for samples in device.said.values())
            tell(f"{(clock.now() - start) / 1e9:5.0f} s  {len(devices)} devices said {said} samples")
        await bad_day
        await picture
    finally:
        bad_day.cancel()
        picture.cancel()


async def _bad_day(
    plan: Plan, after_s: float, broker: programs.Program, broker_port: int, gateway: programs.Program
) -> None:
    await asyncio.sleep(after_s)
    if plan.kill_broker:
        tell("the broker is killed, and with it what it had in memory")
        broker.kill()
        await broker.wait()
        await asyncio.sleep(OUTAGE_S)
        await broker.start()
        await programs.listening(broker, broker_port)
        tell("the broker is back")
    if plan.kill_gateway:
        tell("the gateway is killed")
        gateway.kill()
        await gateway.wait()
        await gateway.start()
        tell("the gateway is started again")


async def _screenshot(plan: Plan, after_s: float, page: str) -> None:
    if plan.screenshot is None:
        return
    await asyncio.sleep(after_s)
    await asyncio.to_thread(_look, page, plan.screenshot)
    tell(f"screenshot: {plan.screenshot}")


def _look(page: str, file: Path) -> None:
    """What a doctor sees who has had the page open for a while."""
    from agent.lab import browser  # noqa: PLC0415  only a screenshot needs it

    with browser.browser() as tab:
        tab.size(*PICTURE)
        tab.log_in(page, "demo", programs.DEMO_PASSWORD)
        tab.until(f"performance.now() > {LOOK_MS}")
        tab.look(*PICTURE, file)


async def _prove(asked: proof.Centre, told: dict[str, dict[str, list[int]]]) -> int:
    """Wait until everything is there, or does not come any more. `told`: samples by port and channel."""
    said = {(port, ch): np.array(samples, np.int64) for port, by in told.items() for ch, samples in by.items()}
    start = clock.now()
    verdicts: list[proof.Verdict] = []
    while clock.now() - start < DRAIN_LIMIT_S * 1e9:
        with contextlib.suppress(urllib.error.URLError, TimeoutError):
            verdicts = proof.compare(said, await asyncio.to_thread(asked.stored))
            if verdicts and all(verdict.same for verdict in verdicts):
                break
        await asyncio.sleep(1)
    for verdict in verdicts:
        word = "all there, once" if verdict.same else "NOT THE SAME"
        port = os.path.basename(verdict.port)  # noqa: PTH119  a name to read
        tell(f"{port:20} {verdict.channel:16} said {verdict.said:7} stored {verdict.stored:7}  {word}")
    good = bool(verdicts) and all(verdict.same and verdict.said for verdict in verdicts)
    tell("every sample is in the centre's store, once" if good else "error: samples are missing or double")
    return 0 if good else 1
