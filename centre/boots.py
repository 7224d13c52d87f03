"""Which facts date an epoch: anchors of its own boot, when its envelopes came, and its neighbours (TIM-05). Pure.

Epochs of one boot share a monotonic clock, so anchors of one serve all. An envelope was made before it came, so the
centre's clock bounds it from above. Boots do not overlap and their epochs are numbered in order: a boot began after
all that an earlier one surely lived to see, and had ended before a later one began. A boot that nobody ever
synchronised is known by nothing else. A quartz that was shown to be broken is broken in every boot.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from centre.mapping import DRIFT_LIMITS_PPM, Bound, Mapping
from centre.rows import Dating

CENTRE_ERROR_US = 1_000_000  # what our own clock may be off (IHE CT asks for less)
UNKNOWN_BOOT = bytes(16)


def mapping_of(epoch: int, known: Iterable[Dating]) -> Mapping:
    """`t` of `epoch` to UTC, by what is known about it and its neighbours."""
    ordered = sorted(known, key=lambda one: one.epoch)
    own = [one for one in ordered if _is_same(one, epoch, ordered)]
    facts = [fact for one in own for fact in _arrivals(one)]
    others = [Mapping(one.anchors).ppm for one in ordered if one not in own]
    if own:
        facts += _after(own, [one for one in ordered if one.epoch < own[0].epoch])
        facts += _before(own, [one for one in ordered if one.epoch > own[-1].epoch])
    return Mapping([anchor for one in own for anchor in one.anchors], facts, max(others, default=DRIFT_LIMITS_PPM[0]))


def _is_same(one: Dating, epoch: int, known: Sequence[Dating]) -> bool:
    boot = next((other.boot for other in known if other.epoch == epoch), b"")
    return one.epoch == epoch or (one.boot == boot and _is_named(boot))


def _is_named(boot: bytes) -> bool:
    return boot not in (b"", UNKNOWN_BOOT)


def _arrivals(one: Dating) -> list[Bound]:
    return [Bound(a.t, None, a.received + CENTRE_ERROR_US) for a in one.arrived]


def _after(own: Sequence[Dating], earlier: Sequence[Dating]) -> list[Bound]:
    """Our start was not before the latest that an earlier epoch lived to see."""
    start = _start(own[0], None if not earlier else earlier[-1])
    found = [moment for one in earlier if (moment := _end_of(one)) is not None]
    return [Bound(start, max(found), None)] if found and start is not None else []


def _before(own: Sequence[Dating], later: Sequence[Dating]) -> list[Bound]:
    """Our end was not after the earliest that a later epoch may have begun."""
    end = max((a.last for one in own for a in one.arrived), default=None)
    before = own[-1]
    found = [moment for one in later if (moment := _begin_of(one, before)) is not None]
    return [Bound(end, None, min(found))] if found and end is not None else []


def _start(one: Dating, before: Dating | None) -> int | None:
    """The first `t` of an epoch: 0 where another boot is known to have run before."""
    if before is not None and _is_named(one.boot) and _is_named(before.boot) and one.boot != before.boot:
        return 0
    return min((a.first for a in one.arrived), default=None)


def _end_of(one: Dating) -> int | None:
    """Not before this, microseconds since 1970, the epoch said its last."""
    last = max((a.last for a in one.arrived), default=None)
    return None if last is None or not one.anchors else Mapping(one.anchors, _arrivals(one)).at(last).earliest


def _begin_of(one: Dating, before: Dating) -> int | None:
    """Not after this the epoch said its first (or its boot began)."""
    start = _start(one, before)
    return None if start is None else Mapping(one.anchors, _arrivals(one)).at(start).latest
