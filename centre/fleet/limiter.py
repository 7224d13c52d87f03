"""How often somebody may ask: a bucket for each, that fills with time. Pure."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

NAMES_LIMIT_COUNT = 10_000
IPV6_SITE_BITS = 64


class Limiter:
    """`burst` at once, then one each `every_s` seconds, for each name. Names that asked longest ago are forgotten."""

    def __init__(self, burst: int, every_s: float) -> None:
        self._burst = burst
        self._every_s = every_s
        self._free_at: dict[str, float] = {}  # when the bucket would be full again

    def allows(self, name: str, now_s: float) -> bool:
        full_at = max(self._free_at.pop(name, now_s), now_s)
        allowed = full_at - now_s <= (self._burst - 1) * self._every_s
        self._free_at[name] = full_at + self._every_s if allowed else full_at
        if len(self._free_at) > NAMES_LIMIT_COUNT:
            del self._free_at[next(iter(self._free_at))]
        return allowed


def neighbourhood(host: str) -> str:
    """What counts as one asker: an IPv4 address, or the 64 bits of IPv6 that one site has."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or (int(address) >> IPV6_SITE_BITS))
    return host
