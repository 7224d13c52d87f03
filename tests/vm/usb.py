"""`python -m tests.vm.usb SOCKET`: the USB bus of the guest, played by a process of its own. JSON lines.

{"do": "plug", "name": "a", "socket": 3, "serial": "A5"}          what is returned says when, monotonic seconds
{"do": "play", "name": "a", "story": "masimo_ascii1/rad8-2018", "line": [9600, 8, "N", 1], "from_s": 0.4,
 "told": [["SPO2=097", "SPO2=093"]]}               the same words go with plug: it spoke before it was plugged in
{"do": "say", "name": "a", "hex": "00FF", "line": [9600, 8, "N", 1]}
{"do": "modem", "name": "a", "cts": false}    {"do": "hush", "name": "a"}
{"do": "look", "name": "a"}    {"do": "unplug", "name": "a"}    {"do": "free"}
{"do": "keyboard", "name": "k", "socket": 3, "serial": "K1"}    {"do": "type", "name": "k", "text": "004711\n"}
"""

from __future__ import annotations

import asyncio
import functools
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from tests.vm.far import Far, tale
from tests.vm.ftdi import Chip, Line
from tests.vm.scanner import Scanner
from tests.vm.talk import answer_lines
from tests.vm.usbip import Plugged, free_sockets


@dataclass(slots=True)
class Place:
    plugged: Plugged
    chip: Chip
    far: Far | None = None

    def hush(self) -> None:
        if self.far is not None:
            self.far.hush()
        self.far = None


class Bus:
    """Everything that is plugged in, by name."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._keyboards: dict[str, tuple[Plugged, Scanner]] = {}
        self._tale = functools.cache(tale)

    async def obey(self, asked: dict[str, Any]) -> Any:
        name = asked.get("name", "")
        match asked["do"]:
            case "free":
                return free_sockets()
            case "plug":
                return self._plug(name, asked)
            case "unplug":
                return self._unplug(name)
            case "keyboard" | "type":
                return self._keys(name, asked)
        place = self._places[name]
        match asked["do"]:
            case "play":
                self._play(place, asked)
            case "say":
                place.chip.say(bytes.fromhex(asked["hex"]), line(asked), place.plugged.is_read)
                place.plugged.feed()
            case "modem":
                place.chip.modem(**{wire: on for wire, on in asked.items() if wire not in ("do", "name")})
                place.plugged.feed()
            case "hush":
                place.hush()
        return look(place)

    def _plug(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        began = time.monotonic()
        chip = Chip(asked["serial"])
        place = self._places[name] = Place(Plugged(chip, asked["socket"]), chip)
        if "story" in asked:
            self._play(place, asked)
        return {"at": began}

    def _keys(self, name: str, asked: dict[str, Any]) -> None:
        if asked["do"] == "keyboard":
            scanner = Scanner(asked["serial"])
            self._keyboards[name] = (Plugged(scanner, asked["socket"]), scanner)
            return
        plugged, scanner = self._keyboards[name]
        scanner.type(asked["text"])
        plugged.feed()

    def _play(self, place: Place, asked: dict[str, Any]) -> None:
        place.hush()
        story = self._tale(asked["story"], tuple(map(tuple, asked.get("told", ()))))
        place.far = Far(place.plugged, line(asked), story, asked.get("from_s", 0.0))

    def _unplug(self, name: str) -> dict[str, Any]:
        if name in self._keyboards:
            self._keyboards.pop(name)[0].unplug()
            return {}
        place = self._places.pop(name)
        place.hush()
        place.plugged.unplug()
        return look(place)


def look(place: Place) -> dict[str, Any]:
    chip = place.chip
    return {
        "is_read": place.plugged.is_read,
        "waiting_bytes": chip.waiting_bytes,
        "host": asdict(chip.host),
        "dtr": chip.dtr,
        "rts": chip.rts,
        "breaks": chip.breaks,
        "lost_bytes": chip.lost_bytes,
        "heard": bytes(chip.heard).hex(),
        "said_bytes": place.far.said_bytes if place.far else 0,
    }


def line(asked: dict[str, Any]) -> Line:
    return Line(*asked["line"])


if __name__ == "__main__":
    asyncio.run(answer_lines(sys.argv[1], Bus().obey))
