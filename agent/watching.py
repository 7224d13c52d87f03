"""What becomes of a setup that was applied: enrolled, and the broker reached; or five minutes later, back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent import again
from agent.enrol.places import CERTIFICATE_FILE
from agent.health import causes, net, status
from agent.setting import RESTART, Machine
from agent.setup import standing
from agent.setup.render import VOUCHER
from config import codes

TICK_S = 5.0
SOON_S = 0.5  # until the voucher is tried: the network comes up in these seconds
ENROL_S = 30.0
ENROL_LIMIT_S = 180.0
CERTIFICATE = f"etc/wardlink/keys/{CERTIFICATE_FILE}"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What came of a voucher; `final`: trying again does not help."""

    problem: str = ""
    hint: str = ""
    final: bool = False


Enrol = Callable[[Path], Enrolled]


class Watch:
    """From `begun`, monotonic ns. `enrol` takes the folder in which voucher.txt lies."""

    def __init__(self, machine: Machine, begun: int, enrol: Enrol | None = None) -> None:
        self._machine = machine
        self._begun = begun
        self._enrol = enrol or by_command
        self._enrol_at = 0
        self._tried = Enrolled()
        self._is_late = False

    @property
    def pause_s(self) -> float:
        """Until the next step."""
        return SOON_S if self._enrol_at == 0 and (self._machine.root / VOUCHER).is_file() else TICK_S

    def step(self, now: int) -> bool:
        """Looks, and does what is due. True once nothing is left to be done."""
        kept = self._machine.kept
        trial = kept.trial()
        voucher = self._machine.root / VOUCHER
        if voucher.is_file() and not self._tried.final and now >= self._enrol_at and self._may_reach(now):
            self._enrol_at = now + int(ENROL_S * 1e9)
            self._take(voucher)
        if trial is None:
            return not voucher.is_file() or self._tried.final
        verdict = standing.verdict((now - self._begun) / 1e9, self._is_connected(), kept.good() is not None)
        if verdict == "good":
            kept.confirm()
            said = standing.read(self._machine.runtime)
            if said is None or said.code not in (codes.WRONG, codes.EMPTY):  # of a file that came since
                self._machine.say("done", trial, "good")
            return not voucher.is_file()
        if verdict == "back":
            self._machine.back(self._cause().what)
            return True
        early = self._tried.final or (verdict == "stay")
        if early and not self._is_late:
            self._is_late = True
            cause = self._cause()
            self._machine.fail(cause.code or codes.UNREACHED, cause.what, cause.next, trial, "trial")
        return False

    def _may_reach(self, now: int) -> bool:
        """Without an address the first attempt is lost, and the next is due in half a minute."""
        found = net.look(self._machine.root)
        return found is None or found.addressed or now - self._begun >= int(ENROL_S * 1e9)

    def _take(self, voucher: Path) -> None:
        self._tried = self._enrol(voucher.parent)
        if not self._tried.problem:
            self._machine.kept.used()
            voucher.unlink()
            self._machine.run(RESTART)

    def _is_connected(self) -> bool:
        now = status.found(self._machine.runtime)
        return now is not None and now.link.connected

    def _is_enrolled(self) -> bool:
        return self._machine.kept.good() is not None or (self._machine.root / CERTIFICATE).exists()

    def _cause(self) -> causes.Cause:
        if self._tried.problem:
            code = codes.VOUCHER if self._tried.final else codes.UNREACHED
            return causes.Cause(code, f"not enrolled: {self._tried.problem}", self._tried.hint)
        now = status.found(self._machine.runtime)
        if now is None:
            meaning = codes.MEANINGS[codes.NO_GATEWAY if self._is_enrolled() else codes.NO_VOUCHER]
            return causes.Cause(meaning.code, meaning.cause, meaning.next)
        found = causes.of(now, 0.0)
        links = [cause for cause in found if codes.NO_NETWORK <= cause.code <= codes.CONTRADICTION]
        return (links or found or [causes.Cause(codes.UNREACHED, "", "")])[0]


def by_command(folder: Path) -> Enrolled:
    """`wardlink enrol`, in a process of its own: certificates cost memory, and this one waits for minutes."""
    words = again.words("enrol", "--json", "--stick", str(folder), "--config", str(folder / "gateway.toml"))
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=ENROL_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Enrolled(f"wardlink enrol: {type(error).__name__}", "it is tried again")
    if done.returncode == 0:
        return Enrolled()
    try:
        said = json.loads(done.stdout)
        return Enrolled(str(said["error"]), str(said["hint"]), bool(said["final"]))
    except (ValueError, KeyError, TypeError):
        lines = [line.removeprefix("error: ") for line in done.stderr.splitlines() if line.startswith("error: ")]
        return Enrolled(lines[0] if lines else f"wardlink enrol ended by {done.returncode}", "it is tried again")
