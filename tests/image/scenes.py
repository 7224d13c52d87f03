"""What an image must do, each thing on a card of its own: `python -m tests.image` plays these."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.image.device import Device
from tests.image.disk import fat, partitions
from tests.image.machine import OUTSIDE, VIRT, Board, Machine, made
from tests.image.outside import Outside
from tests.image.ranges import Ranges
from tests.image.variants import BROKEN, Built
from tests.system.broker_rig import free_port

STORY = "nellcor_n560/bedside"
BOOT_S, SLOW_S, TRIAL_S = 600.0, 900.0, 1800.0
CANARY = b"canary-4711-of-a-patient"
NEW = {"opt/wardlink/lib/agent/update/__init__.py": b'"""Updates: another version of these words."""\n'}


@dataclass
class Stage:
    """`figures` go into the line of evidence."""

    built: Built
    folder: Path
    outside: Outside
    server: Ranges
    figures: dict[str, object] = field(default_factory=dict)
    enrolled: Path | None = None
    board: Board = VIRT

    def bundle(self, name: str) -> Path:
        files, version = {"new": (NEW, "0.1.1"), "broken": (BROKEN, "0.1.2"), "old": (NEW, "0.0.1")}[name]
        return self.built.bundle(version, files, name)

    def url(self, name: str) -> str:
        return f"http://{OUTSIDE}:{self.server.port}/{name}.raucb"


@contextmanager
def enrolled(stage: Stage, name: str) -> Iterator[tuple[Machine, int]]:
    """A gateway that is enrolled and delivers, on a card of its own; the first time that takes a first boot."""
    port = free_port()
    if stage.enrolled is None:
        stage.enrolled = first_card(stage)
    with made(stage.enrolled, stage.folder / name, board=stage.board, forwarded={port: 22}) as machine:
        machine.power()
        delivers(stage, machine)
        yield machine, port


def first_card(stage: Stage) -> Path:
    with made(stage.built.image, stage.folder / "first", board=stage.board) as machine:
        fat(machine.card, 1).write("wardlink.txt", stage.outside.setting())
        machine.power()
        machine.until(lambda: any(one != 0 for one in stage.outside.gateways()), BOOT_S, "an enrolled gateway")
        delivers(stage, machine)
        machine.ask("system_powerdown")
        machine.cut()
    return machine.card


def delivers(stage: Stage, machine: Machine, limit_s: float = SLOW_S) -> None:
    """A device is plugged in outside, read there, delivered, opened by the centre."""
    before = stage.outside.readings()
    device = Device(machine.socket, STORY)
    try:
        machine.until(lambda: stage.outside.readings() > before + 2, limit_s, "readings at the centre")
    finally:
        device.off()


def first_boot(stage: Stage) -> None:
    """From the flashed card to a reading that the centre has opened: set up, enrolled, discovered, delivered."""
    stage.enrolled = first_card(stage)


def watchdog(stage: Stage) -> None:
    """A system whose kernel stands still is started again by the watchdog's hardware."""
    with enrolled(stage, "watchdog") as (machine, port):
        stage.outside.ssh(port, "echo 1 > /proc/sys/kernel/sysrq; nohup sh -c 'sleep 1; kill -STOP 1; kill -9 -1' &")
        machine.restarted(SLOW_S)
        delivers(stage, machine)


def good_update(stage: Stage) -> None:
    """Streamed, tried, committed; and it is what starts from then on."""
    with enrolled(stage, "good") as (machine, port):
        stage.bundle("new")
        stage.server.sent_bytes = 0
        done = stage.outside.ssh(port, "wardlink", "update", "--urgent", stage.url("new"))
        stage.figures["update_fetched_bytes"] = stage.server.sent_bytes
        assert "is installed" in done.stdout, done.stdout + done.stderr
        start = machine.restarted(SLOW_S)
        assert (start.partition, start.is_tryboot) == (3, True)
        machine.wait("B runs, on trial", BOOT_S)
        delivers(stage, machine)
        machine.wait("the new system is well", TRIAL_S)
        machine.until(lambda: committed(machine) == 3, SLOW_S, "the commit")
        machine.cut()
        assert machine.power().partition == 3
        machine.wait("B runs", BOOT_S)


