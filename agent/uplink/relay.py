"""How the uplink tells envelopes of other gateways from its own: by epochs below zero. Pure.

Lanes, flight and receipts know an envelope by (class, epoch, seq). Epoch e of another gateway, in place n of the
folders that were imported (from 1), is e - n * 2^32 here: never one of ours, and never mixed with a third's, nor with
what another start of the same gateway sealed under the same number. What is fetched from the backlog with such an epoch
is wrapped already (wire/relay.py) and goes by the topic `relay`, after everything of ours.
"""

from __future__ import annotations

_SPAN = 1 << 32


def ours(place: int, epoch: int) -> int:
    """The epoch as the uplink knows it; place 0 is this gateway itself."""
    return epoch - place * _SPAN


def theirs(epoch: int) -> tuple[int, int]:
    """(place, the epoch on the wire)."""
    return -(epoch // _SPAN), epoch % _SPAN
