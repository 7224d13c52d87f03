"""The campaign in small: the machinery works, and says so when it does not come out even."""

import asyncio

from tests.chaos import faults
from tests.chaos.campaign import Campaign
from tests.chaos.faults import Plan
from tests.chaos.rig import Rig

SMALL = Plan(
    line_every_s=(0.1, 0.3),
    line_lasts_s=(0.1, 0.3),
    line_faults=(faults.cut, faults.reset, faults.sever, faults.delay, faults.pieces, faults.stall, faults.refuse),
    program_every_s=(1.0, 1.5),
    limit_s=3.0,
    program_away_s=(0.0, 0.1),
    program_faults=(faults.centre_kill, faults.gateway_kill),
)


def test_a_small_campaign_comes_out_even(tmp_path):
    rig = Rig(tmp_path, gateways=2, seed=7)
    verdict, counts = asyncio.run(Campaign(rig, envelopes=600, epochs=2, plan=SMALL).run())
    assert not verdict.wrong
    assert verdict.made == 600
    assert verdict.stored == verdict.sealed > 600
    assert verdict.samples > 0
    assert counts["faults"] >= len(SMALL.line_faults)
