"""The spool on its thread: what it owes a word about."""

import asyncio

from agent.keeping import Keeping
from agent.spool import Limits
from wire.envelope import Header
from wire.topics import Class

LIMITS = Limits(segment_bytes=32 * 1024)
QUOTAS = {0: 64 * 1024, 1: 64 * 1024, 2: 64 * 1024}


def test_what_was_evicted_is_told_again_when_more_is(tmp_path) -> None:
    """The first statement is in an envelope that a long outage evicts as well: the last one must say it all."""

    async def outage() -> list[list[tuple[int, int]]]:
        keeping = Keeping(tmp_path / "spool", QUOTAS, LIMITS)
        owed, told = [], []
        for seq in range(60):
            kept = await keeping.keep([(Header(keeping.spool.epoch, Class.VITAL, seq, 0), bytes(3000))], owed, 0)
            owed = kept.owed
            told += [[(lost.first, lost.last) for lost in owed]] if owed else []
        await keeping.close()
        return told

    told = asyncio.run(outage())
    assert len(told) > 3, "segments were used again"
    assert all(len(runs) == 1 for runs in told)
    assert [first for ((first, _),) in told] == [0] * len(told)
    lasts = [last for ((_, last),) in told]
    assert lasts == sorted(set(lasts))
