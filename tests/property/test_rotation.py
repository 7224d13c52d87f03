"""Recipients that come and go: whoever was listed when an envelope was sealed opens it, and nobody else ever does."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.pulse import HOUR_NS, Envelope, Pulse
from drivers.contract import Numeric
from tests.puppet import Scene
from wire.envelope import EnvelopeError
from wire.keys import RecipientSecret
from wire.seal import NoGrantError, Opener, Sealer
from wire.statement import Grant
from wire.topics import Class

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SECRETS = [RecipientSecret("x25519", bytes(range(n, n + 32))) for n in range(3)] + [
    RecipientSecret("xwing", bytes(range(n, n + 96))) for n in range(2)
]
SECOND_NS = 1_000_000_000
Listed = frozenset[int]
LISTS = st.frozensets(st.integers(0, len(SECRETS) - 1), min_size=1)


class Bed:
    """A pulse whose recipients change, and for each envelope whom it was meant for."""

    def __init__(self, first: Listed) -> None:
        self._scene = Scene()
        self._now = 0
        self.listed = first
        self.sealer = Sealer(SIGNER, recipients(first), 1, bytes(8))
        self._pulse = Pulse(self._scene.ward, self.sealer, lambda: None, "bed 3")
        self.made: list[tuple[Envelope, Listed]] = []

    def rotate(self, listed: Listed) -> None:
        self.listed = listed
        self._pulse.grant_to(recipients(listed))

    def beat(self, wait_ns: int = SECOND_NS) -> None:
        self._now += wait_ns
        self._scene.hear(self._now // 1000, Numeric("spo2", 97, "%"))
        self.made += [(envelope, self.listed) for envelope in self._pulse.beat(self._now)]


def recipients(listed: Listed) -> Sequence:
    return [SECRETS[n].recipient for n in sorted(listed)]


def opens(opener: Opener, data: bytes) -> bool:
    try:
        opener.open(data)
    except NoGrantError:
        return False
    return True


def told(secret: RecipientSecret, bed: Bed) -> Opener:
    """A recipient that has every statement of the bed."""
    opener = Opener(bed.sealer.gateway, [secret])
    for (header, data), _ in bed.made:
        if header.cls is Class.KEY:
            try:
                opener.statement(data)
            except EnvelopeError:  # a grant for others
                continue
    return opener


@settings(max_examples=25, deadline=None)
@given(LISTS, st.lists(st.one_of(LISTS, st.just("beat"), st.just("hour")), max_size=12))
def test_each_envelope_opens_for_those_listed_then_and_for_nobody_else(first: Listed, steps: list) -> None:
    bed = Bed(first)
    bed.beat()
    for step in steps:
        if isinstance(step, frozenset):
            bed.rotate(step)
        else:
            bed.beat(HOUR_NS if step == "hour" else SECOND_NS)
    bed.beat()
    for number, secret in enumerate(SECRETS):
        opener = told(secret, bed)
        for (header, data), listed in bed.made:
            assert header.cls is Class.KEY or opens(opener, data) is (number in listed)


def test_another_list_begins_an_hour_at_the_next_beat_and_the_same_list_does_not() -> None:
    bed = Bed(frozenset({0, 1}))
    bed.beat()
    bed.rotate(frozenset({1, 0}))
    bed.beat()
    bed.rotate(frozenset({1}))
    bed.beat()
    hours = [header.hour for (header, _), _ in bed.made if header.cls is Class.VITAL]
    assert hours == [0, 0, 1]
    assert all(one in (two, two - 1) for one, two in pairwise(hours))


def test_between_two_lists_nothing_can_be_sealed() -> None:
    """The key whose grant names a retired recipient is gone with the list: a bug elsewhere fails, and leaks nothing."""
    bed = Bed(frozenset({0}))
    bed.beat()
    bed.rotate(frozenset({1}))
    with pytest.raises(AssertionError, match="begin_hour"):
        bed.sealer.seal(Class.VITAL, b"said to nobody")


def test_the_same_data_key_for_both_kinds_of_recipients() -> None:
    bed = Bed(frozenset({0, 3}))
    bed.beat()
    (grant,) = [data for (header, data), _ in bed.made if header.cls is Class.KEY][:1]
    said = Opener(bed.sealer.gateway, [SECRETS[0]]).statement(grant)[1]
    assert isinstance(said, Grant)
    assert sorted(len(sealed) for _, sealed in said.shares) == [32 + 48, 1120 + 48]
    vital = next(data for (header, data), _ in bed.made if header.cls is Class.VITAL)
    assert told(SECRETS[0], bed).open(vital) == told(SECRETS[3], bed).open(vital)
