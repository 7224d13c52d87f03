"""`python -m tests.vm.radio SOCKET`: the air of the guest, played by a process. hci0 is the kernel's and bluetoothd's,
over /dev/vhci; peripherals appear, say what a capture says, and misbehave when told to. JSON lines.

{"do": "appear", "name": "a", "address": "C0:00:00:00:00:01", "driver": "gatt_oximeter", "story": "finger-in-and-out",
 "passkey": ""}               advertises, and speaks to who subscribes, from the start of its tale, again and again
{"do": "hide", "name": "a"}   switched off: says nothing more, and ends its link      {"do": "show", "name": "a"}
{"do": "leave", "name": "a"}  out of range                                            {"do": "return", "name": "a"}
{"do": "drop", "name": "a"}   ends its link                   {"do": "forget", "name": "a"}  loses its bonds
{"do": "say", "name": "a", "hex": "0C62"}   notifies these bytes, of any length
{"do": "flood", "name": "a", "count": 500}   as many strangers advertise as it does, each from an address of its own
{"do": "air", "name": "a", "loss": 0.3, "rssi_dbm": -90, "delay_s": 0.2}
{"do": "look", "name": "a"}   {"do": "unplug-adapter"}
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from bumble import ll
from bumble.hci import Address
from bumble.transport import open_transport

from agent.lab.by_radio import face_of
from agent.lab.peripheral import Peripheral
from drivers import capture, registry
from tests.vm.radio_air import Antenna, Room
from tests.vm.talk import answer_lines

ADAPTER = "F0:F1:F2:00:00:01/P"
CAPTURES = Path(__file__).parents[1] / "captures"
FLOOD_S = 0.005
REST_NS = 1_000_000_000  # between the end of a tale and its beginning


class Device:
    """One peripheral in the room, and what it says."""

    def __init__(self, room: Room, asked: dict[str, Any]) -> None:
        text = (CAPTURES / asked["driver"] / f"{asked['story']}.cap").read_text(encoding="utf-8")
        story = capture.parse(text)
        face = face_of(registry.driver(asked["driver"]), story, asked["address"])
        self.antenna = Antenna(asked["name"], link=room)
        self.peripheral = Peripheral(
            replace(face, passkey=asked.get("passkey", "")), self.antenna, self.antenna, self._written
        )
        self._story = list(story.notified())
        self._said = 0
        self._wrote: list[str] = []
        self._speaking = asyncio.create_task(self._speak())

    def look(self) -> dict[str, Any]:
        return {"is_linked": self.peripheral.is_connected, "said": self._said, "wrote": self._wrote}

    def _written(self, source: str, data: bytes) -> None:
        self._wrote.append(f"{capture.brief(source)} {data.hex()}")

    async def _speak(self) -> None:
        """To each who subscribes, until it is gone."""
        loop, first = asyncio.get_running_loop(), self.peripheral.face.characteristics[0]
        while True:
            await self.peripheral.wants.wait()
            began = loop.time()
            for number in itertools.count():
                rounds, at = divmod(number, len(self._story))
                due_ns, data, source = self._story[at]
                await _until(began + (rounds * (self._story[-1][0] + REST_NS) + due_ns) / 1e9)
                if not self.peripheral.wants.is_set():
                    break
                await self.peripheral.say(source or first, data)
                self._said += 1


class Radio:
    """The room, the adapter in it, and the peripherals by name."""

    def __init__(self) -> None:
        self._room = Room()
        self._devices: dict[str, Device] = {}
        self._adapter: Any = None

    async def plug_adapter(self) -> None:
        """hci0, from now until it is unplugged."""
        self._adapter = await open_transport("vhci")
        source, sink = self._adapter.source, self._adapter.sink
        Antenna("hci0", host_source=source, host_sink=sink, link=self._room, public_address=ADAPTER)

    async def obey(self, asked: dict[str, Any]) -> Any:
        name = asked.get("name", "")
        if asked["do"] == "unplug-adapter":
            await self._adapter.close()
            return {}
        if asked["do"] == "appear":
            self._devices[name] = Device(self._room, asked)
            await self._devices[name].peripheral.start()
        device = self._devices[name]
        match asked["do"]:
            case "appear" | "show":
                await device.peripheral.show()
            case "hide":
                await device.peripheral.hide()
                await device.peripheral.drop()
            case "leave":
                self._room.leave(device.antenna)
            case "return":
                self._room.come_back(device.antenna)
            case "drop":
                await device.peripheral.drop()
            case "forget":
                await device.peripheral.forget()
            case "say":
                await device.peripheral.say(device.peripheral.face.characteristics[0], bytes.fromhex(asked["hex"]))
            case "flood":
                await self._flood(device, asked["count"])
            case "air":
                for what in asked.keys() & {"loss", "rssi_dbm", "delay_s"}:
                    setattr(device.antenna, what, asked[what])
        return device.look()

    async def _flood(self, device: Device, count: int) -> None:
        data = device.peripheral.device.advertising_data
        for number in range(count):
            address = Address(f"C1:00:00:00:{number >> 8 & 0xFF:02X}:{number & 0xFF:02X}")
            self._room.send_advertising_pdu(device.antenna, ll.AdvInd(address, data))
            await _until(asyncio.get_running_loop().time() + FLOOD_S)


async def _until(when: float) -> None:
    """The loop's time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(when):
            await asyncio.Event().wait()


async def main(path: str) -> None:
    radio = Radio()
    await radio.plug_adapter()
    await answer_lines(path, radio.obey)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
