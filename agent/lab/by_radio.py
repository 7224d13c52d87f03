"""A capture played as a device by radio: it offers what the driver asks for, and says what it said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bumble.core import BaseBumbleError
from bumble.transport import open_transport

from agent.lab.ether import Chip, Ether
from agent.lab.peripheral import Face, Peripheral
from drivers.capture import Capture
from drivers.contract import Ble, Driver, Send, Subscribe

NAME = "wardlink"


class TransportError(Exception):
    """There is no such transport, or it cannot be opened."""


def face_of(kind: type[Driver], story: Capture, address: str) -> Face:
    """What the device must show for this driver to claim it. Raises TransportError where the driver knows no radio."""
    claims = [claim for claim in kind.info.claims if isinstance(claim, Ble)]
    if not claims:
        raise TransportError(f"{kind.info.id} is not found by radio")
    asked = [one.characteristic.lower() for one in kind().on_open(0) if isinstance(one, Subscribe | Send)]
    offered = dict.fromkeys([*asked, *(source for _, _, source in story.notified() if source)])
    return Face(address, claims[0].name or NAME, claims[0].service.lower(), tuple(offered))


async def play(transport: str, address: str, kind: type[Driver], story: Capture, speed: float, loops: int) -> None:
    """Be the device until the capture was played `loops` times (0: for ever), from each time somebody listens."""
    face = face_of(kind, story, address)
    async with _controller(transport) as make:
        device = make(face)
        await device.start()
        await device.show()
        played = 0
        while loops == 0 or played < loops:
            await device.wants.wait()
            await _tell(device, story, speed)
            played += 1


async def _tell(device: Peripheral, story: Capture, speed: float) -> None:
    loop = asyncio.get_running_loop()
    start, first = loop.time(), device.face.characteristics[0]
    for at, data, source in story.notified():
        await asyncio.sleep(max(0.0, start + at / 1e9 / speed - loop.time()))
        if not device.is_connected:
            return
        await device.say(source or first, data)


@asynccontextmanager
async def _controller(transport: str) -> AsyncIterator[Callable[[Face], Peripheral]]:
    """Makes the device: behind an adapter of the kernel's that lives in this process, or out of a real adapter."""
    try:
        opened = await open_transport(transport)
    except (BaseBumbleError, OSError, ValueError) as error:
        raise TransportError(str(error) or type(error).__name__) from error
    async with opened:
        if not transport.startswith("vhci"):
            yield lambda face: Peripheral(face, opened.source, opened.sink)
            return
        ether = Ether()
        Chip("kernel", host_source=opened.source, host_sink=opened.sink, link=ether)

        def make(face: Face) -> Peripheral:
            chip = Chip(face.name, link=ether)
            return Peripheral(face, chip, chip)

        yield make
