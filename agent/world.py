"""What a gateway asks of the machine it runs on, as callables it is given: a simulation gives it a world of its own."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agent import clock, memory, sources
from agent.bed_doors import Doors
from agent.health import notify
from agent.ports.line import Cable, open_line
from agent.ports.plugs import Bell, Plug, Plugs
from agent.spool.files import Disk, Files
from agent.spool.terms import Limits
from agent.uplink.link import Link
from agent.uplink.uplink import Dial
from discipline.machine import Found
from drivers import registry
from drivers.contract import Driver, Serial
from wire import seal
from wire.records import Anchor

if TYPE_CHECKING:
    from agent.ports.radio.air import Air


def spool_thread() -> Executor:
    """One thread: what the spool is asked is done in order."""
    return ThreadPoolExecutor(1, thread_name_prefix="spool")


def bluez() -> Air:
    """The real stack, loaded where it is needed: it takes some MiB."""
    try:
        from agent.ports.radio.bluez import BluezAir  # noqa: PLC0415
    except ImportError as error:
        from agent.ports.radio.air import NoAir  # noqa: PLC0415

        return NoAir(f"bleak is not installed: {error}")
    return BluezAir()


def disk_bytes(folder: Path) -> int | None:
    """What the disk of `folder` has left for us; None where it does not say."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


@dataclass(frozen=True, slots=True)
class World:
    """The defaults are the real machine. `now` is monotonic nanoseconds."""

    now: Callable[[], int] = clock.now
    unix_us: Callable[[], int] = clock.unix_us
    boot: Callable[[], bytes] = clock.boot_id
    anchor: Callable[[int], Anchor | None] = clock.anchor
    look: Callable[[], Found] = clock.look
    rtc: Callable[[], int | None] = sources.rtc_us
    fix: Callable[[], Anchor | None] = sources.fix
    uniform: Callable[[float, float], float] = random.uniform
    entropy: Callable[[int], bytes] = os.urandom
    secret: Callable[[int], bytearray] = seal.fresh  # data keys: wiped after use
    driver: Callable[[str], type[Driver]] = registry.driver
    plugged: Callable[[], tuple[Plug, ...]] = field(default_factory=Plugs)
    bell: Callable[[Callable[[], None]], Bell] = Bell
    open_line: Callable[[str, Serial], Cable] = open_line
    air: Callable[[], Air] = bluez
    dial: Dial = Link
    doors: type[Doors] = Doors
    files: Callable[[], Files] = Disk
    room: Callable[[Path], int | None] = disk_bytes
    limits: Callable[[], Limits] = Limits
    thread: Callable[[], Executor] = spool_thread
    config_file: str = ""  # what a child process of ours is told to read; "": there are no children
    ready: Callable[[str], None] = notify.ready
    progress: Callable[[str], None] = notify.progress
    settle: Callable[[], None] = memory.settle
