"""Who may be connected, and by which driver. Pure.

Three ways in: the configuration names the address; the device was adopted here; or a person opened the window, and
then the first near device that exactly one driver claims is bonded and adopted. Nobody else is ever connected, whatever
name or address it shows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.ports.radio.air import Seen
from drivers.contract import Ble, Driver

NEAR_DBM = -75  # a person bonds what is at this bed, not at the next one


@dataclass(frozen=True, slots=True)
class Known:
    """A device and its driver. `allowed`: the configuration names it. `bonded`: only over the bond made here.

    Neither: it may be connected only in order to be bonded, while the window is open.
    """

    address: str
    driver: str
    allowed: bool = False
    bonded: bool = False
    passkey: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The one driver's id, or None and why."""

    driver: str | None
    words: str


class Claims:
    """Who claims what, ready to be asked a thousand times a second."""

    def __init__(self, kinds: Iterable[type[Driver]]) -> None:
        self._by_service: dict[str, list[tuple[str, type[Driver]]]] = {}
        self._named: list[tuple[str, type[Driver]]] = []
        for kind in kinds:
            for claim in kind.info.claims:
                if isinstance(claim, Ble):
                    self._by_service.setdefault(claim.service.lower(), []).append((claim.name, kind))
                    self._named += [(claim.name, kind)] if claim.name else []

    def choose(self, seen: Seen) -> Choice:
        """The driver whose claim fits best: service and name, then service, then name where no service is said.

        A longer name says more than a shorter one. Two that fit as well are nobody.
        """
        claimed = [one for service in seen.services for one in self._by_service.get(service, ())]
        if not seen.services:
            claimed = self._named
        fits = {(len(name), kind) for name, kind in claimed if seen.name.startswith(name)}
        if not fits:
            return Choice(None, "no driver claims it")
        best = max(length for length, _ in fits)
        winners = sorted({kind.info.id for length, kind in fits if length == best})
        if len(winners) > 1:
            return Choice(None, f"{' and '.join(winners)} claim it: name one in a [[radio]]")
        return Choice(winners[0], winners[0])


def may_adopt(seen: Seen) -> str:
    """Empty where a person who opened the window can have meant this device, else why not."""
    if seen.rssi is not None and seen.rssi < NEAR_DBM:
        return f"too far away ({seen.rssi} dBm): bring it nearer"
    return ""
