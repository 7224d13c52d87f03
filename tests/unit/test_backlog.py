"""A made backlog is what a gateway would have left: everything in it opens, in order, without a gap."""

import hashlib
from collections import Counter, defaultdict

import numpy as np
import pytest

from agent import identity
from agent.lab import keyring
from agent.spool import Spool, check_folder
from agent.spool.check import read_folder
from bench import backlog
from centre.opening import Openers
from centre.store.entry import Entry
from wire import codec
from wire.envelope import header_of
from wire.keys import recipient_secret
from wire.records import Anchor, Catalogue, NumericAt
from wire.statement import Ended, Grant, Manifest
from wire.topics import Address, Class

HOURS, EPOCHS = 2.05, 2  # each epoch just over an hour: two data keys
SECONDS = 3690


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(state folder, what the maker says, every entry as the centre opens it)."""
    folder = tmp_path_factory.mktemp("backlog")
    ring = keyring.make(folder / "keys")
    who = identity.load(ring.gateway, receipts=True)
    said = backlog.make(who, folder / "state", HOURS, EPOCHS)
    secret = recipient_secret((ring.centre / "recipient.key").read_text())
    openers, address = Openers((secret,), lambda *_: [], lambda *_: None), Address("lab", ring.gateway_id)
    entries: list[Entry] = []
    for stored in read_folder(folder / "state" / "spool"):  # class by class, so grants come first
        read = openers.statement if stored.cls == Class.KEY else openers.envelope
        entries.append(read(address, 0, stored.data))
        assert header_of(stored.data).hour == stored.hour
    return folder / "state", said, entries


def test_it_says_what_is_there(made):
    _, said, entries = made
    assert said.seconds == {1: SECONDS, 2: SECONDS}
    assert said.envelopes == Counter(entry.header.cls for entry in entries)
    assert said.sealed_bytes == sum((Counter({e.header.cls: e.size}) for e in entries), Counter())
    assert said.samples == sum(block.rows * block.count for entry in entries for block in entry.blocks)


def test_numbers_have_no_holes(made):
    numbers = defaultdict(list)
    for entry in made[2]:
        numbers[entry.header.epoch, entry.header.cls].append(entry.header.seq)
    assert len(numbers) == 2 * len(Class)
    assert all(seqs == list(range(len(seqs))) for seqs in numbers.values())


def test_samples_follow_one_another_and_decode(made):
    seconds = backlog.ecg()
    following: Counter[int] = Counter()
    decoded: dict[bytes, np.ndarray] = {}
    for entry in made[2]:
        for block in entry.blocks:
            assert (block.stream, block.rows, block.first) == (0, 12, following[entry.header.epoch])
            if block.coded not in decoded:
                decoded[block.coded] = codec.decode(block.coded, 12, 500)
            assert np.array_equal(decoded[block.coded], seconds[block.first // 500 % len(seconds)])
            following[entry.header.epoch] += block.count
    assert following == {1: SECONDS * 500, 2: SECONDS * 500}
    assert len(decoded) == len(seconds)


def test_it_is_said_what_the_streams_are_and_when(made):
    _, _, entries = made
    said = [(entry, record) for entry in entries for record in entry.records]
    catalogues = [record for _, record in said if isinstance(record, Catalogue)]
    assert len(catalogues) == 2 * EPOCHS  # one an hour
    known = {info.stream for info in catalogues[0].streams}
    assert {record.stream for _, record in said if isinstance(record, NumericAt)} < known
    anchors = [(entry.header.epoch, record) for entry, record in said if isinstance(record, Anchor)]
    starts = sorted({(epoch, anchor.utc - anchor.t) for epoch, anchor in anchors})
    assert [epoch for epoch, _ in starts] == [1, 2]
    assert starts[1][1] - starts[0][1] == (SECONDS + backlog.PAUSE_S) * 1_000_000


def test_each_hour_has_a_grant_and_each_minute_a_manifest_that_holds(made):
    _, _, entries = made
    statements = [entry for entry in entries if entry.header.cls is Class.KEY]
    assert sum(isinstance(entry.said, Grant) for entry in statements) == 2 * EPOCHS
    digests = {entry.header: entry.digest for entry in entries}
    by_place = defaultdict(list)
    for header in sorted(digests):
        by_place[header.epoch, header.cls].append(digests[header])
    manifests = [entry for entry in statements if isinstance(entry.said, Manifest)]
    assert len(manifests) >= 2 * (SECONDS // 60)
    for entry in manifests:
        for part in entry.said.sealed:
            leaves = by_place[entry.header.epoch, part.cls][part.first : part.first + part.count]
            assert hashlib.sha256(b"".join(leaves)).digest() == part.digest
    ends = [entry.said.tails for entry in statements if isinstance(entry.said, Ended)]
    assert [{tail[:2] for tail in tails} for tails in ends] == [{(1, 0), (1, 1), (1, 2)}]


def test_the_spool_is_sound_and_opens_for_the_next_start(made):
    state, said, _ = made
    assert check_folder(state / "spool") == []
    spool = Spool.open(state / "spool", backlog.defaults())
    assert spool.epoch == EPOCHS + 1
    assert sum(chain.unheld_frames for chain in spool.stat().classes.values()) == said.envelopes.total()
    assert not spool.undeclared()
    spool.close()


def test_what_does_not_fit_is_refused(tmp_path):
    who = identity.load(keyring.make(tmp_path / "keys").gateway, receipts=True)
    with pytest.raises(backlog.BacklogError, match="class 2"):
        backlog.make(who, tmp_path / "state", 1.0, quotas={**backlog.defaults(), Class.WAVE: 8 << 20})
