"""The rig in small: it comes out even against the real centre, and says so when an envelope is lost or doubled."""

from __future__ import annotations

import numpy as np
import pytest

from bench.rig import judge, packets, rings
from bench.rig.campaign import steady
from bench.rig.cast import Setting
from bench.rig.judge import Stored
from bench.rig.rings import EPOCH, Plan
from bench.rig.stage import Load

PLAN = Plan(gateways=50, count=5, shards=2)
LOAD = Load(rate=1.0, seconds=5.0, drain_s=60.0)


def test_fifty_gateways_lose_nothing():
    found = steady(PLAN, Setting(tls=True, store="sqlite"), LOAD)
    assert found["good"], found
    assert (found["offered"], found["stored"], found["lost"], found["doubled"]) == (300, 300, 0, 0)
    assert found["counts"]["held"] == 300
    assert found["counts"]["receipts_verified"] == 50
    assert not [word for word in found["counts"] if "refused" in word]
    for word in ("puback_ms", "centre_ms", "receipt_ms"):
        assert found[word]["p50"] <= found[word]["p99"]
    assert found["use"]["cpu_s"]["centre"] > 0 < found["memory_mib"]["broker"]


@pytest.fixture(scope="module")
def whole() -> Stored:
    """What a store would hold of the plan if all came."""
    rings.make(PLAN)
    rows = []
    for shard in range(PLAN.shards):
        for number, cls, seq, _, _, digest in rings.index(PLAN, shard).tolist():
            rows.append((rings.name(PLAN.seed, number), EPOCH, cls, seq, 10**15, digest.ljust(32, b"\0")))
    vitals, waves = (sum(row[2] == cls for row in rows) for cls in (1, 2))
    return Stored(rows, vitals * rings.READINGS, waves * rings.BLOCKS, 0)


def changed(stored: Stored, rows) -> Stored:
    return Stored(rows, stored.readings, stored.blocks, stored.copies)


def test_what_is_missing_is_lost(whole):
    assert judge.judge(whole, PLAN, PLAN.count).good
    verdict = judge.judge(changed(whole, whole.rows[1:]), PLAN, PLAN.count)
    assert (verdict.lost, verdict.good) == (1, False)


def test_what_is_there_twice_or_altered_is_named(whole):
    twice = judge.judge(changed(whole, [*whole.rows, whole.rows[7]]), PLAN, PLAN.count)
    assert (twice.lost, twice.doubled, twice.good) == (0, 1, False)
    first = (*whole.rows[0][:5], bytes(32))
    assert judge.judge(changed(whole, [first, *whole.rows[1:]]), PLAN, PLAN.count).altered == 1
    more = Stored(whole.rows, whole.readings + 1, whole.blocks, 0)
    assert judge.judge(more, PLAN, PLAN.count).doubled == 1


def test_only_what_was_said_is_owed(whole):
    first = [row for at, row in enumerate(whole.rows) if at % (PLAN.count + 1) <= 2]
    counts = [sum(row[2] == cls for row in first) for cls in (1, 2)]
    said = Stored(first, counts[0] * rings.READINGS, counts[1] * rings.BLOCKS, 0)
    assert judge.judge(said, PLAN, 2).good
    assert judge.judge(said, PLAN, 3).lost == PLAN.gateways


def test_a_ring_is_the_same_wherever_it_is_cut(whole):
    ring = rings.read(PLAN, 0)[0]
    assert ring.cls == [0, 1, 2, 1, 2, 1]
    assert [len(ring.data(n)) for n in range(6)] == ring.size
    assert np.array_equal(ring.seq, [0, 0, 0, 1, 1, 2])


def test_packets_are_split_wherever_they_are_cut():
    wave = packets.publish(7, b"wl/1/demo/x/wave", bytes(300), alias=3)
    data = packets.puback(258) + wave + packets.PINGREQ
    for cut in range(len(data)):
        found, rest = packets.split(data[:cut])
        more, rest = packets.split(rest + data[cut:])
        assert rest == b""
        assert [first >> 4 for first, _ in found + more] == [packets.PUBACK, packets.PUBLISH, 12]
        (_, body), (other, said) = (found + more)[:2]
        assert packets.answered(body) == (258, 0)
        assert packets.heard(other, said) == (7, b"wl/1/demo/x/wave", bytes(300))


@pytest.mark.parametrize(
    ("body", "terms"),
    [
        (bytes([0, 0, 0]), packets.Terms(0, packets.RECEIVE_LIMIT_COUNT, 0)),
        (bytes([0, 0, 8, 0x22, 0, 10, 0x21, 0, 100, 0x24, 1]), packets.Terms(0, 100, 10)),
        (bytes([0, 0x87, 0]), packets.Terms(0x87, packets.RECEIVE_LIMIT_COUNT, 0)),
    ],
)
def test_terms_of_a_connack(body, terms):
    assert packets.accepted(body) == terms
