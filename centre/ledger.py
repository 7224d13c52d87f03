"""The ledger: what came, twice, or not at all, by (gateway, epoch, class). Pure; the store keeps what it knows durable.

An epoch is that of the start of which something came first. What another start sealed under the same number (a card was
put back) has an account apart, so that its gateway is told of it too: by the start's random bytes, never by the number.

An envelope is missing where a greater seq of its class is known to have been sealed (because it came, a manifest lists
it, or an end of the epoch says so), it is not held, and no gap statement declares it lost. An end of the epoch is one:
what was sealed after it did not come through the power cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from wire.command import Wanted
from wire.ranges import Ranges
from wire.receipt import Held
from wire.topics import Class

RECEIPT_EPOCHS_LIMIT_COUNT = 16
RECEIPT_RANGES_LIMIT_COUNT = 64
SEQ_LAST = (1 << 32) - 1  # a gap up to here says nothing of how many were sealed


class Start(NamedTuple):
    """One start of a gateway: its epoch, and the 8 random bytes that name it, which a card put back has not twice."""

    epoch: int
    name: bytes


NOBODY = Start(-1, b"")


class Place(NamedTuple):
    """One sequence of envelopes."""

    gateway: str
    epoch: int
    cls: Class


@dataclass(frozen=True, slots=True)
class Summary:
    """Envelopes of one gateway, all epochs: held, missing (nobody said why), declared lost, and copies refused."""

    held: int = 0
    missing: int = 0
    lost: int = 0
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a gateway stands: its envelopes, the newest epoch, how many no manifest proves, how many one refutes."""

    summary: Summary = Summary()
    newest: int = 0
    unproven: int = 0
    refuted: int = 0


@dataclass(slots=True)
class Account:
    """One place: `following` is one past the greatest seq known to have been sealed."""

    held: Ranges = field(default_factory=Ranges)
    declared: Ranges = field(default_factory=Ranges)
    following: int = 0
    duplicates: int = 0
    late: int = 0  # came after a later one
    named: int = 0  # how far the last receipt got in the list of ranges, where they were too many for one

    def missing(self) -> list[tuple[int, int]]:
        holes = self.held.missing(0, self.following - 1) if self.following else []
        return [part for hole in holes for part in self.declared.missing(*hole)]

    def lost(self) -> int:
        """Declared lost, and indeed not here; of what is known to have been sealed."""
        known = [(first, min(last, self.following - 1)) for first, last in self.declared if first < self.following]
        return sum(b - a + 1 for run in known for a, b in self.held.missing(*run))

    def told(self) -> list[tuple[int, int]]:
        """The ranges for the next receipt: all, or as many as it may have, so that each has its turn."""
        ranges = self.held.pairs()
        if len(ranges) <= RECEIPT_RANGES_LIMIT_COUNT:
            return ranges
        start = self.named % len(ranges)
        self.named = start + RECEIPT_RANGES_LIMIT_COUNT
        return sorted((ranges + ranges)[start : self.named])