def bad_update(stage: Stage) -> None:
    """A version that cannot read a device is tried once, and is gone by itself."""
    with enrolled(stage, "bad") as (machine, port):
        stage.bundle("broken")
        done = stage.outside.ssh(port, "wardlink", "update", "--urgent", stage.url("broken"))
        assert "is installed" in done.stdout, done.stdout + done.stderr
        assert machine.restarted(SLOW_S).partition == 3
        machine.wait("the new system is not well", TRIAL_S)
        assert machine.restarted(SLOW_S).partition == 2
        machine.wait("the trial of B failed: A runs again", BOOT_S)
        delivers(stage, machine)


def refused(stage: Stage) -> None:
    """Somebody else's signature, and a version below this one: refused, and nothing is written to the other slot."""
    with enrolled(stage, "refused") as (_, port):
        for name, words in (("rogue", "signature verification failed"), ("old", "older than")):
            if name == "rogue":
                stage.built.signed_by_another("0.1.1", "new")
            else:
                stage.bundle("old")
            done = stage.outside.ssh(port, "wardlink", "update", "--urgent", stage.url(name))
            assert done.returncode == 1, done.stdout
            assert words in done.stderr, done.stderr
        assert stage.outside.ssh(port, "/usr/lib/wardlink/slots get-primary").stdout.strip() == "A"


def cuts(stage: Stage) -> None:
    """The power fails at random instants of an update; each time a system starts that delivers."""
    chance = random.Random(1)
    count = int(stage.figures.get("cuts", 20))
    stage.bundle("new")
    landed: list[int] = []
    with enrolled(stage, "cuts") as (machine, port):
        for _ in range(count):
            stage.outside.ssh(port, f"systemd-run --collect wardlink update --urgent {stage.url('new')}")
            waited = chance.uniform(1, 120)
            began = len(machine.boots)
            try:
                machine.until(lambda since=began: len(machine.boots) > since + 1, waited, "two restarts")
            except AssertionError:
                machine.cut()
            landed.append(machine.power().partition if machine.boots and not machine.is_on else 0)
            delivers(stage, machine)
    stage.figures["cut_boots"] = len(landed)


def stolen(stage: Stage) -> None:
    """A card that is read elsewhere has nothing of a patient, of the keys, or of who is near in the clear."""
    with enrolled(stage, "stolen") as (machine, port):
        stage.outside.ssh(port, f"echo {CANARY.decode()} > /var/lib/wardlink/canary; sync")
        machine.cut()
        for part in partitions(machine.card).values():
            assert not found(machine.card, part.at, part.size, CANARY), part.name
            assert not found(machine.card, part.at, part.size, b"-----BEGIN PRIVATE KEY-----"), part.name


def factory(stage: Stage) -> None:
    """A second card of the same image knows nothing of the first, and nobody can log in without a key."""
    with made(
        stage.built.image, stage.folder / "factory", board=stage.board, forwarded={(port := free_port()): 22}
    ) as machine:
        machine.power()
        machine.wait("A runs", BOOT_S)
        machine.until(lambda: "data" in {one.name for one in partitions(machine.card).values()}, BOOT_S, "data")
        assert stage.outside.ssh(port, "true").returncode != 0


def committed(machine: Machine) -> int:
    from tests.image.firmware import settings

    text = (fat(machine.card, 1).read("autoboot.txt") or b"").decode("ascii", "replace")
    return int(settings(text, False).get("boot_partition", "0"))


def found(path: Path, at: int, size: int, wanted: bytes) -> bool:
    step = 16 << 20
    with path.open("rb") as file:
        return any(
            wanted in (file.seek(start), file.read(step + len(wanted)))[1] for start in range(at, at + size, step)
        )


SCENES: dict[str, Callable[[Stage], None]] = {
    one.__name__: one for one in (first_boot, factory, refused, good_update, bad_update, watchdog, stolen, cuts)
}
