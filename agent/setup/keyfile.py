"""NetworkManager's profiles in its keyfile format (nm-settings-keyfile(5), NetworkManager 1.42 to 1.52). Pure.

Certificates stand in the profile itself (`data:;base64,`), and a network's name as its bytes: nothing in a name or a
password can end a line or begin another key.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping

from agent.setup.terms import Ethernet, Mobile, Setup, Wifi

FOLDER = "run/NetworkManager/system-connections"
_SPACE = uuid.UUID("5c1dbbd4-6f55-4f53-9a5b-0e8ad0a1e3c1")
METRIC_STEP = 100
Section = dict[str, str]
Profile = dict[str, Section]


def profiles(setup: Setup, files: Mapping[str, bytes]) -> dict[str, str]:
    """By the names of their files. The order of the ways is the order of their routes."""
    made: dict[str, Profile] = {}
    for at, way in enumerate(setup.order):
        metric = (at + 1) * METRIC_STEP
        if way == "ethernet":
            made[way] = _ethernet(setup.ethernet, metric)
        elif way == "wifi" and setup.wifi is not None:
            made[way] = _wifi(setup.wifi, files, metric)
        elif way == "mobile" and setup.mobile is not None:
            made[way] = _mobile(setup.mobile, metric)
    return {f"wardlink-{way}.nmconnection": _text(profile) for way, profile in made.items()}


def _connection(way: str, kind: str, metric: int) -> Section:
    return {
        "id": f"wardlink-{way}",
        "uuid": str(uuid.uuid5(_SPACE, way)),
        "type": kind,
        "autoconnect": "true",
        "autoconnect-priority": str(999 - metric),
        "autoconnect-retries": "0",  # for ever: nobody is there to try again by hand
    }


def _addresses(given: Ethernet | Wifi, metric: int) -> Profile:
    """IPv4 and IPv6, of which the address may be either; the other one is as the network gives it."""
    four: Section = {"method": "auto", "route-metric": str(metric)}
    six = dict(four)
    if given.address:
        fixed = six if ":" in given.address else four
        fixed |= {"method": "manual", "address1": given.address, "gateway": given.gateway}
    for section, is_six in ((four, False), (six, True)):
        names = [one for one in given.dns if (":" in one) == is_six]
        if names:
            section |= {"dns": "".join(f"{one};" for one in names), "ignore-auto-dns": "true"}
    return {"ipv4": four, "ipv6": six}


def _ethernet(given: Ethernet, metric: int) -> Profile:
    link = {"mtu": str(given.mtu)} if given.mtu else {}
    return {
        "connection": _connection("ethernet", "ethernet", metric),
        "ethernet": link,
    } | _addresses(given, metric)


def _wifi(given: Wifi, files: Mapping[str, bytes], metric: int) -> Profile:
    link = {
        "mode": "infrastructure",
        "ssid": "".join(f"{byte};" for byte in given.name.encode()),
        "cloned-mac-address": "permanent",  # hospitals let in by address
        "powersave": "2",  # off: it costs seconds of delay, and some access points forget us
    }
    link |= {"hidden": "true"} if given.hidden else {}
    link |= {"mtu": str(given.mtu)} if given.mtu else {}
    made: Profile = {"connection": _connection("wifi", "wifi", metric), "wifi": link}
    if given.security == "enterprise":
        made |= {"wifi-security": {"key-mgmt": "wpa-eap"}, "802-1x": _eap(given, files)}
    else:  # wpa-psk is WPA2 and WPA3, as the access point has it; sae is WPA3 alone
        words = {"personal": "wpa-psk", "wpa3": "sae"}
        made["wifi-security"] = {"key-mgmt": words[given.security], "psk": _escaped(given.password)}
    return made | _addresses(given, metric)


def _eap(given: Wifi, files: Mapping[str, bytes]) -> Section:
    made = {
        "eap": f"{given.eap};",
        "identity": _escaped(given.identity),
        "ca-cert": _blob(files[given.ca]),
        "domain-suffix-match": given.server,
    }
    if given.anonymous:
        made["anonymous-identity"] = _escaped(given.anonymous)
    if given.eap == "tls":
        made |= {"client-cert": _blob(files[given.certificate]), "private-key": _blob(files[given.key])}
        made |= (
            {"private-key-password": _escaped(given.key_password)}
            if given.key_password
            else {"private-key-password-flags": "4"}
        )
        return made
    return made | {"phase2-auth": given.inner, "password": _escaped(given.password)}


def _mobile(given: Mobile, metric: int) -> Profile:
    gsm = {"apn": given.apn}
    gsm |= {"username": _escaped(given.user)} if given.user else {}
    gsm |= {"password": _escaped(given.password)} if given.password else {}
    gsm |= {"pin": given.pin} if given.pin else {}
    gsm |= {} if given.roaming else {"home-only": "true"}
    gsm |= {"mtu": str(given.mtu)} if given.mtu else {}
    made: Profile = {"connection": _connection("mobile", "gsm", metric), "gsm": gsm}
    return made | _addresses(Ethernet(), metric)


def _blob(data: bytes) -> str:
    return f"data:;base64,{base64.b64encode(data).decode()}"


def _escaped(text: str) -> str:
    """As GKeyFile reads it back: blanks at the ends would be cut off, and a backslash begins an escape."""
    inner = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    body = inner.strip(" ")
    if not body:
        return "\\s" * len(inner)
    return "\\s" * (len(inner) - len(inner.lstrip(" "))) + body + "\\s" * (len(inner) - len(inner.rstrip(" ")))


def _text(profile: Profile) -> str:
    parts = []
    for name, section in profile.items():
        parts.append("\n".join([f"[{name}]", *(f"{key}={value}" for key, value in section.items())]) + "\n")
    return "\n".join(parts)