class Ledger:
    """All accounts of a centre."""

    def __init__(self) -> None:
        self._accounts: dict[str, dict[tuple[int, Class], Account]] = {}
        self._starts: dict[str, dict[int, bytes]] = {}
        self._apart: dict[str, dict[tuple[int, bytes, Class], Account]] = {}
        # (epoch, start) of each gateway, last what something came of last; no start where it has the epoch
        self._lately: dict[str, dict[tuple[int, bytes], None]] = {}

    def adopt(self, other: Ledger) -> None:
        """Take over the accounts of gateways that this one does not keep."""
        self._accounts.update(other._accounts)
        self._apart.update(other._apart)
        self._starts.update(other._starts)
        self._lately.update(other._lately)

    def forget(self, gateway: str) -> None:
        """Another keeps the accounts of this gateway from now on."""
        for kept in (self._accounts, self._apart, self._starts, self._lately):
            kept.pop(gateway, None)

    def begin(self, gateway: str, epoch: int, start: bytes) -> None:
        """This start has the epoch, if no other has."""
        self._starts.setdefault(gateway, {}).setdefault(epoch, start)

    def start(self, gateway: str, epoch: int) -> bytes | None:
        """Which start has the epoch; None where nothing came of any."""
        return self._starts.get(gateway, {}).get(epoch)

    def newest_start(self, gateway: str) -> Start:
        """Of the newest epoch the start of which something came last; `NOBODY` where nothing did."""
        epoch = next(iter(self.epochs(gateway)), NOBODY.epoch)
        names = [name for one, name in self._lately.get(gateway, ()) if one == epoch]
        return Start(epoch, (names[-1] if names else b"") or self.start(gateway, epoch) or b"")

    def set_apart(self, place: Place, start: bytes, seq: int) -> None:
        """`seq` is in the durable store, under a name that another start's envelope has, or may have."""
        accounts = self._apart.setdefault(place.gateway, {})
        accounts.setdefault((place.epoch, start, place.cls), Account()).held.add(seq)
        self._came(place, start)

    def holds(self, place: Place, seq: int) -> bool:
        account = self._find(place)
        return account is not None and seq in account.held

    def hold(self, place: Place, first: int, last: int | None = None) -> None:
        """Take `first..last` into the account: they are in the durable store."""
        account = self._account(place)
        account.late += first < account.following
        account.held.add(first, last)
        account.following = max(account.following, account.held.last + 1)
        self._came(place)

    def repeat(self, place: Place, times: int = 1) -> None:
        """Count copies of what was held already."""
        self._account(place).duplicates += times
        self._came(place)

    def declare(self, place: Place, first: int, last: int) -> None:
        """A gap statement: `first..last` were sealed and are lost; up to SEQ_LAST: if any were sealed."""
        account = self._account(place)
        account.declared.add(first, last)
        if last < SEQ_LAST:
            account.following = max(account.following, last + 1)

    def follow(self, place: Place, following: int) -> None:
        """A manifest or an end of the epoch: everything below `following` was sealed."""
        account = self._account(place)
        account.following = max(account.following, following)

    def missing(self, place: Place) -> list[tuple[int, int]]:
        """Ranges that nobody has, nor has declared."""
        account = self._find(place)
        return account.missing() if account else []

    def lacks(self, place: Place, first: int, last: int) -> list[tuple[int, int]]:
        """The parts of `first..last` that are not held."""
        account = self._find(place)
        return account.held.missing(first, last) if account else [(first, last)]

    def reached(self, place: Place) -> int:
        """One past the greatest number that is held; 0 where none is."""
        account = self._find(place)
        return account.held.last + 1 if account and account.held else 0

    def listable(self, gateway: str) -> int:
        """How many are held of the classes that manifests list."""
        accounts = self._accounts.get(gateway, {}).items()
        return sum(len(account.held) for (_, cls), account in accounts if cls is not Class.KEY)

    def holes(self, gateway: str) -> list[Wanted]:
        """All that is missing of a gateway."""
        accounts = self._accounts.get(gateway, {}).items()
        found = ((epoch, cls, account.missing()) for (epoch, cls), account in accounts)
        return [Wanted(epoch, int(cls), ranges) for epoch, cls, ranges in found if ranges]

    def late(self, gateway: str) -> int:
        """How many came after a later one of their sequence: while this grows, holes are closing."""
        return sum(account.late for account in self._accounts.get(gateway, {}).values())

    def gateways(self) -> list[str]:
        return list(self._accounts)

    def epochs(self, gateway: str) -> list[int]:
        """Epochs of which something is held, the newest first."""
        accounts = self._accounts.get(gateway, {})
        return sorted({epoch for (epoch, _), account in accounts.items() if account.held}, reverse=True)

    def summary(self, gateway: str) -> Summary:
        accounts = self._accounts.get(gateway, {}).values()
        return Summary(
            held=sum(len(a.held) for a in accounts),
            missing=sum(last - first + 1 for a in accounts for first, last in a.missing()),
            lost=sum(a.lost() for a in accounts),
            duplicates=sum(a.duplicates for a in accounts),
        )

    def receipt(self, gateway: str) -> list[Held]:
        """What the next receipt says: the epochs of which anything came last, again or for the first time.

        Where a gateway has more epochs, or more ranges of one class, than a receipt may name, what is not named is
        sent again and then named: a receipt that always named the same would leave the others for ever unheld.
        """
        starts = self._starts.get(gateway, {})
        lately = list(self._lately.get(gateway, ()))[-RECEIPT_EPOCHS_LIMIT_COUNT:]
        own = (
            (epoch, starts[epoch], cls, account)
            for (epoch, cls), account in self._accounts.get(gateway, {}).items()
            if (epoch, b"") in lately and epoch in starts
        )
        apart = ((*place, account) for place, account in self._apart.get(gateway, {}).items() if place[:2] in lately)
        return [
            Held(epoch, start, int(cls), account.told())
            for epoch, start, cls, account in sorted((*own, *apart), key=lambda one: one[:3])
            if account.held
        ]

    def _came(self, place: Place, start: bytes = b"") -> None:
        lately = self._lately.setdefault(place.gateway, {})
        lately.pop((place.epoch, start), None)
        lately[place.epoch, start] = None

    def _find(self, place: Place) -> Account | None:
        return self._accounts.get(place.gateway, {}).get((place.epoch, place.cls))

    def _account(self, place: Place) -> Account:
        return self._accounts.setdefault(place.gateway, {}).setdefault((place.epoch, place.cls), Account())
