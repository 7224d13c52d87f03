"""Receipts and patience."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.uplink.lanes import Lane, Parcel
from agent.uplink.pace import SECOND_NS
from agent.uplink.receipts import Patience, Receipts
from tests.told import OneStart, held, told
from wire.receipt import Held, sign
from wire.topics import Class

S = SECOND_NS


def parcel(seq: int) -> Parcel:
    return Parcel(Lane.LIVE, Class.WAVE, 1, 0, seq, b"")


def said(*ranges: tuple[int, int]) -> Held:
    return held(1, Class.WAVE, ranges)


def test_only_the_centres_own_receipt_for_this_gateway_counts():
    centre, stranger = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    receipts = Receipts([centre.public_key()], "gw-1", OneStart())
    receipt = told(0, [said((0, 4)), held(1, 9, [(0, 0)])])
    good = sign(centre, "gw-1", receipt)
    assert receipts.take(good) == [said((0, 4))]
    for bad in (sign(stranger, "gw-1", receipt), sign(centre, "gw-2", receipt), good[:-1], good[1:], b"", bytes(65537)):
        assert receipts.take(bad) == []
    assert receipts.take(sign(centre, "gw-1", told(0, [said((4, 0))]))) == []
    assert receipts.good == 1
    assert receipts.refused == {"signature": 4, "size": 2, "malformed": 1, "class": 1}


def test_an_old_and_a_new_key_of_the_centre_count_side_by_side():
    old, new, stranger = (Ed25519PrivateKey.generate() for _ in range(3))
    receipts = Receipts([old.public_key(), new.public_key()], "gw-1", OneStart(), lambda: {1: "dead"})
    good = told(0, [said((0, 4))])
    for centre in (old, new):
        assert receipts.take(sign(centre, "gw-1", good)) == [said((0, 4))]
        assert receipts.take(sign(centre, "dead", good)) != []
        assert receipts.take(sign(centre, "gw-1", told(0, [said((4, 0))]))) == []
    assert receipts.take(sign(stranger, "gw-1", good)) == []
    assert receipts.refused == {"malformed": 2, "signature": 1}
    receipts.centres = [new.public_key()]
    assert receipts.take(sign(old, "gw-1", good)) == []
    assert receipts.take(sign(new, "gw-1", good)) == [said((0, 4))]


def test_patience_is_thirty_seconds_or_four_delays():
    patience = Patience()
    assert patience.ns == 30 * S
    patience.sent(parcel(1), 0)
    patience.held(said((2, 9)), 5 * S)
    assert patience.ns == 30 * S
    patience.held(said((0, 1)), 20 * S)
    assert patience.ns == 80 * S


def test_a_slow_centre_is_learned_although_everything_is_sent_twice():
    """A receipt takes 100 s; with patience of 30 s the watched one is always sent again before it is held."""
    patience = Patience()
    now = 0
    for seq in range(12):
        patience.sent(parcel(seq), now)
        if patience.ns < 100 * S:
            now += patience.ns
            patience.sent(parcel(seq), now)
        else:
            now += 100 * S
            patience.held(said((0, seq)), now)
    assert 100 * S < patience.ns <= 400 * S


def test_patience_has_a_limit():
    patience = Patience()
    patience.sent(parcel(1), 0)
    patience.held(said((1, 1)), 10**6 * S)
    assert patience.ns == 3600 * S
