"""When to ask a gateway for what the ledger lacks, and for what. Pure: time and the ledger's words come in.

A gateway sends by itself what it knows to be missing, newest first, so most holes close unasked. Asked for is a hole
that was there at two looks while nothing late came in between, or that has outlived ten minutes of late ones; one ask
at a time to each gateway, the next after twice as long, from the start again once something came of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre.ledger import NOBODY, SEQ_LAST, Start
from wire import command
from wire.command import RANGES_LIMIT_COUNT, ROTATE_LIMIT_BYTES, Command, Resend, Said, Wanted
from wire.ranges import Ranges
from wire.topics import Address, Class

HOLE_LEAST_S = 30.0
ASK_LIMIT_S = 1800.0
STUBBORN_LEAST_S = 600.0
LIFE_US = 600_000_000
_DOUBLINGS_LIMIT = 6
_Key = tuple[int, int]  # (epoch, class)


@dataclass(frozen=True, slots=True)
class Holes:
    """What the ledger lacks of one gateway. `late` counts what came after a later one; `newest`: of which anything is
    here.
    """

    newest: Start
    late: int
    wanted: Sequence[Wanted]


@dataclass(slots=True)
class _Watch:
    look_s: float
    since_s: float  # when `seen` began to last
    ask_s: float = 0.0  # not before
    start: Start = NOBODY  # as presence says
    late: int = -1
    doublings: int = 0
    seen: dict[_Key, Ranges] = field(default_factory=dict)


class Asking:
    """`least_s`: how old a hole is before it is asked for."""

    def __init__(self, least_s: float = HOLE_LEAST_S) -> None:
        self._least_s = least_s
        self._watched: dict[Address, _Watch] = {}
        self._issued: dict[str, int] = {}

    def heard(self, addresses: Iterable[Address], now_s: float) -> None:
        """These gateways are there: something of theirs came, or they say that they are online."""
        for address in addresses:
            self._watched.setdefault(address, _Watch(now_s, now_s))

    def present(self, starts: Mapping[Address, Start], now_s: float) -> None:
        """Presence says which start these are. Nobody signed that; a false one only makes a command useless."""
        self.heard(starts, now_s)
        for address, start in starts.items():
            self._watched[address].start = start

    def start(self, address: Address, newest: Start) -> Start:
        """Whom a command must name now: who says that he is there, else the newest of whom anything came.

        Without a name where neither is known: an older gateway, which takes no command of ours.
        """
        told = self._watched[address].start
        return told if told.name or told.epoch > newest.epoch else newest

    def there(self) -> dict[str, Address]:
        """Gateways that can hear a command now, by id."""
        return {address.gateway: address for address in self._watched}

    def gone(self, addresses: Iterable[Address]) -> None:
        """These are offline: what one cannot hear is not asked."""
        for address in addresses:
            self._watched.pop(address, None)

    def all_gone(self) -> None:
        self._watched.clear()

    def due(self, now_s: float) -> list[Address]:
        """Gateways whose holes are to be looked at now."""
        return [address for address, watch in self._watched.items() if now_s >= watch.look_s]

    def look(self, address: Address, holes: Holes, now_s: float) -> list[Wanted]:
        """What to ask for; mostly nothing, and never of a gateway that does not say which start it is."""
        watch = self._watched[address]
        there = {(one.epoch, one.cls): Ranges(one.ranges) for one in holes.wanted}
        if watch.start.epoch > holes.newest.epoch:  # nothing of this start is here, or was lost: what opens the others
            there[watch.start.epoch, int(Class.KEY)] = Ranges([(0, SEQ_LAST)])
        moving, watch.late = holes.late != watch.late, holes.late
        watch.look_s = now_s + self._least_s
        if moving:
            watch.doublings, watch.ask_s = 0, now_s
        lasting = _both(watch.seen, there)
        if not lasting or not self.start(address, holes.newest).name:
            watch.seen, watch.since_s = there, now_s
            return []
        watch.seen = lasting
        if now_s < watch.ask_s or (moving and now_s - watch.since_s < STUBBORN_LEAST_S):
            return []
        watch.seen, watch.since_s = there, now_s
        watch.doublings = min(_DOUBLINGS_LIMIT, watch.doublings + 1)
        watch.ask_s = now_s + min(ASK_LIMIT_S, self._least_s * 2.0**watch.doublings)
        return _bounded(lasting)

    def made(self, signer: Ed25519PrivateKey, address: Address, holes: Holes, utc: int, wanted: list[Wanted]) -> bytes:
        """The signed command; its `issued` is greater than the one before it, even should our clock step back."""
        return self.signed(signer, address, self.start(address, holes.newest), utc, Resend(wanted))

    def signed(
        self, signer: Ed25519PrivateKey, address: Address, start: Start, utc: int, said: Said, nonce: bytes = b""
    ) -> bytes:
        """Any command, for this start and no other; `nonce`: that of whoever gave it."""
        gateway = address.gateway
        issued = self._issued[gateway] = max(utc, self._issued.get(gateway, 0) + 1)
        told = Command(issued, issued + LIFE_US, *start, nonce or command.nonce_of(gateway, issued), said)
        data = command.sign(signer, gateway, told)
        assert len(data) <= ROTATE_LIMIT_BYTES, "whoever made it bounds it"
        return data


def _both(one: dict[_Key, Ranges], other: dict[_Key, Ranges]) -> dict[_Key, Ranges]:
    """What is in both; no empty sets."""
    out: dict[_Key, Ranges] = {}
    for key in one.keys() & other.keys():
        within = Ranges()
        for first, last in one[key]:
            at = first
            for low, high in [*other[key].missing(first, last), (last + 1, last + 1)]:
                if at < low:
                    within.add(at, low - 1)
                at = high + 1
        if within:
            out[key] = within
    return out


def _bounded(lasting: dict[_Key, Ranges]) -> list[Wanted]:
    """What opens the others first, then the newest; at most as many ranges as a command may have."""
    room = RANGES_LIMIT_COUNT
    out: list[Wanted] = []
    for epoch, cls in sorted(lasting, key=lambda key: (key[1] > 0, -key[0], key[1])):
        if room == 0:
            break
        ranges = lasting[epoch, cls].pairs()[-room:]
        out.append(Wanted(epoch, cls, ranges))
        room -= len(ranges)
    return out
