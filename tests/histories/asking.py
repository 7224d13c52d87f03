"""The exchange with the centre over a link of two delays: the gateway's own filter, the centre's own signature."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.exchange import Exchange
from tests.histories.clocks import MINUTE, Liar, Quartz
from wire import moment
from wire.moment import Moment
from wire.records import Anchor

GATEWAY = "a" * 20
SIGNER = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"histories").digest())
PUBLIC = SIGNER.public_key()
QUESTIONS_COUNT = 3


@dataclass(frozen=True, slots=True)
class Road:
    """Least one-way delays there and back, and how much more chance may add, microseconds."""

    there: int
    back: int
    jitter: int


ROADS = {
    "P1": Road(200_000, 900_000, 400_000),
    "P1-back": Road(900_000, 200_000, 400_000),
    "P4": Road(28_000, 33_000, 12_000),
    "P4-china": Road(150_000, 161_000, 60_000),
}


def exchange(dice: Random) -> Exchange:
    return Exchange("mqtt", GATEWAY, [PUBLIC], dice.randbytes)


def asked(dice: Random, filter_: Exchange, road: Road, quartz: Quartz, t: int, centre: Liar) -> Anchor | None:
    """Some questions from `t` on, answered by a centre whose clock errs within what it states; the best there is."""
    now = t
    for _ in range(QUESTIONS_COUNT):
        nonce = filter_.question(now * 1000)
        now += road.there + dice.randint(0, road.jitter)
        received, error = centre.anchor(dice, quartz.utc(now))
        worked = dice.randint(100, 5000)
        now += worked + road.back + dice.randint(0, road.jitter)
        data = moment.sign(SIGNER, GATEWAY, Moment(nonce, received, received + worked, error))
        assert filter_.answered(data, now * 1000) is not None, filter_.refused
        now += MINUTE // 4
    return filter_.best(now * 1000)
