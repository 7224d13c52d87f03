"""An old image of the card is put back: the gateway begins the same numbers again, with other random bytes.

It has dice of its own, so that it changes no story that it does not come into. What devices said cannot be judged then:
the card forgot it. But bytes can: each envelope that is on the card at the end is at the centre, whichever start sealed
it; and `watch` looks after each beat that a receipt for one start freed nothing of another.
"""

from __future__ import annotations

import hashlib
import sqlite3

from centre.asking import LIFE_US
from tests.sim.stage import Stage
from wire import command
from wire.receipt import read

IMAGES = 0.15  # of all stories
REPLAYS = 30
COMES_S = 5.0


def storm(stage: Stage, length_s: float) -> None:
    dice = stage.random("image")
    if dice.random() < IMAGES:
        stage.timeline.after(dice.uniform(1.0, 0.4 * length_s), _take, stage, dice, length_s)


def _take(stage: Stage, dice, length_s: float) -> None:
    """The power goes, somebody copies the card, and the gateway starts on the original, under the next number."""
    if not stage.is_calm and stage.machine.is_on:
        stage.tell("FAULT an image of the card is made")
        stage.machine.cut()
        image = stage.machine.card.image()
        stage.timeline.after(dice.uniform(0.2, 0.5) * length_s, _put_back, stage, dice, image)


def _put_back(stage: Stage, dice, image) -> None:
    """And after a while on the copy. Somebody at the broker replays what the centre said meanwhile."""
    if stage.is_calm:
        return
    stage.tell("FAULT the image is put back")
    stage.count("image_put_back")
    stage.is_restored = True
    _command(stage)
    stage.machine.put_back(image)
    said = list(stage.centre.received)
    for _ in range(REPLAYS if said else 0):
        data = dice.choice(said)
        stage.timeline.after(dice.uniform(0.0, 120.0), stage.broker.say, stage.address.topic("receipt"), data, False)
    for data in stage.centre.commanded[-REPLAYS:]:
        at = dice.uniform(0.0, 120.0)
        stage.timeline.after(at, stage.broker.say, stage.address.topic("command"), data, False)
        stage.timeline.after(at + COMES_S, _obeys_its_own, stage)


def _command(stage: Stage) -> None:
    """Something for the start that the card will forget, which lives for as long as a command may."""
    if (gateway := stage.machine.gateway) is not None:
        start, utc = gateway.keeping.spool.nonce, stage.centre.utc_us()
        said = command.Command(utc, utc + LIFE_US, gateway.epoch, start, b"forgot..", command.SetPolicy())
        stage.centre.commanded.append(command.sign(stage.centre._signer, stage.address.gateway, said))


def _obeys_its_own(stage: Stage) -> None:
    """What it took was for this start, not for another one of the same number."""
    gateway, verifier = stage.machine.gateway, stage.centre._signer.public_key()
    asked = [command.read(verifier, stage.address.gateway, data) for data in stage.centre.commanded]
    starts = {one.nonce: one.start for one in asked}
    if gateway is not None and not {starts[nonce] for nonce in gateway.obeying._answers} <= {
        gateway.keeping.spool.nonce
    }:
        stage.problem("a command for another start was obeyed")


def number_is_used(stage: Stage) -> bool:
    """Whether the gateway still seals under a number that another start has."""
    gateway, name = stage.machine.gateway, stage.address.gateway
    ledger, spool = stage.centre.store._ledger, gateway.keeping.spool
    has = ledger.start(name, spool.epoch)
    return has not in (None, spool.nonce) or max(ledger.epochs(name), default=0) > spool.epoch


def judge(stage: Stage) -> None:
    """Every envelope that can be read on the card is at the centre, to the byte; and no two receipts are alike."""
    database = sqlite3.connect(stage.folder / "centre.db")
    tables = ("select digest from envelope", "select digest from conflict", "select digest from parked")
    there = {bytes(digest) for wanted in tables for (digest,) in database.execute(wanted)}
    starts = set(database.execute("select epoch, start from start union select epoch, start from conflict"))
    database.close()
    lacking: list[str] = []

    def look(stored) -> None:
        if hashlib.sha256(stored.data).digest() not in there:
            lacking.append(f"{stored.cls}:{stored.epoch}/{stored.seq}")

    stage.machine.gateway.keeping.spool.export(look)
    if lacking:
        stage.problem(f"the centre lacks what is on the card: {lacking[:5]} and so on, {len(lacking)} in all")
    verifier = stage.centre._signer.public_key()
    for data in stage.centre.received:
        said = read(verifier, stage.address.gateway, data)
        if any((held.epoch, held.start) not in starts for held in said.held):
            stage.problem("a receipt names a start of which nothing is here")
    if len({read(verifier, stage.address.gateway, data).nonce for data in stage.centre.received}) < len(
        stage.centre.received
    ):
        stage.problem("two receipts have one nonce")
