"""A gateway's slots without a kernel: the real backend, the real card, the firmware played, and power that fails."""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import os
import struct
import sys
from pathlib import Path
from types import ModuleType

from tests.image.firmware import settings

PROGRAM = Path(__file__).parents[2] / "image-build" / "overlay" / "usr" / "lib" / "wardlink" / "slots"
NAMES = {2: "A", 3: "B"}


class PowerCutError(Exception):
    """There is no power from here on."""


@functools.cache
def loaded() -> ModuleType:
    """The program, as a module of its own."""
    loader = importlib.machinery.SourceFileLoader("slots_under_test", str(PROGRAM))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


class Power:
    """Stands where the program finds `os`: after so many writes there is no power."""

    def __init__(self, true: ModuleType) -> None:
        self._true = true
        self.writes = 0
        self.fails_at: int | None = None
        self.places: list[tuple[int, int]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._true, name)

    def open(self, path: Path, flags: int) -> int:
        """Not to wait for the disk each time: what was written is what the next reads."""
        return self._true.open(path, flags & ~self._true.O_SYNC)  # type: ignore[no-any-return]

    def fsync(self, fd: int) -> None:
        assert fd >= 0

    def pwrite(self, fd: int, data: bytes, at: int) -> int:
        if self.writes == self.fails_at:
            raise PowerCutError
        self.writes += 1
        self.places.append((at, len(data)))
        return self._true.pwrite(fd, data, at)  # type: ignore[no-any-return]


class Gateway:
    """`slot` is what runs; `good` are the slots whose system is whole and would pass the health gate."""

    def __init__(self, first_partition: Path) -> None:
        self.folder = first_partition.parent
        self.program = loaded()
        self.program.FW, self.program.TREE, self.program.RUN = first_partition, self.folder, self.folder
        self.power = Power(os)
        self.program.os = self.power
        self.good, self.whole = {"A"}, {"A"}
        self.slot = ""
        self.start()

    def says(self, *words: str) -> str:
        """The backend's words. Raises PowerCutError, SlotsError."""
        return str(self.program.obey(list(words)))

    def start(self, *, flag: bool = False) -> str:
        """Power comes, and the firmware chooses; what `booted` says."""
        chosen = settings(self.program.text(self.program.FW, self.program.AUTOBOOT), flag)
        number = int(chosen["boot_partition"])
        self.slot = NAMES[number]
        (self.folder / "partition").write_bytes(struct.pack(">I", number))
        return self.says("booted")

    def install(self, *, good: bool = True) -> None:
        """As RAUC does: first it says that the slot is bad, then it writes it, then that it is the one to start."""
        target = "B" if self.slot == "A" else "A"
        self.says("set-state", target, "bad")
        self.whole.discard(target)
        self.good.discard(target)
        self.whole.add(target)
        if good:
            self.good.add(target)
        self.says("set-primary", target)

    def reboot(self) -> str:
        """In good order; what `booted` says then."""
        parameter = self.folder / "systemd" / "reboot-param"
        parameter.unlink(missing_ok=True)
        self.says("arm")
        return self.start(flag=parameter.exists() and parameter.read_text() == "0 tryboot")

    def gate(self) -> str:
        """The health gate: what is well is said to be good, what is not starts again."""
        if self.slot in self.good:
            return self.says("set-state", self.slot, "good")
        return self.start()
