"""How many envelopes a second this machine carries: first more than it can, then less until it keeps up."""

from __future__ import annotations

from bench.rig.campaign import steady
from bench.rig.cast import Setting
from bench.rig.rings import Plan
from bench.rig.stage import Json, Load, tell

FLOOD_S, TRIAL_S = 15.0, 30.0
SHARES = (0.9, 0.75, 0.6, 0.45)
PUBACK_LIMIT_MS = 250.0
BEHIND_LIMIT_MS = 1000.0  # from due to the centre's hand: more means that it piles up


def limit(plan: Plan, setting: Setting, flood_s: float) -> Json:
    """`flood_s`: envelopes a second that are surely too many."""
    flood = steady(plan, setting, Load(flood_s / plan.gateways, FLOOD_S, 400.0))
    _say(flood)
    most = flood["committed_s"]
    trials: list[Json] = []
    for share in () if _keeps_up(flood) else SHARES:
        load = Load(share * most / plan.gateways, TRIAL_S)
        if load.count > plan.count:
            break
        trials.append(steady(plan, setting, load))
        _say(trials[-1])
        if _keeps_up(trials[-1]):
            break
    last = trials[-1] if trials else flood
    words = ("offered_s", "committed_s", "puback_ms", "centre_ms", "receipt_ms", "lost", "doubled")
    return {
        **last,
        "good": all(one["good"] for one in (flood, *trials)) and _keeps_up(last),
        "flood": {word: flood[word] for word in (*words, "cpu_us_per_envelope", "use")},
        "limit_s": last["committed_s"] if _keeps_up(last) else None,
        "trials": [{word: one[word] for word in words} for one in trials],
    }


def room(flood_s: float, gateways: int) -> int:
    """How many envelopes a gateway needs at most."""
    return max(1, round(flood_s / gateways * max(FLOOD_S, TRIAL_S)))


def _keeps_up(found: Json) -> bool:
    is_quick = found["puback_ms"]["p99"] <= PUBACK_LIMIT_MS and found["centre_ms"]["p99"] <= BEHIND_LIMIT_MS
    return bool(found["drained"] and found["good"] and is_quick)


def _say(found: Json) -> None:
    words = ("offered_s", "committed_s", "puback_ms", "centre_ms", "receipt_ms", "lost", "cpu_us_per_envelope")
    tell(", ".join(f"{word} {found[word]}" for word in words))
