"""The setup on this machine: reads the boot partition, judges, keeps, renders, takes the secrets away; and goes back.

In this order, so that a power cut at any moment leaves the old or the new: what is wanted is durable first, then the
files that the machine's programs read, each whole, and only then the secrets leave the boot partition.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from agent import clock, durable
from agent.applying import Owned
from agent.health import notify
from agent.setup import preseed
from agent.setup.blank import blanked
from agent.setup.kept import FOLDER, Kept, digest
from agent.setup.preseed import Raw
from agent.setup.read import SetupError
from agent.setup.render import GATEWAY, HOSTNAME, Made, rendered
from agent.setup.standing import STANDING_FILE, Standing, pack
from agent.setup.terms import (
    PRESEED_FILE,
    SECRET_FILES,
    SETUP_FILE,
    TEXT_LIMIT_BYTES,
    Fault,
    Whole,
)
from config import codes

PROGRAM_LIMIT_S = 60.0
RESTART = ("systemctl", "restart", "wardlink")
Do = Callable[[Sequence[str]], str]  # runs a program; "" if it went well, else what it said


@dataclass(frozen=True, slots=True)
class Machine:
    """Where things are, and who runs the machine's programs: nobody, where the root is not the machine's own."""

    root: Path = Path("/")
    boot: Path = Path("/boot/firmware")
    do: Do | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def kept(self) -> Kept:
        return Kept(self.root / FOLDER, _place)

    @property
    def runtime(self) -> Path:
        return self.root / "run/wardlink"

    def apply(self) -> Standing:
        """What lies on the boot partition, from now on. What is wrong is in the standing, never raised but OSError."""
        from agent.judging import judged  # noqa: PLC0415  drivers: `watch` only goes back

        kept = self.kept
        good, trial, refused = kept.good(), kept.trial(), kept.refused()
        try:
            whole = judged(self._text(), self.boot, self._preseed(), kept.newest())
        except SetupError as error:
            if trial is None and good is None and self._is_by_hand():
                return self._say(Standing("done"), None, "hand")
            return self._wrong(error.faults, trial or good, "trial" if trial else "good")
        mark = digest(whole)
        if good is not None and mark == digest(good) and trial is None:
            kept.forget()
            self._write(whole)
            self._take_secrets(whole)
            return self.say("done", whole, "good")
        if refused is not None and mark == digest(refused) and good is not None:
            self._write(good)
            self._take_secrets(whole)
            return self.fail(codes.ROLLED_BACK, "", "", good, "good")
        if trial is None or mark != digest(trial):
            kept.begin(whole)
        self._write(whole)
        self._take_secrets(whole)
        return self.say("busy", whole, "trial")

    def back(self, cause: str) -> Standing:
        """The last good one is in force again, and the machine's programs know it."""
        kept = self.kept
        kept.refuse()
        good = kept.good()
        assert good is not None
        self._write(good)
        for words in (("nmcli", "connection", "reload"), *_ups(good), ("chronyc", "reload", "sources"), RESTART):
            self.run(words)
        return self.fail(codes.ROLLED_BACK, cause, "", good, "good")

    def _is_by_hand(self) -> bool:
        """Somebody wrote gateway.toml, and there never was a wardlink.txt: so it is on a Debian of one's own."""
        return (self.root / GATEWAY).is_file() and not (self.boot / SETUP_FILE).exists()

    def _text(self) -> bytes:
        try:
            with (self.boot / SETUP_FILE).open("rb") as file:
                return file.read(TEXT_LIMIT_BYTES + 1)
        except FileNotFoundError as error:
            raise SetupError([Fault(0, f"there is no {SETUP_FILE}", "copy it there and fill it in")]) from error

    def _preseed(self) -> Raw:
        """Imager's file is read once: it holds passwords. What it said is kept."""
        file = self.boot / PRESEED_FILE
        if file.is_file():
            taken, ignored = preseed.read(file.read_bytes()[:TEXT_LIMIT_BYTES])
            self.kept.remember(taken)
            self._remove(file)
            left = f"; ignored: {', '.join(sorted(ignored))}" if ignored else ""
            self.notes.append(f"{PRESEED_FILE} was read and removed{left}")
        return self.kept.preseed()

    def _wrong(self, faults: list[Fault], before: Whole | None, inforce: Literal["trial", "good"]) -> Standing:
        """The machine goes on with what it had."""
        if before is not None:
            self._write(before)
        empty = all(fault.words.endswith("not filled in") or fault.words.startswith("there is no") for fault in faults)
        first = faults[0]
        cause = f"{SETUP_FILE}:{first.line}: {first.words}" if first.line else first.words
        code = codes.EMPTY if empty else codes.WRONG
        return self.fail(code, cause, first.hint, before, inforce if before else "none")

    def _write(self, whole: Whole) -> None:
        for made in rendered(whole):
            self._write_one(made)
        self.run(("hostname", "-F", str(self.root / HOSTNAME)))
        country = whole.setup.wifi.country if whole.setup.wifi else ""
        if country:
            self.run(("iw", "reg", "set", country))

    def _write_one(self, made: Made) -> None:
        file = self.root / made.path
        if made.data is None:
            file.unlink(missing_ok=True)
            return
        if file.is_file() and file.read_bytes() == made.data:
            return
        _place(file, made.data)
        file.chmod(made.mode)
        if made.mode & 0o004:
            file.parent.chmod(0o755)

    def _take_secrets(self, whole: Whole) -> None:
        """They are durable here by now."""
        file = self.boot / SETUP_FILE
        data, places = blanked(file.read_bytes())
        wifi = whole.setup.wifi
        names = [getattr(wifi, place.partition(".")[2]) for place in SECRET_FILES] if wifi else []
        there = [self.boot / name for name in names if name and (self.boot / name).is_file()]
        if not places and not there:
            return
        try:
            self._writable(True)
            if places:
                replace_over(file, data)
            for one in there:
                self._remove(one)
            self.notes.append(
                f"taken over, and out of {SETUP_FILE}: {', '.join([*places, *(one.name for one in there)])}"
            )
        except OSError as error:
            self.notes.append(f"secrets are still on the boot partition: {error.strerror}")
        finally:
            self._writable(False)

    def _remove(self, file: Path) -> None:
        try:
            self._writable(True)
            with file.open("r+b") as out:
                out.write(bytes(file.stat().st_size))
                out.flush()
                os.fsync(out.fileno())
            file.unlink()
        except OSError as error:
            self.notes.append(f"{file.name} is still on the boot partition: {error.strerror}")
        finally:
            self._writable(False)

    def _writable(self, is_writable: bool) -> None:
        if self.boot.is_mount():
            self.run(("mount", "-o", f"remount,{'rw' if is_writable else 'ro'}", str(self.boot)))

    def run(self, words: Sequence[str]) -> None:
        do = self.do or (program if self.root == Path("/") else nobody)
        said = do(words)
        if said:
            self.notes.append(f"{' '.join(words)}: {said}")

    def fail(
        self, code: int, cause: str, step: str, whole: Whole | None, inforce: Literal["none", "trial", "good"]
    ) -> Standing:
        meaning = codes.MEANINGS[code]
        return self._say(Standing("failed", code, cause or meaning.cause, step or meaning.next), whole, inforce)

    def say(self, state: Literal["busy", "done"], whole: Whole, inforce: Literal["trial", "good"]) -> Standing:
        return self._say(Standing(state), whole, inforce)

    def _say(self, said: Standing, whole: Whole | None, inforce: Literal["none", "hand", "trial", "good"]) -> Standing:
        setup = whole.setup if whole else None
        full = msgspec.structs.replace(
            said,
            language=setup.language if setup else "",
            inforce=inforce,
            since_ns=clock.now(),
            notes=list(self.notes),
        )
        self.runtime.mkdir(mode=0o755, parents=True, exist_ok=True)
        file = self.runtime / STANDING_FILE
        notify.replace(file, pack(full))
        if os.geteuid() == 0:
            os.chown(file, -1, self.runtime.stat().st_gid)  # the page's process is of that group, and is not root
        file.chmod(0o640)
        return full


def replace_over(file: Path, data: bytes) -> None:
    """Whole or not at all; and what the file held is overwritten where it lay, for whoever looks at the raw card."""
    with file.open("r+b") as old:
        size = os.fstat(old.fileno()).st_size
        _place(file, data)
        old.write(bytes(size))
        old.flush()
        os.fsync(old.fileno())


def _place(file: Path, data: bytes) -> None:
    durable.place(Owned(), file, data)


def _ups(whole: Whole) -> list[tuple[str, ...]]:
    setup = whole.setup
    there = {"ethernet": True, "wifi": setup.wifi is not None, "mobile": setup.mobile is not None}
    return [("nmcli", "--wait", "0", "connection", "up", f"wardlink-{way}") for way in setup.order if there[way]]


def nobody(_words: Sequence[str]) -> str:
    """For a root that is a folder of this machine, and not the machine."""
    return ""


def program(words: Sequence[str]) -> str:
    """Runs one of the machine's own; what went wrong, in a line, or ""."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=PROGRAM_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return error.strerror or str(error) if isinstance(error, OSError) else "it did not end"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
