"""A card that is put back to an older image: the spool takes the same epoch again, and no nonce meets the same key."""

import shutil
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.spool import Spool, Stored
from agent.starts import starts_of
from agent.uplink.receipts import Receipts
from centre import receipts
from centre.counts import Counts
from centre.gate import Gate
from centre.ingest import Arrival, Ingest
from centre.store import Store
from tests.sealed import CENTRE, RECEIVED, reading
from tests.told import OneStart
from wire import bundle
from wire.seal import Sealer, fresh
from wire.topics import Address, Class

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CENTRE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


class Start:
    """One start on a card: what it sealed, under which keys, and which (key, nonce) pairs it used."""

    def __init__(self, folder: Path) -> None:
        self.keys: list[bytes] = []
        spool = Spool.open(folder, dict.fromkeys((0, 1, 2), 8 << 20))
        sealer = Sealer(SIGNER, [CENTRE.recipient], spool.epoch, spool.nonce, self._secret)
        self.epoch, self.address = spool.epoch, Address("north", sealer.gateway)
        made = [sealer.begin_hour()]
        for hour in range(2):
            for cls in (Class.VITAL, Class.WAVE):
                made += [sealer.seal(cls, bundle.pack_vital([reading(t)])) for t in range(5)]
            made += [sealer.begin_hour()] if hour == 0 else []
        self.used = [(self.keys[h.hour], h.nonce()) for h, _ in made if h.cls is not Class.KEY]
        self.arrivals = [Arrival(self.address, h.cls.word, d, RECEIVED) for h, d in made if h.cls is not Class.WAVE]
        for header, data in made:
            spool.append(Stored(int(header.cls), header.epoch, header.hour, header.seq, data))
        spool.commit()
        spool.close()

    def _secret(self, count: int) -> bytearray:
        key = fresh(count)
        self.keys.append(bytes(key))
        return key


def test_a_restored_image_costs_no_nonce_and_is_seen_by_the_centre(tmp_path) -> None:
    card, image = tmp_path / "spool", tmp_path / "image"
    Start(card)
    shutil.copytree(card, image)
    first = Start(card)
    shutil.rmtree(card)
    shutil.copytree(image, card)
    second = Start(card)
    assert first.epoch == second.epoch == 2, "the number is the same: the card cannot know"
    used = first.used + second.used
    assert len(set(used)) == len(used) == 40
    assert not set(first.keys) & set(second.keys)

    counts = Counts()
    store = Store(f"sqlite:///{tmp_path}/centre.db", counts)
    ingest = Ingest(store, Gate({first.address.gateway: "north"}), (CENTRE,), counts)
    ingest.take(first.arrivals)
    ingest.take(second.arrivals)
    (bed,) = store.beds()
    assert bed.conflicts == len(second.arrivals) == counts.snapshot()["conflicts"]
    assert store.summary(first.address.gateway).held == len(first.arrivals)
    told = centre_says(store, first.address.gateway)
    store.close()
    assert freed(card, told, first.address.gateway) == len(second.arrivals), "nothing by what was said of the first"
    shutil.rmtree(card)
    shutil.copytree(image, card)
    third = Start(card)
    assert third.epoch == 2
    assert freed(card, told, first.address.gateway) == 0, "the centre has nothing of this start"


def centre_says(store: Store, gateway: str) -> bytes:
    return receipts.made(CENTRE_KEY, gateway, RECEIVED, b"a nonce.", store.receipt(gateway))


def freed(card: Path, told: bytes, gateway: str) -> int:
    """What a receipt frees of the second epoch on a card, as the gateway takes it."""
    spool = Spool.open(card, dict.fromkeys((0, 1, 2), 8 << 20))
    try:
        taking = Receipts([CENTRE_KEY.public_key()], gateway, OneStart(dict(starts_of(spool, gateway))))
        return sum(spool.held(one.cls, one.epoch, one.ranges) for one in taking.take(told) if one.epoch == 2)
    finally:
        spool.close()
