"""The gateway's configuration: config/gateway.toml is its documentation. Two keys are mandatory, site and broker."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from agent.binding import codes
from agent.lines import is_network, is_serial, line_of, place_of
from agent.page.choices import Page
from config.load import ConfigError, read
from drivers import registry
from drivers.contract import Ble, Driver, Serial
from wire.topics import Class, is_name

MIB = 1 << 20
Seconds = Annotated[float, msgspec.Meta(ge=0.25, le=10)]
Mebibytes = Annotated[int, msgspec.Meta(ge=8, le=1 << 20)]


class Port(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A serial port, or a device's place on the network, and the driver that is pinned to it; or with `probe` a serial
    port to be searched for whoever is there.
    """

    path: str
    driver: str = ""
    baud: int = 0  # 0: what the driver claims first
    options: dict[str, str] = {}
    probe: Literal["", "listen", "ask"] = ""
    drivers: list[str] = []  # with probe = "ask": who may be asked for; empty: all that have something to ask


class Radio(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device by radio that may be connected, by its identity address, and the driver that is pinned to it."""

    address: str
    driver: str
    passkey: str = ""  # six digits, where the device shows or has one
    options: dict[str, str] = {}


class AdtFeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where `wardlink adt` hears the hospital's system (HL7 v2 over MLLP), and of whom it takes what."""

    listen: str  # address:port
    peers: list[str]  # who may connect: addresses or networks
    facility: str  # MSH-4 of our hospital
    place: str = ""  # PV1-3 of this bed, "ward^room^bed"; empty: its bed must be `bed`
    id_type: str = ""  # PID-3.5 of the number on the wristband, like MR; empty: the first number
    certificate: str = ""  # PEM files: TLS, and only who has a certificate of `ca` may connect
    key: str = ""
    ca: str = ""


class Patient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may be proposed as the patient (docs/patients.md). Nobody is bound but by a person."""

    location: bool = True
    wristbands: list[str] = []
    check: codes.Check = ""
    badges: list[str] = []
    adt: AdtFeed | None = None


class SpoolSizes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of the disk each class may have, in MiB: by default 35 days of keys and vitals, 72 hours of waves."""

    key_mib: Mebibytes = 256
    vital_mib: Mebibytes = 12288
    wave_mib: Mebibytes = 4096


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything an engineer may say."""

    site: str
    broker: str
    bed: str = ""
    time: str = ""
    keys: str = "/etc/wardlink/keys"
    state: str = "/var/lib/wardlink"
    runtime: str = "/run/wardlink"
    confirm: Literal["receipt", "broker"] = "receipt"
    interval_s: Seconds = 1.0
    discover: bool = True
    ask: list[str] = []
    port: list[Port] = []
    radio: list[Radio] = []
    patient: Patient = Patient()
    spool: SpoolSizes = SpoolSizes()
    page: Page = Page()

    @property
    def quotas(self) -> dict[int, int]:
        """Bytes by class."""
        sizes = (self.spool.key_mib, self.spool.vital_mib, self.spool.wave_mib)
        return {int(cls): mib * MIB for cls, mib in zip(Class, sizes, strict=True)}

    @property
    def time_address(self) -> tuple[str, int]:
        """(host, port)."""
        host, _, port = self.time.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def broker_tls(self) -> bool:
        return urlsplit(self.broker).scheme == "mqtts"

    @property
    def broker_host(self) -> str:
        return urlsplit(self.broker).hostname or ""

    @property
    def broker_port(self) -> int:
        return urlsplit(self.broker).port or (8883 if self.broker_tls else 1883)


def load(path: Path) -> Config:
    """Read and check a configuration. Raises ConfigError."""
    return judged(path, read(path, Config))


def judged(path: Path, config: Config) -> Config:
    """The same, if it holds beyond its types. `path`: what errors name. Raises ConfigError."""
    if not is_name(config.site):
        raise ConfigError(f"{path}: site {config.site!r} is not a name", "1 to 24 of a-z, 0-9 and '-'")
    _check_broker(path, config.broker)
    if config.time and not _is_address(config):
        raise ConfigError(f"{path}: time {config.time!r} is no address", 'like "time.example.org:8484"')
    for port in config.port:
        _check_port(path, port)
    for driver_id in config.ask:
        _check_askable(f"{path}: ask", driver_id)
    for radio in config.radio:
        _check_radio(f"{path}: radio {radio.address}", radio)
    _check_patient(f"{path}: patient", config.patient)
    addresses = [radio.address for radio in config.radio]
    if len(set(addresses)) != len(addresses):
        raise ConfigError(f"{path}: a radio address stands there twice", "one [[radio]] for each device")
    paths = [port.path for port in config.port]
    if len(set(paths)) != len(paths):
        raise ConfigError(f"{path}: a port stands there twice", "one [[port]] for each device")
    return config


def _check_port(path: Path, port: Port) -> None:
    where = f"{path}: port {port.path}"
    if bool(port.driver) == bool(port.probe):
        raise ConfigError(f"{where}: either a driver or a probe", 'driver = "..." pins one; probe = "ask" searches')
    if port.driver:
        _check_pinned(path, port)
    elif port.baud or port.options:
        raise ConfigError(f"{where}: baud and options are for a driver", "a search tries every setting")
    elif not is_serial(port):
        raise ConfigError(f"{where}: only serial ports are searched", "name the driver")
    if port.drivers and port.probe != "ask":
        raise ConfigError(f"{where}: drivers are for a probe that asks", 'probe = "ask"')
    for driver_id in port.drivers:
        _check_askable(where, driver_id)


def _check_pinned(path: Path, port: Port) -> None:
    kind = _check_driver(f"{path}: port {port.path}", port.driver)
    try:
        place_of(kind, port) if is_network(port) else line_of(kind, port)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}", error.hint) from error


def _check_driver(where: str, driver_id: str) -> type[Driver]:
    try:
        return registry.driver(driver_id)
    except registry.UnknownDriverError as error:
        raise ConfigError(f"{where}: {error}", error.hint) from error


def _check_radio(where: str, radio: Radio) -> None:
    kind = _check_driver(where, radio.driver)
    if not any(isinstance(claim, Ble) for claim in kind.info.claims):
        raise ConfigError(f"{where}: {radio.driver} is not found by radio", "`wardlink drivers` lists the claims")
    if not re.fullmatch(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}", radio.address):
        raise ConfigError(f"{where}: not an address", 'like "C0:11:22:33:44:55", in capitals')
    if not re.fullmatch(r"([0-9]{6})?", radio.passkey):
        raise ConfigError(f"{where}: a passkey has six digits", "leave it away where the device has none")


def _check_patient(where: str, patient: Patient) -> None:
    for pattern in (*patient.wristbands, *patient.badges):
        if codes.problem(pattern):
            raise ConfigError(f"{where}: {pattern!r} is no pattern", codes.problem(pattern))
    adt = patient.adt
    if adt is None:
        return
    if not adt.peers or not adt.facility:
        raise ConfigError(f"{where}.adt: peers and facility say whom to believe", "there is no default")
    try:
        for peer in adt.peers:
            ip_network(peer)
        host, _, port = adt.listen.rpartition(":")
        ip_address(host.strip("[]"))
        if not 0 < int(port) < 65536:
            raise ValueError(f"port {port}")
    except ValueError as error:
        raise ConfigError(f"{where}.adt: {error}", 'like listen = "10.1.0.5:2575", peers = ["10.1.0.9"]') from error
    if any((adt.certificate, adt.key, adt.ca)) and not all((adt.certificate, adt.key, adt.ca)):
        raise ConfigError(f"{where}.adt: certificate, key and ca go together", "all three, or none")


def _check_askable(where: str, driver_id: str) -> None:
    if not can_ask(_check_driver(where, driver_id)):
        raise ConfigError(f"{where}: {driver_id} asks nothing on a serial port", "it is found by listening")


def can_ask(kind: type[Driver]) -> bool:
    """Whether a driver has something that it may send to a serial port."""
    return bool(kind.info.sends or kind.info.masked) and any(isinstance(one, Serial) for one in kind.info.claims)


def askable(port: Port) -> tuple[str, ...]:
    """Whom this port may be asked for."""
    if port.probe != "ask":
        return ()
    return tuple(port.drivers) or tuple(kind.info.id for kind in registry.all_drivers() if can_ask(kind))


def _check_broker(path: Path, broker: str) -> None:
    try:
        parts = urlsplit(broker)
        good = parts.scheme in ("mqtt", "mqtts") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ConfigError(f"{path}: broker {broker!r} is no address", 'like "mqtts://broker.example.org:8883"')


def _is_address(config: Config) -> bool:
    try:
        host, port = config.time_address
    except ValueError:
        return False
    return bool(host) and 0 < port < 65536
