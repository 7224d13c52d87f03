"""Whose envelopes are taken: enrolled gateways at their site, or any that proves its id. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from centre.config import Config
from wire.topics import Address

GATEWAYS_LIMIT_COUNT = 10_000


class Gate:
    """`sites` maps enrolled gateways to their site; None lets any genuine one in."""

    def __init__(self, sites: Mapping[str, str] | None, proven: Iterable[str] = ()) -> None:
        self._sites = sites
        self._retired: Mapping[str, str] = {}
        self._revoked: frozenset[str] = frozenset()
        self._proven = set(proven)

    def change(self, sites: Mapping[str, str] | None, retired: Mapping[str, str], revoked: Iterable[str]) -> None:
        """Who is enrolled from now on. Of `retired` only what others relay is taken, of `revoked` nothing."""
        self._sites, self._retired, self._revoked = sites, retired, frozenset(revoked)

    def admits(self, address: Address) -> bool:
        """Whether this gateway may be listened to at all."""
        if address.gateway in self._revoked or address.gateway in self._retired:
            return False
        if self._sites is not None:
            return self._sites.get(address.gateway) == address.site
        return address.gateway in self._proven or len(self._proven) < GATEWAYS_LIMIT_COUNT

    def carries(self, origin: Address) -> bool:
        """Whether another gateway may hand in what this one sealed."""
        return self._retired.get(origin.gateway) == origin.site or self.admits(origin)

    def trusts(self, address: Address) -> bool:
        """Whether unsigned words of this gateway may cost space: it is enrolled, or has signed something before."""
        return self._sites is not None or address.gateway in self._proven

    def prove(self, address: Address) -> None:
        """A signature of this gateway was verified."""
        self._proven.add(address.gateway)


def sites_of(config: Config) -> dict[str, str] | None:
    """Gateways that the configuration lists; None where any genuine one is let in."""
    return None if config.accept == "any-genuine" else {gateway.id: gateway.site for gateway in config.gateways}


def gate_of(config: Config, proven: Iterable[str]) -> Gate:
    """`proven` are gateways that the store knows."""
    return Gate(sites_of(config), proven)
