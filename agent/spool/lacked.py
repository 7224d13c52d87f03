"""What the centre says it lacks: open again where it is here, owed a statement where it is not. No silence.

While the disk refuses a file of the class nobody knows whether it is there: the centre will ask again.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.spool.acks import Acks
from agent.spool.chain import Chain
from agent.spool.terms import Cause, Lost
from wire.ranges import Ranges


def lacked(chain: Chain, acks: Acks, epoch: int, limit: int, ranges: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """(how many are here, how many are gone) of the numbers below `limit`."""
    here = gone = 0
    for first, last in ranges:
        low, high = max(first, 0), min(last, limit - 1)
        if low > high:
            continue
        held = acks.of(chain.cls, epoch)
        found = Ranges(chain.index.unsettle(epoch, low, high, held))
        here += len(found)
        held.remove(low, high)
        for start, end in found.missing(low, high) if not chain.unread else ():
            gone += end - start + 1
            acks.lose(Lost(chain.cls, epoch, a, b, Cause.ABSENT) for a, b in acks.unowed(chain.cls, epoch, start, end))
    if here:
        chain.index.reorder()
    return here, gone
