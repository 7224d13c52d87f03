"""What a broker must be told so that hospitals that share it cannot see, imitate or disturb each other (ADR 21).

Pure: rows in, text out. `conf` is mosquitto's own file, `access` what its dynamic security plugin holds: a role for
each gateway, bound to its own site and id, and one for each centre, bound to its sites. The rest is denied.
Source: mosquitto.conf(5) and the plugin's documentation, mosquitto 2.0; each setting was tried on 2.0.11.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wire.envelope import ENVELOPE_LIMIT_BYTES
from wire.topics import PREFIX, Address, is_name

FROM_GATEWAY = ("key", "vital", "wave", "state", "reply", "relay", "clock")
FROM_CENTRE = ("receipt", "command", "time")
ADMIN = "wardlink-fleet"  # no gateway's id: that has 20 letters and no hyphen
CONTROL = "$CONTROL/dynamic-security/v1"
ANSWERS = CONTROL + "/response"
PACKET_LIMIT_BYTES = ENVELOPE_LIMIT_BYTES + 1024  # the envelope, its topic, and the name it is relayed for
QUEUE_LIMIT_BYTES = 64 * 1024 * 1024  # it is written whole each minute, and nobody is served meanwhile
INFLIGHT_LIMIT_COUNT = 100
SESSION_LIMIT_DAYS = 7
CONNECTIONS_LIMIT_COUNT = 20_000
Json = dict[str, Any]


class AccessError(Exception):
    """The rows contradict each other; says which."""


@dataclass(frozen=True, slots=True)
class Site:
    """A hospital: its gateways' ids, and the names (CN) of the centres that serve it, and others where they do.

    `shares`: groups in which these centres may take turns.
    `is_all`: these centres serve every site there is and will be, with one filter; it has no name and no gateways.
    """

    name: str
    gateways: tuple[str, ...]
    centres: tuple[str, ...] = ("centre",)
    is_all: bool = False
    shares: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the broker's files are, and where it listens. `host` "" is every address."""

    certs: str = "/etc/mosquitto/certs"
    access: str = "/var/lib/mosquitto/dynamic-security.json"
    plugin: str = "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so"
    memory: str = "/var/lib/mosquitto/"
    log: str = "file /var/log/mosquitto/mosquitto.log"
    host: str = ""
    port: int = 8883


def conf(place: Place) -> str:
    """mosquitto.conf. What each line is for: docs/broker.md."""
    return f"""# mosquitto 2 for wardlink, made by `wardlink fleet broker conf`. What each line is for: docs/broker.md
per_listener_settings false
listener {place.port}{" " + place.host if place.host else ""}
cafile {place.certs}/ca.crt
certfile {place.certs}/broker.crt
keyfile {place.certs}/broker.key
crlfile {place.certs}/revoked.crl
tls_version tlsv1.3
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
max_connections {CONNECTIONS_LIMIT_COUNT}
plugin {place.plugin}
plugin_opt_config_file {place.access}

max_packet_size {PACKET_LIMIT_BYTES}
max_inflight_messages {INFLIGHT_LIMIT_COUNT}
max_queued_messages 1000000
max_queued_bytes {QUEUE_LIMIT_BYTES}
max_keepalive 300
persistent_client_expiration {SESSION_LIMIT_DAYS}d
set_tcp_nodelay true
sys_interval 0

persistence true
persistence_location {place.memory}
autosave_interval 60

log_dest {place.log}
log_type all
log_timestamp true
log_timestamp_format %Y-%m-%dT%H:%M:%S
connection_messages true
"""


def access(sites: Iterable[Site], admin: str = ADMIN) -> Json:
    """What the plugin's file holds for a broker that is new. Raises AccessError."""
    clients, roles = people(sites, admin)
    return {
        "defaultACLAccess": {
            "publishClientSend": False,
            "publishClientReceive": False,
            "subscribe": False,
            "unsubscribe": True,  # giving up what one had is nobody's harm
        },
        "groups": [],
        "clients": list(clients.values()),
        "roles": list(roles.values()),
    }


