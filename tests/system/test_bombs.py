"""A short campaign of tests.bombs with each run; `python -m tests.bombs` is the long one."""

from tests import bombs


def test_five_hundred_bombs_cost_little() -> None:
    counts, slowest, growth = bombs.campaign(500, 7)
    assert counts["taken"] > 50, "some changes are harmless, or the changes never reach the reader"
    assert counts.total() - counts["taken"] > 200
    assert slowest < bombs.TIME_LIMIT_S
    assert growth < bombs.GROWTH_LIMIT_MIB
