"""What Raspberry Pi Imager asked (`rpi-preseed.toml` on the boot partition), as far as we have a use for it. Pure.

It lies below wardlink.txt: what stands there counts. No account gets a password, and nothing is installed or run. The
format: raspberrypi/rpi-preseed, examples/rpi-preseed.toml, config_version 1.1.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from agent.setup.lines import plain
from config.languages import LANGUAGES

_TAKEN = {
    ("system", "hostname"), ("ssh", "enabled"), ("ssh", "authorized_keys"), ("ssh", "password_authentication"),
    ("wlan", "ssid"), ("wlan", "password"), ("wlan", "password_encrypted"), ("wlan", "hidden"), ("wlan", "country"),
    ("wlan", "key_mgmt"), ("ethernet", "method"), ("ethernet", "address"), ("ethernet", "gateway"),
    ("ethernet", "dns"), ("time", "ntp"), ("locale", "lang"),
}  # fmt: skip
Raw = dict[str, Any]


def read(data: bytes) -> tuple[Raw, list[str]]:
    """(keys as wardlink.txt has them, what is ignored, by its place). What cannot be read is ignored as a whole."""
    try:
        raw = tomllib.loads(plain(data))
    except (ValueError, RecursionError):
        return {}, ["the whole file: not TOML"]
    tables = {name: value for name, value in raw.items() if isinstance(value, dict)}
    places = ((table, key) for table, keys in tables.items() for key in keys)
    ignored = [f"{table}.{key}" for table, key in places if (table, key) not in _TAKEN]
    return _taken(tables), ignored


def below(raw: Raw, under: Raw) -> Raw:
    """What wardlink.txt leaves empty or does not say is taken from `under`; a table is one's or the other's."""
    told = {key: value for key, value in raw.items() if value not in ("", [], {})}
    return raw | {key: value for key, value in under.items() if key not in told}


def _taken(tables: dict[str, Raw]) -> Raw:
    system, ssh, wlan = tables.get("system", {}), tables.get("ssh", {}), tables.get("wlan", {})
    made: Raw = {}
    host = _word(system, "hostname").lower()
    if host and re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", host):
        made["hostname"] = host
    keys = ssh.get("authorized_keys")
    if isinstance(keys, list) and ssh.get("enabled", True):
        made["ssh_keys"] = [key.strip() for key in keys if isinstance(key, str)]
    if _word(wlan, "ssid"):
        made["wifi"] = _wifi(wlan)
    cable = tables.get("ethernet", {})
    if cable.get("method") == "static":
        made["ethernet"] = {key: cable[key] for key in ("address", "gateway", "dns") if key in cable}
    ntp = tables.get("time", {}).get("ntp")
    if isinstance(ntp, list) and ntp:
        made["ntp"] = ntp
    spoken = _word(tables.get("locale", {}), "lang")[:2].lower()
    language = next((one for one in LANGUAGES if spoken and one.startswith(spoken)), "")
    return made | ({"language": language} if language else {})


def _wifi(wlan: Raw) -> Raw:
    security = "wpa3" if wlan.get("key_mgmt") == "sae" else "personal"
    hidden = wlan.get("hidden") is True
    return {
        "name": _word(wlan, "ssid"),
        "country": _word(wlan, "country").upper(),
        "security": security,
        "password": _word(wlan, "password"),
        "hidden": hidden,
    }


def _word(table: Raw, key: str) -> str:
    value = table.get(key)
    return value if isinstance(value, str) else ""
