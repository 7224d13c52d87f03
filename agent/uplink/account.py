"""The uplink's account of itself: counted as it goes, read as a frozen `Stat`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from agent.uplink.lanes import Lane, Parcel
from wire.topics import Class

UNHEARD = "no-subscriber"  # the broker took it and gave it to nobody (MQTT 5.0, 3.4.2.1: 0x10)


@dataclass(frozen=True, slots=True)
class Tally:
    """Envelopes and their bytes."""

    count: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class LinkState:
    """What a page shows. `message` and `hint` are empty while all is well; `since_ns` is monotonic."""

    connected: bool
    since_ns: int
    message: str = ""
    hint: str = ""
    away_ns: int | None = None  # since when nothing gets through, whatever was said about it meanwhile; None: it does


@dataclass(frozen=True, slots=True)
class Stat:
    """Totals since the start of the daemon. Times are monotonic nanoseconds, None where it has not happened."""

    state: LinkState
    last_ack_ns: int | None
    oldest_ns: int | None  # since when the oldest that is outstanding is
    sent: Mapping[tuple[Class, Lane], Tally]  # handed to the broker, once for each time
    acked: Mapping[tuple[Class, Lane], Tally]  # PUBACK
    held: Mapping[Class, int]  # newly held, as the spool counted them
    live_left: int  # live envelopes left to the backlog
    unanswered: int  # outstanding when a link ended; they go again
    refused: Mapping[str, int]  # by the broker's reason, UNHEARD, or `oversize`
    reconnects: int
    rtt_ns: int | None
    outstanding_bytes: int
    receipts_good: int
    receipts_refused: Mapping[str, int]
    patience_ns: int  # how long a receipt is waited for
    rests_cut: int  # envelopes whose wait for a receipt was cut short by the limit of memory
    spool_errors: int
    commands_taken: int
    commands_refused: Mapping[str, int]
    sent_again: int  # envelopes that the centre asked for and that were here
    absent: int  # those that were not: declared lost


class Account:
    """The counters that are no one else's."""

    def __init__(self) -> None:
        self._sent: dict[tuple[Class, Lane], list[int]] = {}
        self._acked: dict[tuple[Class, Lane], list[int]] = {}
        self.held: Counter[Class] = Counter()
        self.refused: Counter[str] = Counter()
        self.live_left = 0
        self.unanswered = 0
        self.connects = 0
        self.spool_errors = 0
        self.last_ack_ns: int | None = None

    def sent(self, parcel: Parcel) -> None:
        _count(self._sent, parcel)

    def acked(self, parcel: Parcel, now: int) -> None:
        _count(self._acked, parcel)
        self.last_ack_ns = now

    def tallies(self) -> tuple[dict[tuple[Class, Lane], Tally], dict[tuple[Class, Lane], Tally]]:
        """(sent, acked)."""
        sent = {key: Tally(*pair) for key, pair in self._sent.items()}
        return sent, {key: Tally(*pair) for key, pair in self._acked.items()}


def _count(into: dict[tuple[Class, Lane], list[int]], parcel: Parcel) -> None:
    pair = into.setdefault((parcel.cls, parcel.lane), [0, 0])
    pair[0] += 1
    pair[1] += len(parcel.data)
