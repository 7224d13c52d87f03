"""What can go wrong at the bedside: power, disk, clock, devices.

Each kind is a function of the stage and its dice that begins it, and returns what ends it, or None. The name of the
function is the name of the kind; what it is, its docstring says.
"""

from __future__ import annotations


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
        stage.slow_ns = stage.timeline.now

    return mend


def disk_slow(stage, dice):
    """A sync takes long."""
    return _slow(stage, dice.uniform(0.1, 1.0))


def disk_hangs(stage, dice):
    """A sync takes many seconds."""
    return _slow(stage, dice.uniform(2.0, 8.0))


def disk_bad_places(stage, dice):
    """Some blocks cannot be read."""
    card = stage.machine.card
    files = [path for path, inode in sorted(card.names_now.items()) if len(inode.cache) >= 4096]
    for path in dice.sample(files, min(len(files), 2)):
        card.bad_places.add((path, dice.randrange(min(8, len(card.names_now[path].cache) // 4096))))
    stage.rotten = True
    return card.bad_places.clear


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


def device_garbles(stage, dice):
    """Some frames have a wrong byte."""
    line = _line(stage, dice)
    line.garbles = dice.choice((0.1, 0.5))

    def mend() -> None:
        line.garbles = 0.0

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
