"""What an image must do, each thing on a card of its own: `python -m tests.image` plays these."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.image import ids, luks
from tests.image.disk import fat, partitions
from tests.image.machine import Machine
from tests.image.scan import Stranger
from tests.image.stage import BOOT_S, ENOUGH_COUNT, FIRMWARE, SLOW_S, STORY, WIFI_WORD, Bedside, Stage, first_card
from tests.image.stick import stick
from tests.image.updates import bad_update, cuts, good_update, refused, size
from tests.system.broker_rig import free_port

__all__ = ["SCENES", "SLOW_S", "STORY"]
CANARY = b"canary-4711-of-a-patient"
KEPT = (
    ("what seals the gateway's key", "/var/lib/systemd/credential.secret"),
    ("the gateway's key, sealed", "/etc/wardlink/keys/gateway.key.cred"),
)
DECRYPT = "systemd-creds decrypt --name=gateway.key /etc/wardlink/keys/gateway.key.cred -"
FIRST_LIMIT_S, IDLE_LIMIT_MB = 60.0, 200.0  # on a quiet computer; told beside what was measured
PAGE, SSH = 80, 22
PANIC = """
    echo 1 > /proc/sys/kernel/sysrq; echo 0 > /proc/sys/kernel/panic; sync
    (sleep 3; echo c > /proc/sysrq-trigger) > /dev/null 2>&1 &
"""
LISTENING = r"""
    ss -Hlntu | awk '$5 !~ /^(127[.]|\[::1\])/ { n = split($5, part, ":"); print $1, part[n] }' | sort -u
"""


def first_boot(stage: Stage) -> None:
    """From the flashed card to a reading that the centre has opened: set up, enrolled, discovered, delivered."""
    first_card(stage)
    with stage.enrolled("first_boot"):
        stage.figures["bars"] = {"first_delivered_s": FIRST_LIMIT_S, "idle_used_mb": IDLE_LIMIT_MB}


def watchdog(stage: Stage) -> None:
    """A kernel that stands still for good is started again by the watchdog's hardware and by nothing else."""
    with stage.enrolled("watchdog") as bedside:
        machine = bedside.machine
        bedside.asked(PANIC)
        with machine.hear() as events:
            machine.wait("end Kernel panic", SLOW_S)
            began = time.monotonic()
            machine.restarted(SLOW_S)
            stage.figures["stood_still_s"] = round(time.monotonic() - began, 1)
        assert "WATCHDOG" in events, f"it was not the watchdog that started it: {events}"
        bedside.delivers()


def factory(stage: Stage) -> None:
    """As it comes only the page listens; with an engineer's key he gets in, too; no two cards are the same gateway."""
    stage.ensure()
    wire = free_port(), free_port()
    with stage.fresh("factory", None, wire=wire) as bedside:
        machine = bedside.machine
        machine.power()
        machine.wait("A runs", BOOT_S)
        machine.until(lambda: "data" in {one.name for one in partitions(machine.card).values()}, BOOT_S, "data")
        stage.figures["tcp_open_as_it_comes"] = _scanned(wire, machine, {PAGE})
        assert bedside.ssh("true").returncode != 0
        machine.cut()
        fat(machine.card, 1).write("wardlink.txt", bedside.outside.setting())
        machine.wire = None
        machine.power()
        bedside.delivers()
        stage.figures["listening"] = listening = bedside.asked(LISTENING).splitlines()
        assert set(listening) <= {f"tcp {PAGE}", f"tcp {SSH}", "udp 546", "udp 68", "udp 5353"}, listening
        passwords = bedside.asked("cut -d: -f1,2 /etc/shadow")
        assert all(row.split(":")[1][:1] in ("*", "!") for row in passwords.splitlines()), "an account has a password"
        _others(stage, bedside)
        machine.cut()
        machine.wire = wire
        machine.power()
        stage.figures["tcp_open_with_a_key"] = _scanned(wire, machine, {PAGE, SSH})


def _scanned(wire: tuple[int, int], machine: Machine, wanted: set[int]) -> list[int]:
    """Every TCP and UDP port, from the gateway's own network: these are open, and no other says a word."""
    with Stranger(wire) as stranger:
        machine.until(lambda: stranger.knock(wanted), BOOT_S, f"the ports {sorted(wanted)}")
        stranger.scan()
    assert stranger.echoes, "the stranger is not heard"
    assert stranger.opened == wanted, f"open: {sorted(stranger.opened)[:20]}"
    refused = stranger.refused - wanted  # these may have said so while they started
    assert not refused, f"not dropped: {sorted(refused)[:20]}"
    assert not stranger.spoke, f"UDP: {sorted(stranger.spoke)[:20]}"
    return sorted(stranger.opened)


def _others(stage: Stage, bedside: Bedside) -> None:
    """Beside the kept card, which was made from the same image."""
    one, other = ids.of(bedside), stage.ids()
    same = [name for name in one if one[name] == other[name]]
    assert not same, f"two cards have the same {', '.join(same)}"
    assert one["luks_uuid"].replace("-", "") == one["machine_id"]
    stage.figures["differ"] = sorted(one)


def stolen(stage: Stage) -> None:
    """Of a card elsewhere nothing is in the clear; with the key file, which `none` leaves on it, all of it is."""
    with stage.enrolled("stolen") as bedside:
        machine, folder = bedside.machine, bedside.machine.folder
        bedside.outside.own("site-key", "new", str(folder / "site.key"))
        text = (folder / "site.key").read_text(encoding="ascii").strip()
        bedside.asked(
            f"umask 077; echo {text} > /run/site.key; wardlink site-key install /run/site.key; rm /run/site.key"
        )
        bedside.asked(f"echo {CANARY.decode()} > /var/lib/wardlink/canary; sync")
        secrets = {name: bytes.fromhex(bedside.asked(f"od -An -tx1 -v {path} | tr -d ' \\n'")) for name, path in KEPT}
        private = bedside.asked(DECRYPT).encode()
        assert bedside.asked("cat /run/wardlink/keysource") == "none"
        bedside.delivers(enough=2 * ENOUGH_COUNT)  # its firmware is said once in a round
        bedside.asked("sync")
        machine.cut()
        wanted = {"canary": CANARY, "site key": text.encode(), "Wi-Fi": WIFI_WORD.encode()} | secrets
        sealed = {"the private key itself": private, "what a device said": FIRMWARE.encode()}
        assert not (seen := luks.found(luks.raw(machine.card), wanted | sealed)), f"in the clear: {sorted(seen)}"
        stage.figures |= {"keysource": "none", "not_in_the_clear": sorted(wanted | sealed)}
        opened = luks.found(_opened(machine.card), wanted | sealed)
        stage.figures["found_with_the_key_file"] = sorted(opened)
        assert opened == set(wanted), f"expected {sorted(wanted)}, found {sorted(opened)}"


def _opened(card: Path) -> Iterator[bytes]:
    (data,) = (one for one in partitions(card).values() if one.name == "data")
    key = fat(card, 1).read("data.key")
    assert key, "no data.key on the first partition"
    return luks.opened(card, data.at, data.size, key)


SCENES: dict[str, Callable[[Stage], None]] = {
    one.__name__: one
    for one in (first_boot, factory, refused, good_update, bad_update, watchdog, stolen, stick, size, cuts)
}
