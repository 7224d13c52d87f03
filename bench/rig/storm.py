"""The broker goes with everybody connected, and comes back: how long until all are there again and nothing is owed."""

from __future__ import annotations

import signal
import time

import numpy as np

from bench.rig import rings
from bench.rig.campaign import asked, judged, latencies
from bench.rig.cast import Setting
from bench.rig.judge import Floats, joined
from bench.rig.rings import Plan
from bench.rig.stage import Json, Load, stage, tell
from bench.scratch import HarnessError

CALM_S = 10.0
RETURN_LIMIT_S = 420.0
SIGNALS = {"kill": signal.SIGKILL, "restart": signal.SIGTERM}


def storm(plan: Plan, setting: Setting, load: Load, fault: str, away_s: float) -> Json:
    """`fault`: kill (what the broker had not written down is gone) or restart; `away_s`: how long it is not there."""
    rings.make(plan)
    with stage(plan, setting) as here:
        met_s = here.meet()
        began = here.offer(load)
        here.pass_until(began + CALM_S)
        here.cast.broker.end(SIGNALS[fault])
        gone = time.monotonic()
        tell(f"the broker is gone: {fault}")
        here.pass_until(gone + away_s)
        here.cast.start_broker()
        back, before = time.monotonic(), here.use()  # the broker is another process from here on
        if not here.senders.wait(lambda: here.senders.count("up") >= plan.gateways, RETURN_LIMIT_S):
            raise HarnessError(f"only {here.senders.count('up')} gateways came back")
        tell(f"all are back after {time.monotonic() - back:.1f} s")
        returning = here.use()
        here.pass_until(began + load.lasts_s)
        is_drained = here.drained(load)
        after = here.use()
        sheets, counts = here.senders.report(), here.senders.counts()
        shift = time.time() - time.monotonic()
        here.senders.say("end")
        verdict = here.judged(load)
    due, held, up = joined(sheets, "due"), joined(sheets, "held"), joined(sheets, "up")[:, 0] - back
    return {
        **asked(plan, setting, load),
        "good": verdict.good and is_drained,
        "drained": is_drained,
        "fault": fault,
        "away_s": round(back - gone, 1),
        "met_s": round(met_s, 1),
        "back_s": _spread_s(up),  # from the broker's return to its CONNACK, by gateway
        "caught_up_s": round(
            float(np.nanmax(held[due < back])) - back, 1
        ),  # all that was sealed before the return is held
        "connects_in_a_second": int(np.histogram(up, np.arange(0, up.max() + 2))[0].max()),
        **judged(verdict),
        **latencies(sheets, verdict, shift),
        "use_returning": returning.since(before),
        "use": after.since(before),
        "counts": dict(counts),
    }


def _spread_s(seconds: Floats) -> dict[str, float]:
    points = np.percentile(seconds, (50, 95, 99, 100))
    return dict(zip(("p50", "p95", "p99", "all"), (round(float(point), 1) for point in points), strict=True))
