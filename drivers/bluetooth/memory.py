"""What a device that pushes its memory has said before, so that it is not stored twice.

Blood pressure monitors, thermometers, scales and oximeters send on each connection what they keep, and many send it
again next time. The mark (`Reached`) holds a digest of each measurement that was said, the newest last; a measurement
whose bytes, its time stamp among them, were said in an earlier connection is not said again.

The digest decides and not the order of the stamps: where the clock was set back a new measurement is older than the
mark, and nothing may be missed. So it is twice rather than never: one without a whole date and time is always said, so
is one that changed, and so are those before the last `LIMIT_DIGESTS`. Within a connection nothing is held back: two
readings of one minute may be alike, and as often as they were said before, so often are they known.
What cannot be told apart: the same numbers with the same time stamp in another connection. They are taken as one.
"""

from __future__ import annotations

from collections import Counter
from zlib import crc32

from drivers.contract import Reached

LIMIT_DIGESTS = 256
DIGITS = 8


def digest(value: bytes) -> str:
    return f"{crc32(value):0{DIGITS}x}"


class Memory:
    """Of one device; `reached` is the mark of the connections before."""

    def __init__(self, reached: str = "") -> None:
        self._digests = [word for word in reached.split() if len(word) == DIGITS]
        self._before = Counter(self._digests)

    def knows(self, value: bytes) -> bool:
        """Whether an earlier connection said it. Asked once for each measurement."""
        known = self._before[digest(value)] > 0  # a Counter keeps no key that is only asked for
        if known:
            self._before[digest(value)] -= 1
        return known

    def keep(self, value: bytes) -> Reached:
        """It has been said: the mark from here on."""
        self._digests = [*self._digests, digest(value)][-LIMIT_DIGESTS:]
        return Reached(" ".join(self._digests))
