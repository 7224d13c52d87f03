"""One emulated arm64 machine with the gateway's card in it. Whatever ends its kernel starts the firmware again.

No fw_cfg, no console to log in at, nothing that a Raspberry Pi has not: what a test wants of the guest goes by the
card, the network, the USB socket or the power. One machine at a time on one computer: a lock in the temporary folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

from tests.image import firmware
from tests.image.disk import copied
from tests.image.firmware import FirmwareError, Start

LOCK = Path(tempfile.gettempdir()) / "qemu.lock"
CARD_BYTES = 4 << 30
OUTSIDE = "10.0.2.2"  # this computer, as the guest sees it
BOOTS_LIMIT_COUNT = 100  # of the longest scene
T = TypeVar("T")


class MachineError(AssertionError):
    """It did not do what was waited for; says how its console ended."""


@dataclass(frozen=True, slots=True)
class Board:
    """What differs between emulated boards. `tree`: the device tree on the boot partition; None: QEMU makes it."""

    words: tuple[str, ...]
    disk: tuple[str, ...]
    console: str
    tree: str | None = None
    more_cmdline: str = ""
    network: tuple[str, ...] = ("-device", "virtio-net-device,netdev=n")
    usb: tuple[str, ...] = ("-device", "qemu-xhci,id=usb")
    serials_before: tuple[str, ...] = ()


VIRT = Board(
    ("-M", "virt", "-cpu", "cortex-a53", "-m", "1024", "-smp", "2", "-device", "virtio-rng-device"),
    ("-device", "virtio-blk-device,drive=d"),
    "ttyAMA0",
)
LOUD = "systemd.journald.forward_to_console=1 systemd.journald.max_level_console=info"
WATCHDOG = ("-device", "i6300esb", "-action", "watchdog=reset")
# QEMU resets a raspi3b as soon as its watchdog is armed: so systemd is told not to.
PI3 = Board(
    ("-M", "raspi3b", "-d", "unimp"),
    (),
    "ttyS1,115200",
    tree="bcm2837-rpi-3-b.dtb",
    more_cmdline="systemd.watchdog_sec=0",
    network=("-device", "usb-net,netdev=n"),
    usb=(),
    serials_before=("-serial", "null"),
)


@dataclass
class Machine:
    """`boots` has one Start for each time the firmware chose; `card` is the raw file of the card."""

    card: Path
    folder: Path
    board: Board = VIRT
    forwarded: dict[int, int] = field(default_factory=dict)  # a port here: a port there
    # UDP ports of this computer: (frames from the guest, to it); then nothing else is there.
    wire: tuple[int, int] | None = None
    boots: list[Start] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _lock: IO[str] | None = None
    _seen: int = 0
    _begun: int = 0

    @property
    def console(self) -> str:
        """All that was said since the machine was made."""
        path = self.folder / "console.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    @property
    def socket(self) -> Path:
        """The far end of the USB serial adapter's cable."""
        return self.folder / "serial.sock"

    @property
    def is_on(self) -> bool:
        return self._process is not None

    @property
    def spent_s(self) -> float:
        """Seconds of processor since the power came: what the emulation costs, whatever else this computer does."""
        assert self._process is not None
        words = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")  # proc(5): utime, stime

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def power(self, *, is_tryboot: bool = False) -> Start:
        """Plug it in: the firmware chooses, the kernel starts. Raises FirmwareError."""
        assert self._process is None
        if len(self.boots) >= BOOTS_LIMIT_COUNT:
            raise MachineError("it starts again and again")
        if self._lock is None:
            self._lock = LOCK.open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        start = firmware.choose(self.card, is_tryboot, self.folder)
        self.boots.append(start)
        self._begun = len(self.console)
        words = self._words(start, self._tree(start))
        said = (self.folder / "qemu.log").open("ab")
        self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        said.close()
        return start

    def cut(self) -> None:
        """The plug is pulled."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def off(self, limit_s: float) -> None:
        """Until it has switched itself off. Raises MachineError."""
        assert self._process is not None
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"it is still on after {limit_s:.0f} s") from error
        self.cut()

    def wait(self, pattern: str, limit_s: float) -> re.Match[str]:
        """The next place in the console where this is said, through however many starts. Raises MachineError."""
        return self.until(lambda: self._next(pattern), limit_s, pattern)

    def until(self, look: Callable[[], T | None], limit_s: float, what: str = "it") -> T:
        """Until `look` finds something. Whenever the guest has reset itself, the firmware starts it again."""
        pace, end = threading.Event(), time.monotonic() + limit_s
        while time.monotonic() < end:
            if (found := look()) not in (None, False):
                return found
            self.go_on()
            pace.wait(0.1)
        raise MachineError(f"{what}: not in {limit_s:.0f} s\n" + "\n".join(self.console.splitlines()[-40:]))

    def go_on(self) -> bool:
        """Start it again if it has ended by itself; True if it did."""
        if self._process is None or self._process.poll() is None:
            return False
        self._process = None
        flag = firmware.next_flag(self.console[self._begun :])
        if flag is None:
            raise MachineError("it has switched itself off")
        try:
            self.power(is_tryboot=flag)
        except FirmwareError as error:
            raise MachineError(f"the firmware starts nothing: {error}") from error
        return True

    def restarted(self, limit_s: float) -> Start:
        """Wait until it has ended by itself and was started again."""
        count = len(self.boots)
        self.until(lambda: len(self.boots) > count, limit_s, "a restart")
        return self.boots[-1]

    def ask(self, command: str, **arguments: Any) -> Any:
        """A command of QEMU's own (QMP): `device_del`, `stop`, `system_reset`."""
        with self._control() as file:
            file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            file.flush()
            answer = next(one for one in map(json.loads, file) if "event" not in one)
        if "error" in answer:
            raise MachineError(f"{command}: {answer['error']['desc']}")
        return answer["return"]

    def written_bytes(self) -> int:
        """To the card, since the power came."""
        (one,) = (row for row in self.ask("query-blockstats") if row.get("device") == "d")
        return int(one["stats"]["wr_bytes"])

    @contextmanager
    def hear(self) -> Iterator[list[str]]:
        """The names of QEMU's events until this machine's process ends; nothing can be asked meanwhile."""
        heard: list[str] = []
        with self._control() as file:
            listener = threading.Thread(
                target=lambda: heard.extend(one["event"] for one in map(json.loads, file) if "event" in one),
                daemon=True,
            )
            listener.start()
            yield heard
            listener.join(5)

    @contextmanager
    def _control(self) -> Iterator[IO[str]]:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.folder / "qmp.sock"))
            with line.makefile("rw") as file:
                file.write(json.dumps({"execute": "qmp_capabilities"}) + "\n")
                file.flush()
                next(one for one in map(json.loads, file) if "return" in one)
                yield file

    def _next(self, pattern: str) -> re.Match[str] | None:
        found = re.compile(pattern, re.MULTILINE).search(self.console, self._seen)
        if found:
            self._seen = found.end()
        return found

    def _tree(self, start: Start) -> Path:
        tree = self.folder / "board.dtb"
        if self.board.tree is not None:
            data = firmware.fat(self.card, start.partition).read(self.board.tree)
            if data is None:
                raise FirmwareError(f"partition {start.partition} has no {self.board.tree}")
            tree.write_bytes(data)
        else:
            words = [_qemu(), *self.board.words, "-nic", "none", "-display", "none"]
            words[words.index("virt")] = f"virt,dumpdtb={tree}"
            subprocess.run(words, check=True, capture_output=True)
        firmware.tell_kernel(tree, start)
        return tree

    def _network(self, forwards: str) -> tuple[str, ...]:
        if self.wire is None:
            return ("-netdev", f"user,id=n{forwards}")
        here, there = self.wire  # a hub: the guest, a network that leads nowhere, and whoever speaks on the wire
        return (
            *("-netdev", f"user,id=u,restrict=on{forwards}", "-netdev", "hubport,id=hu,hubid=0,netdev=u"),
            *("-netdev", f"socket,id=w,udp=127.0.0.1:{here},localaddr=127.0.0.1:{there}"),
            *("-netdev", "hubport,id=hw,hubid=0,netdev=w", "-netdev", "hubport,id=n,hubid=0"),
        )

    def _words(self, start: Start, tree: Path) -> list[str]:
        board = self.board
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{here}-:{there}" for here, there in self.forwarded.items())
        kind = "sd" if not board.disk else "none"
        cmdline = f"{start.cmdline} {board.more_cmdline} console={board.console}"
        return [
            *(_qemu(), *board.words, "-nographic", "-no-reboot", "-monitor", "none"),
            *("-kernel", str(start.kernel), "-dtb", str(tree), "-append", " ".join(cmdline.split())),
            *(("-initrd", str(start.initramfs)) if start.initramfs else ()),
            *("-drive", f"if={kind},id=d,file={self.card},format=raw,cache=writeback", *board.disk),
            *(*self._network(forwards), *board.network),
            *("-chardev", f"file,id=c,path={self.folder / 'console.log'},append=on"),
            *(*board.serials_before, "-serial", "chardev:c"),
            *("-qmp", f"unix:{self.folder / 'qmp.sock'},server=on,wait=off"),
            *("-chardev", f"socket,id=s,path={self.socket},server=on,wait=off"),
            *(*board.usb, "-device", "usb-serial,chardev=s"),
            *(WATCHDOG if board.tree is None else ()),
        ]


def _qemu() -> str:
    found = shutil.which("qemu-system-aarch64")
    if found is None:
        raise MachineError("qemu-system-aarch64 is not installed: apt-get install qemu-system-arm")
    return found


def made(image: Path, folder: Path, **more: Any) -> Machine:
    """A machine with a fresh card of this image; what it leaves lies in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("console.log", "serial.sock", "qmp.sock"):
        (folder / name).unlink(missing_ok=True)
    return Machine(copied(image, folder / "card.img", CARD_BYTES), folder, **more)
