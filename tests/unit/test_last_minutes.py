"""After a cut the next start signs a list of what no manifest lists, of the epoch before and of nothing else."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import last_minutes as module
from agent.last_minutes import last_minutes
from agent.spool import Spool, Stored
from wire.keys import RecipientSecret
from wire.seal import Sealer
from wire.statement import Sealed
from wire.topics import Class

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RECIPIENT = RecipientSecret("x25519", bytes(range(32))).recipient
QUOTAS = dict.fromkeys((0, 1, 2), 8 << 20)
MiB = 1 << 20


class Life:
    """One epoch of a gateway, as far as its spool sees it."""

    def __init__(self, folder: Path) -> None:
        self.spool = Spool.open(folder, QUOTAS)
        self.sealer = Sealer(SIGNER, [RECIPIENT], self.spool.epoch, self.spool.nonce)
        self.leaves: dict[Class, list[bytes]] = {cls: [] for cls in Class}
        self.recovered = last_minutes(self.spool, self.sealer.gateway)
        tails = sorted((epoch, cls, following) for (epoch, cls), following in self.spool.tails().items())
        if tails:
            self._put(self.sealer.ended(tails, self.recovered))
        self._put(self.sealer.begin_hour())

    def _put(self, envelope) -> None:
        header, data = envelope
        self.leaves[header.cls].append(hashlib.sha256(data).digest())
        self.spool.append(Stored(int(header.cls), header.epoch, header.hour, header.seq, data))
        self.spool.commit()

    def seal(self, cls: Class, count: int, size: int = 10) -> None:
        for _ in range(count):
            self._put(self.sealer.seal(cls, bytes(size)))

    def manifest(self) -> bytes:
        made = self.sealer.manifest()
        assert made is not None
        self._put(made)
        return hashlib.sha256(made[1]).digest()

    def digest(self, cls: Class, first: int) -> bytes:
        return hashlib.sha256(b"".join(self.leaves[cls][first:])).digest()


def test_what_the_last_manifest_does_not_list_is_signed_for(tmp_path) -> None:
    life = Life(tmp_path)
    life.seal(Class.VITAL, 5)
    life.seal(Class.WAVE, 3)
    life.manifest()
    life.seal(Class.VITAL, 2)
    last = life.manifest()
    life.seal(Class.VITAL, 4)
    life.seal(Class.WAVE, 2)
    life.spool.close()
    (said,) = Life(tmp_path).recovered
    assert (said.epoch, said.previous) == (1, last)
    assert said.sealed == [
        Sealed(1, 7, 4, life.digest(Class.VITAL, 7)),
        Sealed(2, 3, 2, life.digest(Class.WAVE, 3)),
    ]


def test_after_a_clean_end_nothing_is_left_to_sign_for(tmp_path) -> None:
    life = Life(tmp_path)
    assert life.recovered == []
    life.seal(Class.VITAL, 5)
    life.manifest()
    life.spool.close()
    assert Life(tmp_path).recovered == []


def test_without_any_manifest_all_of_it_is_signed_for(tmp_path) -> None:
    life = Life(tmp_path)
    life.seal(Class.VITAL, 5)
    life.spool.close()
    (said,) = Life(tmp_path).recovered
    assert (said.previous, said.sealed) == (bytes(32), [Sealed(1, 0, 5, life.digest(Class.VITAL, 0))])


def test_each_epoch_is_signed_for_by_the_next_that_says_anything(tmp_path) -> None:
    life = Life(tmp_path)
    life.seal(Class.VITAL, 5)
    life.spool.close()
    Spool.open(tmp_path, QUOTAS).close()  # a start that was cut before its first commit
    third = Life(tmp_path)
    assert [said.epoch for said in third.recovered] == [1]
    third.seal(Class.VITAL, 1)
    third.spool.close()
    assert [said.epoch for said in Life(tmp_path).recovered] == [3]


def test_a_hole_parts_the_tail(tmp_path) -> None:
    life = Life(tmp_path)
    life.seal(Class.VITAL, 2)
    life.sealer.seal(Class.VITAL, b"never reached the disk")
    life.seal(Class.VITAL, 2)
    life.spool.close()
    (said,) = Life(tmp_path).recovered
    assert [(one.first, one.count) for one in said.sealed] == [(0, 2), (3, 2)]


@pytest.mark.parametrize(("limit", "value"), [("TAIL_LIMIT_COUNT", 3), ("TAIL_LIMIT_BYTES", 1)])
def test_what_it_reads_is_bounded(tmp_path, monkeypatch, limit: str, value: int) -> None:
    life = Life(tmp_path)
    life.seal(Class.VITAL, 5, MiB // 2)
    life.spool.close()
    monkeypatch.setattr(module, limit, value)
    (said,) = Life(tmp_path).recovered
    assert sum(one.count for one in said.sealed) in (2, 3)
