"""What can go wrong. Each kind is a function of the stage and its dice that begins it and returns what ends it, or None.

The name of the function is the name of the kind; what it stands for is its docstring.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wire import receipt
from wire.receipt import Held, Receipt
from wire.topics import Address

Fault = Callable[[object, Random], Callable[[], None] | None]
FORGER = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
WORDS = ("key", "vital", "wave", "state")


def power_cut(stage, dice):
    """Off; what was not synced is lost, torn or reordered."""
    stage.machine.cut()


def power_cut_at_a_call(stage, dice):
    """Off in the middle of a job on the disk."""
    stage.machine.card.fatal = dice.randrange(30), "cut"


def power_cut_without_a_clock(stage, dice):
    """No battery behind the clock: after the cut it is 1970, until somebody knows better."""
    stage.machine.cut()
    stage.machine.unset_clock()
    return lambda: stage.machine.set_clock(0, synced=True)


def kill(stage, dice):
    """SIGKILL."""
    stage.machine.kill()


def kill_at_a_call(stage, dice):
    """SIGKILL in the middle of a job on the disk."""
    stage.machine.card.fatal = dice.randrange(30), "kill"


def two_kills(stage, dice):
    """Killed again while the tape is being heard."""
    stage.machine.kill()
    stage.timeline.after(dice.uniform(1.0, 1.6), stage.machine.kill)


def kill_then_cut(stage, dice):
    """The power goes while the gateway is being started again."""
    stage.machine.kill()
    stage.timeline.after(dice.uniform(0.5, 2.5), stage.machine.cut)


def terminate(stage, dice):
    """SIGTERM, and a start."""
    stage.machine.stop()


def _ill(stage, kind: str, chance: float):
    stage.machine.card.ill[kind] = chance
    return lambda: stage.machine.card.ill.pop(kind, None)


def disk_eio(stage, dice):
    """Any call may fail."""
    return _ill(stage, "eio", dice.choice((0.02, 0.2, 1.0)))


def disk_enospc(stage, dice):
    """Writing fails now and then for want of room."""
    return _ill(stage, "enospc", dice.choice((0.05, 0.5)))


def disk_read_only(stage, dice):
    """The card has worn out, for a while."""
    return _ill(stage, "erofs", 1.0)


def disk_full(stage, dice):
    """No file can grow."""
    return _ill(stage, "full", 1.0)


def disk_writes_short(stage, dice):
    """A write does half of what it should."""
    return _ill(stage, "short", dice.choice((0.1, 0.5)))


def _slow(stage, seconds: float):
    stage.machine.card.slow_s = seconds
    stage.slowest_sync_s = max(stage.slowest_sync_s, seconds)

    def mend() -> None:
        stage.machine.card.slow_s = 0.0

    return mend


def disk_slow(stage, dice):
    """A sync takes long."""
    return _slow(stage, dice.uniform(0.1, 1.0))


def disk_hangs(stage, dice):
    """A sync takes many seconds."""
    return _slow(stage, dice.uniform(2.0, 8.0))


def bit_rot(stage, dice):
    """A few bits of some file are not what was written."""
    where = stage.machine.card.rot(dice.choice((1, 1, 8, 600)))
    stage.rotten = True
    stage.tell(f"rot at {where}")


def clock_steps(stage, dice):
    """Somebody sets the wall clock wrong."""
    hours = dice.choice((-30 * 24, -1, 1, 24 * 400))
    stage.machine.set_clock(int(hours * 3_600_000_000), synced=False)
    return lambda: stage.machine.set_clock(0, synced=True)


def clock_unset(stage, dice):
    """It is 1970."""
    stage.machine.unset_clock()
    return lambda: stage.machine.set_clock(0, synced=True)


def link_breaks(stage, dice):
    """A reset, once."""
    for link in list(stage.links):
        link.cut("reset by peer")


def link_down(stage, dice):
    """No network."""
    stage.net.is_up = False
    link_breaks(stage, dice)

    def up() -> None:
        stage.net.is_up = True

    return up


def link_flaps(stage, dice):
    """A reset every few seconds."""
    state = {"on": True}

    def flap() -> None:
        if state["on"]:
            link_breaks(stage, dice)
            stage.timeline.after(dice.uniform(0.5, 4.0), flap)

    flap()
    return lambda: state.update(on=False)


def link_half_open(stage, dice):
    """Nothing arrives, and nobody is told."""
    stage.net.is_half_open = True

    def up() -> None:
        stage.net.is_half_open = False

    return up


def link_slow(stage, dice):
    """4 kbit/s and two seconds away."""
    old = stage.net.latency_s, stage.net.rate_bytes_s
    stage.net.latency_s, stage.net.rate_bytes_s = 2.0, 500.0

    def fast() -> None:
        stage.net.latency_s, stage.net.rate_bytes_s = old

    return fast


def broker_restarts(stage, dice):
    """Down and up, with all its memory."""
    stage.broker.stop(forgets=False)
    return stage.broker.start


def broker_forgets(stage, dice):
    """Down and up; what it acknowledged is gone."""
    stage.broker.stop(forgets=True)
    return stage.broker.start


def _mood(name: str, chances: tuple[float, ...]) -> Fault:
    def begin(stage, dice):
        stage.broker.moods[name] = dice.choice(chances)
        return lambda: stage.broker.moods.pop(name, None)

    begin.__name__ = "broker_" + name.replace(" ", "_")
    return begin


def centre_down(stage, dice):
    """Killed; started again later."""
    stage.centre.kill()
    return lambda: None if stage.centre.is_up else stage.centre.start()


def centre_killed_between_commit_and_puback(stage, dice):
    """What it has committed comes again."""
    commits = stage.centre.commits

    def look() -> None:
        if stage.centre.is_up and stage.centre.commits > commits:
            stage.centre.kill()
            stage.timeline.after(1.0, lambda: None if stage.centre.is_up else stage.centre.start())
        elif stage.centre.is_up:
            stage.timeline.after(0.0004, look)

    look()


def centre_database_refuses(stage, dice):
    """Statements fail in the middle of a transaction."""
    stage.centre.refuses_for = dice.choice((200, 3000))

    def mend() -> None:
        stage.centre.refuses_for = 0

    return mend


def receipt_forged(stage, dice):
    """Somebody else says that the centre holds everything."""
    held = [Held(epoch, cls, [(0, 100_000)]) for epoch in range(30) for cls in range(3)]
    data = receipt.sign(FORGER, stage.address.gateway, Receipt(stage.machine.true_us(), held))
    stage.broker.say(stage.address.topic("receipt"), data, retain=dice.random() < 0.5)


def receipt_of_another_gateway(stage, dice):
    """The centre's own words, about somebody else."""
    held = [Held(epoch, cls, [(0, 100_000)]) for epoch in range(30) for cls in range(3)]
    data = receipt.sign(stage.centre._signer, "someotherstation2345", Receipt(stage.machine.true_us(), held))
    stage.broker.say(stage.address.topic("receipt"), data)


