"""Envelopes that another gateway hands in for one that is dead, and the receipts it is owed for them. Pure.

What is relayed is judged exactly as if it had come by its own topic; the relayer only carries. So a relayer that lies
about the id is found out by the signature, or by the data key that does not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from centre.gate import Gate
from centre.opening import Reason, RefusedError
from wire.envelope import EnvelopeError, Header, header_of
from wire.ranges import Ranges
from wire.receipt import Held
from wire.relay import RelayError, unwrap
from wire.topics import Address, Class

RECEIPT_LIMIT_RUNS = 2000


class Carried(NamedTuple):
    """An envelope of `origin`, sealed by its start `start`, that `relayer` brought."""

    relayer: Address
    origin: Address
    header: Header
    start: bytes = b""


def unwrapped(relayer: Address, data: bytes, gate: Gate) -> tuple[Carried, bytes]:
    """What a relay holds, and the envelope in it. Raises RefusedError. A relayer speaks for its own site only."""
    if not gate.trusts(relayer):
        raise RefusedError(Reason.RELAYER)
    try:
        gateway, envelope = unwrap(data)
        header = header_of(envelope)
    except (RelayError, EnvelopeError) as error:
        raise RefusedError(Reason.RELAY) from error
    if gateway == relayer.gateway:
        raise RefusedError(Reason.RELAY_OWN)
    return Carried(relayer, Address(relayer.site, gateway), header), envelope


class Debts:
    """What is held of what relayers brought, until they are told. Forgotten in a crash: they bring it again."""

    def __init__(self) -> None:
        self._owed: dict[Address, dict[Address, dict[tuple[int, bytes, Class], Ranges]]] = {}

    def owe(self, carried: Iterable[Carried]) -> None:
        for relayer, origin, header, start in carried:
            of_origin = self._owed.setdefault(relayer, {}).setdefault(origin, {})
            of_origin.setdefault((header.epoch, start, header.cls), Ranges()).add(header.seq)

    def pay(self, relayer: Address) -> Iterator[tuple[str, list[Held]]]:
        """(gateway, what to say of it): one receipt for each. Unlike a gateway's own they name only what it brought,
        so that no old epoch and no torn range is left out of them."""
        for origin, owed in self._owed.pop(relayer, {}).items():
            runs = [(place, run) for place, ranges in sorted(owed.items()) for run in ranges]
            for at in range(0, len(runs), RECEIPT_LIMIT_RUNS):
                held: dict[tuple[int, bytes, Class], list[tuple[int, int]]] = {}
                for place, run in runs[at : at + RECEIPT_LIMIT_RUNS]:
                    held.setdefault(place, []).append(run)
                yield origin.gateway, [Held(*place[:2], int(place[2]), told) for place, told in held.items()]
