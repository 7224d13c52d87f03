"""What a setup must be beyond its types: each thing that is wrong, at its line. Pure; nothing secret is repeated."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from agent.setup.lines import line_of
from agent.setup.terms import FILES, KEPT, Ethernet, Fault, Setup, Wifi
from wire import voucher
from wire.topics import is_name

MTU_LEAST = 576  # RFC 791: what every host takes
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\Z")
_SSH = re.compile(
    r"(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]{40,}={0,2}( [^\n]*)?\Z"
)
_OFFSET = re.compile(r"([+-](0\d|1[0-4]):[0-5]\d)?\Z")
_PSK = re.compile(r"[ -~]{8,63}|[0-9a-fA-F]{64}")  # IEEE 802.11-2020, J.4.1: a passphrase, or the key itself
Found = Iterator[tuple[str, str, str]]  # (place, words, hint)


def faults_of(text: str, setup: Setup, names: frozenset[str] | None) -> list[Fault]:
    """`names`: the files beside it; None: not looked at."""
    found = [*_whole(setup), *_cable("ethernet", setup.ethernet), *_wifi(setup, names), *_mobile(setup)]
    return [Fault(line_of(text, place), f"{place.rpartition('.')[2]}: {words}", hint) for place, words, hint in found]


def _whole(setup: Setup) -> Found:
    if not setup.site:
        yield "site", "not filled in", "the hospital's short name, as the centre gave it: 1 to 24 of a-z, 0-9 and '-'"
    elif not is_name(setup.site):
        yield "site", f"{setup.site!r} is not a name", "1 to 24 of a-z, 0-9 and '-'"
    if not setup.broker:
        yield "broker", "not filled in", 'as the centre gave it, like "mqtts://broker.example.org:8883"'
    elif not _is_broker(setup.broker):
        yield "broker", f"{setup.broker!r} is no address", 'like "mqtts://broker.example.org:8883"'
    yield from _voucher(setup)
    if not _OFFSET.match(setup.utc_offset):
        yield "utc_offset", f"{setup.utc_offset!r} is none", 'like "+01:00", or "" for UTC'
    if setup.time and not _is_address(setup.time):
        yield "time", f"{setup.time!r} is no address", 'like "time.example.org:8484"'
    if len(setup.hostname) > 63 or not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", setup.hostname):
        yield "hostname", f"{setup.hostname!r} is none", "small letters, digits and '-'; the network sees it: no names"
    for one in setup.ntp:
        if not _is_host(one):
            yield "ntp", f"{one!r} is no host", 'like ntp = ["10.0.0.1"]'
    for key in setup.ssh_keys:
        if not _SSH.match(key):
            yield "ssh_keys", "not a public key of ssh", "the one line of id_ed25519.pub; never the private key"
    if len(set(setup.order)) != len(setup.order):
        yield "order", "a way stands there twice", 'like order = ["ethernet", "wifi", "mobile"]'


def _voucher(setup: Setup) -> Found:
    if not setup.voucher or setup.voucher == KEPT:
        return
    try:
        given = voucher.read(setup.voucher)
    except voucher.VoucherError as error:
        yield "voucher", str(error), "copy the whole line that begins with WL1-; or leave it empty"
        return
    if given.site != setup.site:
        yield "voucher", f"it is for the site {given.site!r}", "correct site, or ask the centre for another voucher"


def _cable(place: str, given: Ethernet | Wifi) -> Found:
    """Addresses, as both ways have them."""
    for one in given.dns:
        if _address(one) is None:
            yield f"{place}.dns", f"{one!r} is no numeric address", 'like dns = ["10.0.0.1"]'
    if given.mtu and given.mtu < MTU_LEAST:
        yield f"{place}.mtu", f"{given.mtu} is too small", f"{MTU_LEAST} to 9000, or 0: as the network says"
    if not given.address:
        if given.gateway:
            yield f"{place}.gateway", "only with an address", 'address = "10.0.0.5/24"; without one DHCP gives both'
        return
    net = _net(given.address)
    if net is None or "/" not in given.address:
        yield f"{place}.address", f"{given.address!r} is none", 'with the length of the network: "10.0.0.5/24"'
        return
    hop = _address(given.gateway)
    if hop is None:
        words = f"{given.gateway!r} is no numeric address" if given.gateway else "missing beside an address"
        yield f"{place}.gateway" if given.gateway else f"{place}.address", words, 'gateway = "10.0.0.1"'
    elif hop not in net.network:
        yield f"{place}.gateway", f"{hop} is not in the network {net.network}", "one of both is mistyped"
    if not given.dns:
        yield f"{place}.address", "without dns", 'a fixed address needs dns = ["10.0.0.1"], the names\' server'


def _wifi(setup: Setup, names: frozenset[str] | None) -> Found:
    wifi = setup.wifi
    if wifi is None:
        return
    if not 1 <= len(wifi.name.encode()) <= 32:
        yield "wifi.name", "a network's name has 1 to 32 bytes", "as the laptop shows it"
    if not re.fullmatch(r"[A-Z]{2}", wifi.country):
        yield "wifi.country", f"{wifi.country!r} is none", 'the country the radio stands in: two capitals, like "BJ"'
    yield from _cable("wifi", wifi)
    yield from _enterprise(wifi) if wifi.security == "enterprise" else _personal(wifi)
    for place in FILES:
        name = getattr(wifi, place.partition(".")[2])
        if not name or name == KEPT:
            continue
        if name in (".", "..") or "/" in name or "\\" in name:
            yield place, f"{name!r} is a path", "only the name of a file that lies beside wardlink.txt"
        elif names is not None and name not in names:
            yield place, f"there is no file {name!r} beside wardlink.txt", "copy it there, in PEM"


def _personal(wifi: Wifi) -> Found:
    if not wifi.password:
        yield "wifi.password", "not filled in", "open networks are not joined"
    elif wifi.password != KEPT and not _PSK.fullmatch(wifi.password):
        yield "wifi.password", "8 to 63 plain letters", "as the laptop asks for it; letters with accents are none"
    for word in ("ca", "certificate", "key", "identity"):
        if getattr(wifi, word):
            yield f"wifi.{word}", 'only with security = "enterprise"', "remove it, or set security"


def _enterprise(wifi: Wifi) -> Found:
    if not wifi.identity:
        yield "wifi.identity", "not filled in", "the account that the hospital gave for this gateway"
    if not wifi.ca:
        yield "wifi.ca", "not filled in", "the certificate (PEM) that the RADIUS server is verified by: it always is"
    if not wifi.server:
        yield "wifi.server", "not filled in", 'the name in the RADIUS server\'s certificate, like "radius.example.org"'
    elif not _is_host(wifi.server):
        yield "wifi.server", f"{wifi.server!r} is no name", 'like "radius.example.org"'
    if wifi.eap == "tls":
        for word in ("certificate", "key"):
            if not getattr(wifi, word):
                yield f"wifi.{word}", 'not filled in; eap = "tls" needs it', "the name of a PEM file beside this one"
    elif not wifi.password:
        yield "wifi.password", "not filled in", f'eap = "{wifi.eap}" needs it'
    if wifi.eap == "peap" and wifi.inner == "pap":
        yield "wifi.inner", 'pap goes with eap = "ttls"', 'inner = "mschapv2"'


def _mobile(setup: Setup) -> Found:
    mobile = setup.mobile
    if mobile is None:
        return
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,64}", mobile.apn):
        yield "mobile.apn", f"{mobile.apn!r} is none", 'as the provider names it, like "internet"'
    if mobile.pin and mobile.pin != KEPT and not re.fullmatch(r"[0-9]{4,8}", mobile.pin):
        yield "mobile.pin", "4 to 8 digits, in quotes", 'pin = "0000"; empty where the card asks for none'
    if mobile.mtu and mobile.mtu < MTU_LEAST:
        yield "mobile.mtu", f"{mobile.mtu} is too small", f"{MTU_LEAST} to 9000, or 0: as the network says"


def _is_broker(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("mqtt", "mqtts") and _is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return _is_host(host.strip("[]")) and port.isdecimal() and 0 < int(port) < 65536


def _is_host(text: str) -> bool:
    return _address(text) is not None or _HOST.match(text) is not None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _net(text: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
    try:
        return ipaddress.ip_interface(text)
    except ValueError:
        return None
