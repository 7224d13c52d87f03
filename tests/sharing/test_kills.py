"""The small campaign: what `python -m tests.sharing --kills 1000` does for long."""

from __future__ import annotations

from tests.sharing.__main__ import Plan, campaign


def test_consumers_that_are_killed_lose_and_double_nothing() -> None:
    told = campaign(Plan(kills=2, consumers=3, gateways=4, seed=7))
    assert told["wrong"] == []
    assert told["envelopes"] > 0
