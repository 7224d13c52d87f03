"""The words of `wardlink.txt`: config/wardlink.txt is their documentation. Two keys are mandatory, site and broker."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from config.languages import Language

SETUP_FILE = "wardlink.txt"
PRESEED_FILE = "rpi-preseed.toml"
TEXT_LIMIT_BYTES = 1 << 16
FILE_LIMIT_BYTES = 1 << 16  # a certificate or a key beside it
KEPT = "(kept on the gateway)"  # stands where a secret stood, once the gateway has it
SECRETS = ("voucher", "proxy", "wifi.password", "wifi.key_password", "mobile.password", "mobile.pin")
FILES = ("wifi.ca", "wifi.certificate", "wifi.key")  # keys that name a file beside wardlink.txt
SECRET_FILES = ("wifi.key",)

Mtu = Annotated[int, msgspec.Meta(ge=0, le=9000)]  # 0: as the network says
Way = Literal["ethernet", "wifi", "mobile"]


class Ethernet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cable. An empty address means DHCP."""

    address: str = ""  # 10.0.0.5/24
    gateway: str = ""
    dns: list[str] = []
    mtu: Mtu = 0


class Wifi(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One network. `ca`, `certificate` and `key` name files beside wardlink.txt."""

    name: str
    country: str
    security: Literal["personal", "wpa3", "enterprise"] = "personal"
    password: str = ""
    hidden: bool = False
    eap: Literal["peap", "ttls", "tls"] = "peap"
    inner: Literal["mschapv2", "pap"] = "mschapv2"
    identity: str = ""
    anonymous: str = ""
    ca: str = ""
    server: str = ""
    certificate: str = ""
    key: str = ""
    key_password: str = ""
    address: str = ""
    gateway: str = ""
    dns: list[str] = []
    mtu: Mtu = 0


class Mobile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The modem (4G). Roaming costs: only where it is asked for."""

    apn: str
    user: str = ""
    password: str = ""
    pin: str = ""
    roaming: bool = False
    mtu: Mtu = 0


class Setup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything an engineer may say there."""

    site: str
    broker: str
    bed: str = ""
    voucher: str = ""
    language: Language = "en"
    time: str = ""
    proxy: str = ""  # a secret where a password stands in it
    data_cap_mib: Annotated[int, msgspec.Meta(ge=0, le=1 << 24)] = 0  # a month; 0: no cap
    ntp: list[str] = []
    hostname: str = "wardlink"
    ssh_keys: list[str] = []
    order: list[Way] = msgspec.field(default_factory=lambda: ["ethernet", "wifi", "mobile"])
    ethernet: Ethernet = Ethernet()
    wifi: Wifi | None = None
    mobile: Mobile | None = None
    gateway: dict[str, Any] = {}  # further keys of gateway.toml, as they stand there


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong: `line` from 1, 0 where it is of none; `words` never hold a secret."""

    line: int
    words: str
    hint: str


class Whole(msgspec.Struct, frozen=True):
    """A setup with the files that it names, by name: all that an application of it needs."""

    setup: Setup
    files: dict[str, bytes] = {}
