"""Which facts date an epoch: its boot's, its envelopes' arrival, its neighbours' (TIM-05)."""

from __future__ import annotations

from centre.boots import CENTRE_ERROR_US, mapping_of
from centre.mapping import FLOOR_UTC_US
from centre.rows import Anchored, Arrived, Dating

MINUTE = 60_000_000
HOUR = 60 * MINUTE
BASE = 1_800_000_000_000_000
ONE, TWO, THREE = (bytes([n]) * 16 for n in (1, 2, 3))


def dating(epoch: int, boot: bytes, last: int, *anchors: int, received: int | None = None) -> Dating:
    """An epoch from 1 s to `last`; `anchors` are t at which UTC was BASE + epoch days + t."""
    base = BASE + epoch * 24 * HOUR
    known = tuple(Anchored(epoch, t, base + t, 1000, "ntp") for t in anchors)
    came = base + 200 * HOUR if received is None else received
    return Dating(epoch, boot, known, (Arrived(epoch, 1_000_000, last, last, came),))


def test_anchors_of_one_epoch_serve_another_of_the_same_boot() -> None:
    mute = Dating(6, ONE, (), (Arrived(6, HOUR, 2 * HOUR, 2 * HOUR, BASE + 900 * HOUR),))
    known = [dating(5, ONE, HOUR, 0), mute]
    assert mapping_of(6, known).at(HOUR).utc == BASE + 5 * 24 * HOUR + HOUR
    assert mapping_of(6, known).version == mapping_of(5, known).version
    assert mapping_of(6, [known[0], Dating(6, TWO, (), mute.arrived)]).at(HOUR).utc is None
    assert (
        mapping_of(6, [Dating(5, bytes(16), *_facts(known[0])), Dating(6, bytes(16), *_facts(mute))]).at(0).utc is None
    )


def _facts(one: Dating) -> tuple[tuple[Anchored, ...], tuple[Arrived, ...]]:
    return one.anchors, one.arrived


def test_a_boot_that_never_synchronised_lies_between_its_neighbours() -> None:
    mute = dating(6, TWO, 3 * HOUR)
    known = [dating(5, ONE, HOUR, 0), mute, dating(7, THREE, HOUR, HOUR)]
    moment = mapping_of(6, known).at(2 * HOUR)
    drift = 2 * HOUR // 10_000
    assert (moment.utc, moment.error, moment.grade) == (None, None, "D")
    assert moment.earliest == BASE + 5 * 24 * HOUR + HOUR - 1000 - HOUR // 10_000 + 2 * HOUR - drift
    began = BASE + 7 * 24 * HOUR + 1000 + HOUR // 10_000  # the next boot, at its t of 0
    assert moment.latest == began - HOUR + HOUR // 10_000


def test_several_mute_boots_in_a_row_have_the_same_neighbours() -> None:
    known = [dating(5, ONE, HOUR, 0), dating(6, TWO, HOUR), dating(7, THREE, HOUR), dating(8, b"", HOUR, 0)]
    for epoch in (6, 7):
        moment = mapping_of(epoch, known).at(HOUR)
        assert moment.earliest is not None
        assert moment.latest is not None
        assert BASE + 5 * 24 * HOUR < moment.earliest < moment.latest <= BASE + 8 * 24 * HOUR + 3 * MINUTE


def test_an_envelope_was_made_before_it_came() -> None:
    mute = dating(6, TWO, HOUR, received=BASE)
    moment = mapping_of(6, [mute]).at(HOUR)
    assert (moment.earliest, moment.latest) == (FLOOR_UTC_US, BASE + CENTRE_ERROR_US)
    assert moment.grade == "D"


def test_an_epoch_that_nobody_knows_has_no_time() -> None:
    assert mapping_of(9, []).at(0).grade == "X"
