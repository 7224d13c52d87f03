"""What can go wrong behind the gateway: link, broker, centre, intruders.

Each kind is a function of the stage and its dice that begins it, and returns what ends it, or None. The name of the
function is the name of the kind; what it is, its docstring says.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wire import receipt
from wire.receipt import Held
from wire.topics import Address

Fault = Callable[[object, Random], Callable[[], None] | None]
FORGER = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
WORDS = ("key", "vital", "wave", "state")


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


def _all(stage, dice):
    """Everything of the present start, and of others."""
    gateway = stage.machine.gateway
    own = gateway.keeping.spool.numbers.starts if gateway else {}
    held = [Held(e, own.get(e, bytes(8)), cls, [(0, 100_000)]) for e in range(30) for cls in range(3)]
    return receipt.made(stage.machine.true_us(), bytes(8), held)


def receipt_forged(stage, dice):
    """Somebody else says that the centre holds everything."""
    data = receipt.sign(FORGER, stage.address.gateway, _all(stage, dice))
    stage.broker.say(stage.address.topic("receipt"), data, retain=dice.random() < 0.5)


def receipt_of_another_gateway(stage, dice):
    """The centre's own words, about somebody else."""
    data = receipt.sign(stage.centre._signer, "someotherstation2345", _all(stage, dice))
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


MOODS = (
    _mood("refuses", (0.1, 1.0)),
    _mood("drops the link before PUBACK", (0.05, 0.3)),
    _mood("never acknowledges", (0.02, 1.0)),
    _mood("acknowledges late", (0.3, 1.0)),
    _mood("duplicates", (0.2, 1.0)),
    _mood("reorders", (0.5, 1.0)),
    _mood("denies its subscribers", (0.3, 1.0)),
    _mood("loses receipts", (0.3, 1.0)),
)
