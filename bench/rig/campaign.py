"""A steady run: offered for so long, waited for, counted in the store, told in figures."""

from __future__ import annotations

import os
import platform
import time
from typing import Any

import numpy as np

from bench.rig import rings
from bench.rig.cast import Setting
from bench.rig.judge import Verdict, joined, spread_ms
from bench.rig.rings import Plan
from bench.rig.sheet import Sheet
from bench.rig.stage import Json, Load, stage, tell


def steady(plan: Plan, setting: Setting, load: Load) -> Json:
    """One run: offered for so long, and waited for until the centre holds it all."""
    made_s = rings.make(plan)
    with stage(plan, setting) as here:
        starting = here.use()
        met_s = here.meet()
        tell(f"{plan.gateways} gateways connected and believed in {met_s:.1f} s")
        before, empty_bytes = here.use(), here.cast.store_bytes()
        began = here.offer(load)
        here.pass_until(began + load.lasts_s)
        offering, memory = here.use(), here.memory()
        is_drained = here.drained(load)
        after = here.use()
        sheets, counts = here.senders.report(), here.senders.counts()
        shift = time.time() - time.monotonic()
        here.senders.say("end")
        grown_bytes = here.cast.store_bytes() - empty_bytes
        verdict = here.judged(load)
    return {
        **asked(plan, setting, load),
        "good": verdict.good,
        "drained": is_drained,  # where not, what is `lost` waits at the broker and in the gateways
        **rates(sheets, began, load),
        **latencies(sheets, verdict, shift),
        **judged(verdict),
        "use_meeting": before.since(starting),  # handshakes, subscriptions, presence, and a grant of each gateway
        "use": after.since(before),
        "use_offering": offering.since(before),
        "cpu_us_per_envelope": _per(after.since(before)["cpu_s"], plan.gateways * load.count),
        "memory_mib": memory,
        "store_mb": round(grown_bytes / 1e6, 1),
        "store_bytes_per_envelope": round(grown_bytes / max(1, verdict.stored - plan.gateways)),
        "envelope_bytes": round(float(np.mean(_sizes(plan, load.count))), 1),
        "made_s": round(made_s, 1),
        "met_s": round(met_s, 1),
        "counts": dict(counts),
    }


def asked(plan: Plan, setting: Setting, load: Load) -> Json:
    """What was tried, and where."""
    return {
        "gateways": plan.gateways,
        "bed": plan.bed,
        "rate": round(load.rate, 4),
        "seconds": round(load.lasts_s, 1),
        "tls": setting.tls,
        "store": setting.store,
        "senders": plan.shards,
        "seed": plan.seed,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}",
    }


def rates(sheets: list[Sheet], began: float, load: Load) -> Json:
    """Envelopes a second, behind the grants: from the first one due to the last one offered, taken, held."""
    out = {}
    for word, name in (("due", "offered_s"), ("acked", "taken_s"), ("held", "committed_s")):
        times = joined(sheets, word)[:, 1 : load.count + 1]
        known = times[~np.isnan(times)]
        span = max(float(known.max()) - began, load.lasts_s) if known.size else 1.0
        out[name] = round(known.size / span, 1)
    return out


def latencies(sheets: list[Sheet], verdict: Verdict, shift: float) -> Json:
    """From when an envelope was due, in milliseconds. `shift`: 1970's clock less the monotonic one, seconds."""
    due = joined(sheets, "due")[:, 1:]
    return {
        "late_ms": spread_ms(joined(sheets, "written")[:, 1:] - due),
        "puback_ms": spread_ms(joined(sheets, "acked")[:, 1:] - due),
        "centre_ms": spread_ms(verdict.received[:, 1:] - shift - due),
        "receipt_ms": spread_ms(joined(sheets, "held")[:, 1:] - due),
    }


def judged(verdict: Verdict) -> Json:
    """The verdict's counts."""
    words = ("offered", "stored", "lost", "doubled", "altered", "invented", "readings_off", "blocks_off", "copies")
    return {word: getattr(verdict, word) for word in words}


def _per(cpu_s: dict[str, float], count: int) -> Json:
    return {part: round(spent * 1e6 / count, 1) for part, spent in cpu_s.items()}


def _sizes(plan: Plan, count: int) -> np.ndarray[Any, Any]:
    """Of one shard's envelopes that were said, without the grants."""
    return rings.index(plan, 0)["size"].reshape(-1, plan.count + 1)[:, 1 : count + 1]
