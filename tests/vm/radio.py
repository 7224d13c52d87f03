"""`python -m tests.vm.radio SOCKET`: the air of the guest, played by a process. hci0 is the kernel's and bluetoothd's,
over /dev/vhci; peripherals appear, say what a capture says, and misbehave when told to. JSON lines.

{"do": "appear", "name": "a", "address": "C0:00:00:00:00:01", "driver": "gatt_oximeter", "story": "finger-in-and-out",
 "bond": "" | "just-works" | "passkey", "passkey": 123456}       advertises, and speaks to who subscribes
{"do": "hide", "name": "a"}   no advertising, link dropped      {"do": "show", "name": "a"}
{"do": "leave", "name": "a"}  out of range                      {"do": "return", "name": "a"}
{"do": "drop", "name": "a"}   ends the link                     {"do": "forget", "name": "a"}  loses its bonds
{"do": "air", "name": "a", "loss": 0.3, "rssi_dbm": -90, "delay_s": 0.2}
{"do": "look", "name": "a"}   {"do": "unplug-adapter"}
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from bumble.transport import open_transport

from tests.vm.radio_air import Antenna, Room
from tests.vm.radio_device import Peripheral
from tests.vm.talk import answer_lines

ADAPTER = "F0:F1:F2:00:00:01/P"


class Radio:
    """The room, the adapter in it, and the peripherals by name."""

    def __init__(self) -> None:
        self._room = Room()
        self._peripherals: dict[str, Peripheral] = {}
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
            self._peripherals[name] = Peripheral(self._room, asked)
            await self._peripherals[name].begin()
        peripheral = self._peripherals[name]
        match asked["do"]:
            case "hide":
                await peripheral.hide()
            case "show":
                await peripheral.show()
            case "leave":
                self._room.leave(peripheral.antenna)
            case "return":
                self._room.come_back(peripheral.antenna)
            case "drop":
                await peripheral.drop()
            case "forget":
                await peripheral.forget()
            case "air":
                for what, value in asked.items():
                    if what in ("loss", "rssi_dbm", "delay_s"):
                        setattr(peripheral.antenna, what, value)
        return peripheral.look()


async def main(path: str) -> None:
    radio = Radio()
    await radio.plug_adapter()
    await answer_lines(path, radio.obey)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