def receipt_replayed(stage, dice):
    """An old receipt, again."""
    if stage.centre.received:
        stage.broker.say(stage.address.topic("receipt"), dice.choice(stage.centre.received))


def garbage_for_the_gateway(stage, dice):
    """Bytes on the topics that it listens to."""
    for _ in range(dice.choice((1, 100))):
        word = dice.choice(("receipt", "command", "reply"))
        stage.broker.say(stage.address.topic(word), dice.randbytes(dice.choice((0, 1, 64, 300))), retain=False)


def garbage_for_the_centre(stage, dice):
    """Bytes, foreign gateways, and what looks like an envelope."""
    for _ in range(dice.choice((1, 50))):
        address = dice.choice((stage.address, Address("north", "someotherstation2345"), Address("south", "x")))
        head = bytes([1, dice.randrange(4), *dice.randbytes(3), 1, 0, 0, 0, dice.randrange(40)])
        stage.broker.inject(
            address.topic(dice.choice(WORDS)), dice.choice((b"", head)) + dice.randbytes(dice.randrange(200))
        )


def _line(stage, dice):
    return dice.choice(list(stage.lines.values()))


def cable_pulled(stage, dice):
    """And plugged in again."""
    line = _line(stage, dice)
    line.unplug()
    return line.plug


def port_breaks(stage, dice):
    """Reading and opening fail."""
    line = _line(stage, dice)
    line.broken = True
    if line.cable is not None:
        line.cable.hung = True
        line.cable.look()

    def mend() -> None:
        line.broken = False

    return mend


def device_babbles(stage, dice):
    """Noise between the frames."""
    line = _line(stage, dice)
    line.babbles = dice.choice((0.05, 0.5))

    def mend() -> None:
        line.babbles = 0.0

    return mend


def device_floods(stage, dice):
    """A great deal of noise at once."""
    _line(stage, dice).noise(dice.choice((5_000, 50_000)))


def device_silent(stage, dice):
    """And speaks again."""
    line = _line(stage, dice)
    line.silent = True
    return line.wake


def device_dies_in_a_frame(stage, dice):
    """And is switched on again."""
    line = _line(stage, dice)
    line.die_in_a_frame()
    return line.wake


def device_restarts(stage, dice):
    """Its own counter begins again."""
    line = _line(stage, dice)
    if line.voice.counter is not None:
        line.voice.counter = dice.choice((0, line.voice.counter + 5, line.voice.counter + 100_000)) % (1 << 32)


def driver_bug(stage, dice):
    """The driver raises on what the device says."""
    for line in stage.lines.values():
        line.poison()


def alarms(stage, dice):
    """No fault, but haste."""
    for line in stage.lines.values():
        line.ring()


MOODS = (
    _mood("refuses", (0.1, 1.0)),
    _mood("drops the link before PUBACK", (0.05, 0.3)),
    _mood("never acknowledges", (0.02, 1.0)),
    _mood("acknowledges late", (0.3, 1.0)),
    _mood("duplicates", (0.2, 1.0)),
    _mood("reorders", (0.5, 1.0)),
    _mood("loses receipts", (0.3, 1.0)),
)
ONCE = (
    power_cut, power_cut_at_a_call, power_cut_without_a_clock, kill, kill_at_a_call, two_kills, kill_then_cut, terminate,
    bit_rot, link_breaks, receipt_forged, receipt_of_another_gateway, receipt_replayed, garbage_for_the_gateway,
    garbage_for_the_centre, centre_killed_between_commit_and_puback, device_floods, device_restarts, driver_bug, alarms,
)  # fmt: skip
WHILE = (
    disk_eio, disk_enospc, disk_read_only, disk_full, disk_writes_short, disk_slow, disk_hangs, clock_steps, clock_unset,
    link_down, link_flaps, link_half_open, link_slow, broker_restarts, broker_forgets, centre_down,
    centre_database_refuses, cable_pulled, port_breaks, device_babbles, device_silent, device_dies_in_a_frame, *MOODS,
)  # fmt: skip
ALL: tuple[Fault, ...] = (*ONCE, *WHILE)