def access_text(sites: Iterable[Site], admin: str = ADMIN) -> str:
    return json.dumps(access(sites, admin), indent=1) + "\n"


def people(sites: Iterable[Site], admin: str = ADMIN) -> tuple[dict[str, Json], dict[str, Json]]:
    """(clients by name, roles by name); each client has the one role of its own name. Raises AccessError."""
    sites = sorted(sites, key=lambda site: site.name)
    allowed: dict[str, list[Json]] = {admin: [_may("publishClientSend", CONTROL), *_reads(ANSWERS)]}
    for site in sites:
        for gateway in site.gateways:
            if gateway in allowed:
                raise AccessError(f"{gateway} is listed twice")
            allowed[gateway] = _of_gateway(Address(site.name, gateway))
    gateways = set(allowed)
    for site in sites:
        for centre in site.centres:
            if centre in gateways or not is_name(centre):
                raise AccessError(f"{centre!r} is no name for a centre")
            allowed.setdefault(centre, []).extend(_of_centre(site))
    clients = {name: {"username": name, "clientid": name, "roles": [{"rolename": name}]} for name in sorted(allowed)}
    return clients, {name: {"rolename": name, "acls": allowed[name]} for name in sorted(allowed)}


def arranged(
    sites: Iterable[str],
    gateways: Iterable[tuple[str, str]],
    centres: Mapping[str, tuple[str, ...]],
    shares: tuple[str, ...] = (),
) -> Iterator[Site]:
    """Sites of plain rows: `gateways` as (site, id), and for each centre its sites, () for all. Raises AccessError."""
    sites, gateways = list(sites), list(gateways)
    for name, served in centres.items():
        if unknown := set(served) - set(sites):
            raise AccessError(f"{name} is to serve {', '.join(sorted(unknown))}, which is no site")
    for site in sites:
        own = tuple(gateway for at, gateway in gateways if at == site)
        yield Site(site, own, tuple(name for name, served in centres.items() if site in served), shares=shares)
    if everywhere := tuple(name for name, served in centres.items() if not served):
        yield Site("", (), everywhere, is_all=True, shares=shares)


def may_publish(sites: Iterable[Site]) -> Callable[[str, str], bool]:
    """Whether somebody of that name may publish to that topic: the plugin's own judgement, to read its log by."""
    roles = people(sites)[1]

    def may(name: str, topic: str) -> bool:
        acls = roles.get(name, {"acls": []})["acls"]
        return any(acl["acltype"] == "publishClientSend" and _covers(acl["topic"], topic) for acl in acls)

    return may


def _covers(pattern: str, topic: str) -> bool:
    levels, asked = pattern.split("/"), topic.split("/")
    return len(levels) == len(asked) and all(level in ("+", word) for level, word in zip(levels, asked, strict=True))


def _of_gateway(address: Address) -> list[Json]:
    at = f"{PREFIX}/{address.site}/{address.gateway}"
    writes = [_may("publishClientSend", f"{at}/{word}") for word in FROM_GATEWAY]
    return writes + [acl for word in FROM_CENTRE for acl in _reads(f"{at}/{word}")]


def _of_centre(site: Site) -> list[Json]:
    if not (site.is_all or is_name(site.name)):
        raise AccessError(f"{site.name!r} is no name for a site")
    at = f"{PREFIX}/{'+' if site.is_all else site.name}/+"
    writes = [_may("publishClientSend", f"{at}/{word}") for word in FROM_CENTRE]
    if not all(is_name(share) for share in site.shares):
        raise AccessError(f"{', '.join(site.shares)}: no name for a group")
    turns = [f"$share/{share}/{at}/{word}" for share in site.shares for word in FROM_GATEWAY]
    reads = [acl for word in FROM_GATEWAY for acl in _reads(f"{at}/{word}")]
    return writes + reads + [_may("subscribePattern", topic) for topic in turns]


def _reads(topic: str) -> list[Json]:
    return [_may("publishClientReceive", topic), _may("subscribePattern", topic)]


def _may(kind: str, topic: str) -> Json:
    return {"acltype": kind, "topic": topic, "priority": 0, "allow": True}
