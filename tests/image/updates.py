"""What an update of the image must do: come through, roll back, be refused, cost little, and outlast any power cut."""

from __future__ import annotations

import hashlib
import random
import time
from collections import Counter
from pathlib import Path

from tests.image.disk import fat, partitions
from tests.image.firmware import settings
from tests.image.machine import Machine
from tests.image.stage import BOOT_S, SLOW_S, TRIAL_S, Bedside, Stage
from tests.image.variants import NEXT

OTHER = {2: 3, 3: 2}
PACKAGES = ("libexpat1=2.8.3-1~deb13u1", "libssl3t64=3.5.7-1~deb13u2")
SMALL_BYTES = 3_000_000  # what a release that changes Python alone may cost
WRITING_BYTES = 4 << 20
PHASES = ("fetch", "write", "restart", "trial", "commit")


def good_update(stage: Stage) -> None:
    """Streamed, tried, committed; and it is what starts from then on."""
    file = stage.built.next()
    with stage.enrolled("good") as bedside:
        machine = bedside.machine
        stage.figures |= _installed(stage, bedside, file, "next")
        start = machine.restarted(SLOW_S)
        assert (start.partition, start.is_tryboot) == (3, True)
        machine.wait("B runs, on trial", BOOT_S)
        bedside.delivers()
        machine.wait("the new system is well", TRIAL_S)
        machine.until(lambda: committed(machine) == 3, SLOW_S, "the commit")
        assert bedside.asked("cat /usr/lib/wardlink-image") == NEXT
        machine.cut()
        assert machine.power().partition == 3
        machine.wait("B runs$", BOOT_S)
        bedside.delivers()


def bad_update(stage: Stage) -> None:
    """A version whose gateway does not start is tried once, and is gone by itself."""
    file = stage.built.broken()
    with stage.enrolled("bad") as bedside:
        machine = bedside.machine
        _installed(stage, bedside, file, "broken")
        assert machine.restarted(SLOW_S).partition == 3
        began = time.monotonic()
        machine.wait("the new system is not well", TRIAL_S)
        assert machine.restarted(SLOW_S).partition == 2
        machine.wait("the trial of B failed: A runs again", BOOT_S)
        bedside.delivers()
        stage.figures["back_after_s"] = round(time.monotonic() - began)
        assert committed(machine) == 2
        assert bedside.asked("/usr/lib/wardlink/slots get-primary") == "A"


def refused(stage: Stage) -> None:
    """Another's signature, an older version, one below a command's floor: refused, and nothing is written."""
    with stage.enrolled("refused") as bedside:
        before = _untouched(bedside.machine)
        rogue, old = stage.built.signed_by_another(), stage.built.same("0.0.1")
        for file, more, words in (
            (rogue, "", "signature verification failed"),
            (old, "", "older than"),
            (old, "--older", "Version mismatch"),
        ):
            done = bedside.ssh("wardlink", "update", "--urgent", *more.split(), stage.url(file))
            assert done.returncode == 1, done.stdout
            assert any(word in done.stderr for word in words.split("|")), done.stderr
        _below_the_floor(stage, bedside)
        assert _untouched(bedside.machine) == before, "something was written"
        assert bedside.asked("/usr/lib/wardlink/slots get-primary") == "A"


def _below_the_floor(stage: Stage, bedside: Bedside) -> None:
    """The centre commands a floor, and then a version below it; the same by hand, with --older."""
    file = stage.built.same("0.1.0")
    (gateway,) = bedside.outside.gateways()
    digest = bedside.outside.own("update", "--digest", str(file)).strip()
    bedside.outside.own(
        "centre", "command", gateway, "update", "0.1.0", stage.url(file), digest, "0.2", "--config",
        str(bedside.outside.folder / "centre.toml"),
    )  # fmt: skip
    said = "journalctl -u wardlink-update --no-pager -o cat"
    bedside.machine.until(lambda: "below the floor" in bedside.ssh(said).stdout, SLOW_S, "a refusal")
    assert bedside.asked("cat /var/lib/wardlink-update/floor") == "0.2"
    done = bedside.ssh("wardlink", "update", "--urgent", "--older", stage.url(file))
    assert done.returncode == 1, done.stdout
    assert "below the floor 0.2" in done.stderr, done.stderr


def size(stage: Stage) -> None:
    """What an update moves: of what runs already, of a release with one Python file changed, of one Debian package."""
    with stage.enrolled("size") as bedside:
        _installed(stage, bedside, stage.built.same(), "same", "--no-restart")
        _installed(stage, bedside, stage.built.next(), "next", "--no-restart")
        for package in PACKAGES:
            file, size_bytes = stage.built.with_package(package)
            name = package.partition("=")[0]
            stage.figures[f"{name}_deb_bytes"] = size_bytes
            _installed(stage, bedside, file, name, "--no-restart")
    cost = int(str(stage.figures["next_fetched_bytes"]))
    assert cost <= SMALL_BYTES, f"a release with one Python file changed costs {cost} bytes"


