"""Where the image's scenes play: a card, the machine it is in, and the hospital and centre that it belongs to.

The first card is enrolled once, and kept with its fleet and centre. A scene plays on a copy of all three: neither card
nor centre ever goes back in time without the other.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.image import ids
from tests.image.device import Device
from tests.image.disk import copied, fat
from tests.image.machine import CARD_BYTES, OUTSIDE, VIRT, Board, Machine, made
from tests.image.outside import Outside
from tests.image.ranges import Ranges
from tests.image.variants import Built
from tests.system.broker_rig import free_port

STORY = "nellcor_n560/bedside"
PULSES = ("105", "104", "102")  # what it says there; a device of ours says another number each time it is plugged in
FIRST_PULSE = 111
FIRMWARE = "9.87.65"  # what the device says of itself: nowhere else in the world
BOOT_S, SLOW_S, TRIAL_S = 600.0, 900.0, 1800.0
ENOUGH_COUNT = 3  # that many of them in one round of the story
WIFI = "\n".join(("[wifi]", 'name = "hospital-devices"', 'country = "BJ"', 'password = "{word}"'))
WIFI_WORD = "wifi-word-of-ward-3"


@dataclass
class Bedside:
    """One gateway in its world. `port` is where its ssh is on this computer."""

    machine: Machine
    outside: Outside
    port: int
    said_to_devices: bytes = b""

    def ssh(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.outside.ssh(self.port, *words)

    def asked(self, command: str) -> str:
        """What a command on the gateway says. Raises AssertionError."""
        done = self.ssh(command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def delivers(self, limit_s: float = SLOW_S, enough: int = ENOUGH_COUNT) -> float:
        """A device is plugged in that says a number nobody said before: read there, delivered, opened by the centre.

        Seconds from the plugging in.
        """
        pulse = next(one for one in itertools.count(FIRST_PULSE) if not self.outside.readings(one))
        began = time.monotonic()
        told = (*((f" {word} ", f" {pulse} ") for word in PULSES), ("1.61.00", FIRMWARE))
        device = Device(self.machine.socket, STORY, told)
        try:
            what = "readings at the centre"
            self.machine.until(lambda: self.outside.readings(pulse) >= enough, limit_s, what)
        finally:
            device.off()
            self.said_to_devices += device.heard
        return time.monotonic() - began


@dataclass
class Stage:
    """`kept`: the enrolled card, its fleet and centre. `figures` go into the line of evidence."""

    built: Built
    folder: Path
    kept: Path
    server: Ranges
    figures: dict[str, object] = field(default_factory=dict)
    board: Board = VIRT

    def url(self, bundle: Path) -> str:
        return f"http://{OUTSIDE}:{self.server.port}/{bundle.name}"

    @contextmanager
    def fresh(self, name: str, setting: Callable[[Outside], bytes] | None, **more: object) -> Iterator[Bedside]:
        """A card as it was built, with this wardlink.txt (None: as it comes), and a fleet of its own; not yet on."""
        folder = self._folder(name)
        port = free_port()
        with Outside(folder / "outside") as outside:
            machine = made(self.built.image, folder, board=self.board, forwarded={port: 22}, **more)
            if setting is not None:
                fat(machine.card, 1).write("wardlink.txt", setting(outside))
            with machine:
                yield Bedside(machine, outside, port)

    def ensure(self) -> None:
        """There is a kept card of this build. The first time that takes a first boot."""
        if self._of() != self.built.digest:
            first_card(self)

    @contextmanager
    def enrolled(self, name: str, **more: object) -> Iterator[Bedside]:
        """A gateway that is enrolled and delivers, on a copy of the kept card."""
        self.ensure()
        folder = self._folder(name)
        shutil.copytree(self.kept / "outside", folder / "outside")
        port = free_port()
        with (
            _alone(self.kept),  # its fleet has ports of its own
            Outside(folder / "outside") as outside,
            made(self.kept / "card.img", folder, board=self.board, forwarded={port: 22}, **more) as machine,
        ):
            machine.power()
            bedside = Bedside(machine, outside, port)
            self.figures["boot_to_delivered_s"] = round(bedside.delivers())
            yield bedside
            self.figures["said_to_devices_bytes"] = len(bedside.said_to_devices)

    def keep(self, bedside: Bedside) -> None:
        """This card and its world are what the other scenes begin with. The machine is off, the world stands still."""
        shutil.rmtree(self.kept, ignore_errors=True)
        self.kept.mkdir(parents=True)
        shutil.copytree(bedside.outside.folder, self.kept / "outside")
        copied(bedside.machine.card, self.kept / "card.img", CARD_BYTES)
        (self.kept / "of").write_text(self.built.digest, encoding="ascii")

    def ids(self) -> dict[str, str]:
        """Who the kept card is (tests/image/ids.py)."""
        return dict(json.loads((self.kept / "ids.json").read_text(encoding="utf-8")))

    def _of(self) -> str:
        file = self.kept / "of"
        return file.read_text(encoding="ascii") if file.exists() else ""

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


@contextmanager
def _alone(kept: Path) -> Iterator[None]:
    with (kept / "of").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def first_card(stage: Stage) -> None:
    """From the flashed card to readings that the centre has opened: set up, enrolled, discovered, delivered."""
    setting = lambda outside: outside.setting(WIFI.format(word=WIFI_WORD))  # noqa: E731
    with stage.fresh("first", setting) as bedside:
        machine = bedside.machine
        machine.power()
        first_s = bedside.delivers(SLOW_S)
        stage.figures |= {"first_delivered_s": round(first_s, 1), "first_delivered_cpu_s": round(machine.spent_s, 1)}
        stage.figures["idle_used_mb"] = _idle_mb(bedside)
        found = ids.of(bedside)
        bedside.ssh("systemctl poweroff")
        machine.off(BOOT_S)
    stage.keep(bedside)
    (stage.kept / "ids.json").write_text(json.dumps(found), encoding="utf-8")


def _idle_mb(bedside: Bedside) -> float:
    """Memory in use, a minute after the device is gone: MemTotal without MemAvailable."""
    said = bedside.asked("sleep 60; cat /proc/meminfo")
    rows = {line.split(":")[0]: int(line.split()[1]) for line in said.splitlines()}
    return round((rows["MemTotal"] - rows["MemAvailable"]) * 1024 / 1e6, 1)
