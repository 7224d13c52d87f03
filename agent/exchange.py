"""Four stamps make an anchor: what was asked, what the centre signed, and the least round trip of the last eight. Pure.

The centre's clock lay between its two stamps while ours ran from asking to hearing, whichever way took longer. So half
of the round trip, with the centre's own error, holds for every asymmetry. Who stands between can delay, which only
makes the bound wider; repeat, which is refused by the nonce; or forge, which is refused by the signature.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from discipline.machine import grown
from wire import moment
from wire.moment import MomentError
from wire.records import Anchor

SECOND_NS = 1_000_000_000
LAST_COUNT = 8  # answers of which the best counts; also how many a connection begins with
BURST_NS = 16 * SECOND_NS
RARE_NS = 256 * SECOND_NS
CHECK_NS = 3600 * SECOND_NS
OPEN_LIMIT_COUNT = 16  # questions that may still be answered
log = logging.getLogger("wardlink.time")


class Exchange:
    """By one road. `refused` counts by reason: size, signature, malformed, unasked, trip, undisciplined."""

    def __init__(
        self, source: str, gateway: str, centre: Sequence[Ed25519PublicKey], entropy: Callable[[int], bytes]
    ) -> None:
        self._source = source
        self._gateway = gateway
        self._centre = centre
        self._entropy = entropy
        self._asked: dict[bytes, int] = {}  # nonce -> when, monotonic ns
        self._best: deque[Anchor] = deque(maxlen=LAST_COUNT)
        self._burst_left = LAST_COUNT
        self._last_ns: int | None = None
        self.asked = 0
        self.good = 0
        self.refused: Counter[str] = Counter()

    def believe(self, centre: Sequence[Ed25519PublicKey]) -> None:
        """Other keys of the centre from now on."""
        self._centre = centre

    def connected(self) -> None:
        """A road that may be another than the one before: begin anew."""
        self._burst_left = LAST_COUNT
        self._last_ns = None

    def due(self, now: int, other_us: int | None) -> bool:
        """Whether to ask now. `other_us`: the error of the best other source.

        Eight times at 16 s while nothing better is there; then only where that would halve the error, every 256 s at
        most; and every hour, to see whether the other source tells the truth.
        """
        return bool(self._centre) and (self._last_ns is None or now - self._last_ns >= self._gap_ns(now, other_us))

    def _gap_ns(self, now: int, other_us: int | None) -> int:
        mine = self.best(now)
        least = min((one.error or 0 for one in self._best), default=None)  # what another answer may be expected to give
        if mine is None or least is None:
            return BURST_NS if self._burst_left else RARE_NS
        if other_us is not None and other_us <= least:
            return CHECK_NS
        if self._burst_left:
            return BURST_NS
        known = at(mine, now).error or 0
        return RARE_NS if 2 * least <= min(known, known if other_us is None else other_us) else CHECK_NS

    def question(self, now: int) -> bytes:
        """The nonce of a question that leaves at once; `now` is monotonic nanoseconds."""
        nonce = self._entropy(moment.NONCE_BYTES)
        self._asked[nonce] = now
        while len(self._asked) > OPEN_LIMIT_COUNT:
            del self._asked[next(iter(self._asked))]
        self._burst_left = max(0, self._burst_left - 1)
        self._last_ns = now
        self.asked += 1
        return nonce

    def answered(self, data: bytes, now: int) -> Anchor | None:
        """What the answer that came at `now` says; None, and counted, if it says nothing."""
        try:
            anchor = self._read(data, now)
        except MomentError as error:
            self.refused[error.reason] += 1
            if self.refused[error.reason] == 1:
                log.warning("time answer=refused by=%s reason=%s why=%r", self._source, error.reason, str(error))
            return None
        self.good += 1
        self._best.append(anchor)
        return anchor

    def _read(self, data: bytes, now: int) -> Anchor:
        """Raises MomentError."""
        said = moment.read(self._centre, self._gateway, data)
        asked = self._asked.pop(said.nonce, None)
        if asked is None:
            raise MomentError("unasked", "an answer to no question of ours, or heard before")
        trip_us = (now - asked) // 1000 - (said.sent - said.received)
        if trip_us < 0:
            raise MomentError("trip", "the centre took longer than we waited: its clock stepped")
        if said.error is None:
            raise MomentError("undisciplined", "the centre's own clock follows nobody: give it NTP")
        error = grown(trip_us // 2 + 1 + said.error, (now - asked) // 1000)
        return Anchor((asked + now) // 2000, (said.received + said.sent) // 2, error, self._source)

    def best(self, now: int) -> Anchor | None:
        """The one of the last eight that is best now, as it was made."""
        t = now // 1000
        return min(self._best, key=lambda one: grown(one.error or 0, t - one.t), default=None)


def at(anchor: Anchor, now: int) -> Anchor:
    """What an anchor that knows its error is worth later: monotonic time went on, and may have drifted."""
    assert anchor.error is not None
    passed = now // 1000 - anchor.t
    return Anchor(anchor.t + passed, anchor.utc + passed, grown(anchor.error, passed), anchor.source)