def cuts(stage: Stage) -> None:
    """The power fails in each phase of an update in turn, at a random instant; what starts then delivers."""
    chance, hit = random.Random(1), Counter[str]()
    file = stage.built.next()
    with stage.enrolled("cuts") as bedside:
        machine = bedside.machine
        for number in range(int(str(stage.figures["cuts"]))):
            runs, written = machine.boots[-1].partition, machine.written_bytes()
            _await(stage, bedside, file, PHASES[number % len(PHASES)], chance)
            phase = _phase(machine, runs, machine.written_bytes() - written)
            machine.cut()
            hit[phase] += 1
            stage.figures["hit"] = dict(sorted(hit.items()))
            machine.power()
            bedside.delivers()
            _settled(bedside)
        runs = machine.boots[-1].partition
        _installed(stage, bedside, file, "last")
        assert machine.restarted(SLOW_S).partition == OTHER[runs]
        bedside.delivers()
        machine.until(lambda: committed(machine) == OTHER[runs], TRIAL_S, "the commit")
        assert bedside.asked("cat /usr/lib/wardlink-image") == NEXT


def _await(stage: Stage, bedside: Bedside, file: Path, phase: str, chance: random.Random) -> None:
    """An update was begun and has come to this phase; then a random while."""
    machine, runs = bedside.machine, bedside.machine.boots[-1].partition
    asked, written = len(stage.server.asked), machine.written_bytes()
    bedside.asked(f"systemd-run --collect --unit=cut wardlink update --urgent {stage.url(file)}")
    match phase:
        case "fetch":
            machine.until(lambda: len(stage.server.asked) > asked, SLOW_S, "a request")
            _while(machine, chance.uniform(0, 10))
        case "write":
            machine.until(lambda: machine.written_bytes() > written + WRITING_BYTES, SLOW_S, "writing")
            _while(machine, chance.uniform(0, 60))
        case "restart":
            machine.until(lambda: _state(machine).get("TRIAL"), SLOW_S, "an installed system")
            _while(machine, chance.uniform(0, 20))
        case "trial":
            assert machine.restarted(SLOW_S).partition == OTHER[runs]
            _while(machine, chance.uniform(0, 60))
        case "commit":
            assert machine.restarted(SLOW_S).partition == OTHER[runs]
            bedside.delivers()
            machine.wait("the new system is well", TRIAL_S)
            _while(machine, chance.uniform(0, 3))


def _while(machine: Machine, seconds: float) -> None:
    end = time.monotonic() + seconds
    machine.until(lambda: time.monotonic() >= end, seconds + 1)


def _phase(machine: Machine, runs: int, written: int) -> str:
    """What the card says of how far it has come; `runs` was the system before the update began."""
    state = _state(machine)
    if committed(machine) != runs:
        return "committed"
    if state.get("TRIED") == "1":
        return "trial" if machine.boots[-1].partition != runs else "handed over"
    return "written" if state.get("TRIAL") else "write" if written > WRITING_BYTES else "fetch"


def _settled(bedside: Bedside) -> None:
    """Nothing is on trial any more: what started after the cut has said that it is well, or was never on trial."""
    machine = bedside.machine
    machine.until(lambda: _state(machine).get("TRIED") != "1", TRIAL_S, "the end of the trial")
    machine.until(lambda: bedside.ssh("true").returncode == 0, SLOW_S, "ssh")


def _installed(stage: Stage, bedside: Bedside, file: Path, name: str, *words: str) -> dict[str, object]:
    """Over HTTP; what came of it, in bytes of bodies and with the headers. Raises AssertionError."""
    server = stage.server
    before = (server.sent_bytes, server.headers_bytes, len(server.asked))
    began = time.monotonic()
    done = bedside.ssh("wardlink", "update", "--urgent", *words, stage.url(file))
    assert "is installed" in done.stdout, done.stdout + done.stderr
    figures: dict[str, object] = {
        f"{name}_fetched_bytes": server.sent_bytes - before[0],
        f"{name}_headers_bytes": server.headers_bytes - before[1],
        f"{name}_requests": len(server.asked) - before[2],
        f"{name}_seconds": round(time.monotonic() - began),
    }
    stage.figures |= figures
    return figures


def _untouched(machine: Machine) -> tuple[str, ...]:
    """The other slot and what says which slot starts, as they lie on the card."""
    parts = partitions(machine.card)
    sums = [hashlib.sha256() for _ in (3, 5)]
    with machine.card.open("rb") as card:
        for one, number in zip(sums, (3, 5), strict=True):
            card.seek(parts[number].at)
            one.update(card.read(parts[number].size))
    first = fat(machine.card, 1)
    return (*(one.hexdigest() for one in sums), *(str(first.read(name)) for name in ("autoboot.txt", "wl-state")))


def _state(machine: Machine) -> dict[str, str]:
    text = (fat(machine.card, 1).read("wl-state") or b"").decode("ascii", "replace")
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def committed(machine: Machine) -> int:
    """Which boot partition the firmware starts by itself."""
    text = (fat(machine.card, 1).read("autoboot.txt") or b"").decode("ascii", "replace")
    return int(settings(text, False).get("boot_partition", "0"))
