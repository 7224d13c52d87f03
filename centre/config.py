"""Configuration of the centre: TOML, two mandatory keys; `config/centre.toml` is the documentation.

What is wrong is said once, with the line and what to do: ConfigError.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config import load
from config.load import ConfigError
from wire import keys
from wire.topics import is_name

KEY_LIMIT_BYTES = 65536
RECIPIENTS_LIMIT_COUNT = 16
KEEP_LIMIT_DAYS = 36_525
LEAST_DAYS = {"waves_days": 1, "readings_days": 1, "envelopes_days": 30, "evidence_days": 30}
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_STORES = ("sqlite:///", "postgresql+psycopg://")


class Gateway(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An enrolled gateway. `bed` is for people; the gateway's own word for it, once said, goes before."""

    id: str
    site: str
    bed: str = ""


class Oidc(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The hospital's identity provider. `secret` names a file; `sites_claim` empty: all sites."""

    issuer: str
    client_id: str
    secret: str = ""
    name: str = "your hospital's account"
    scope: str = "openid profile"
    role_claim: str = "roles"
    sites_claim: str = ""


class Keep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many days what is kept, since it came; 0: for ever."""

    waves_days: int = 0
    readings_days: int = 0
    envelopes_days: int = 0
    evidence_days: int = 0

    @property
    def is_all(self) -> bool:
        return not any(getattr(self, name) for name in self.__struct_fields__)


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All keys of `config/centre.toml`, checked by `read`."""

    broker: str
    keys: str
    name: str = "centre"
    share: str = ""
    store: str = "sqlite:///wardlink.db"
    listen: str = "127.0.0.1:8480"
    hosts: tuple[str, ...] = ()
    users: str = ""
    access_log: str = ""
    oidc: Oidc | None = None
    time: str = ""
    sites: tuple[str, ...] = ()
    accept: Literal["enrolled", "any-genuine"] = "enrolled"
    gateways: tuple[Gateway, ...] = ()
    fleet: str = ""
    keep: Keep = Keep()

    @property
    def broker_address(self) -> tuple[str, int]:
        """(host, port)."""
        parts = urlsplit(self.broker)
        return parts.hostname or "", parts.port or _PORTS[parts.scheme]

    @property
    def users_file(self) -> Path:
        """The people who may look."""
        return Path(self.users) if self.users else Path(self.keys) / "users.toml"

    @property
    def access_log_file(self) -> Path:
        """Who looked: beside the store, where that is a file. A log has one writer: each that shares has its own."""
        file = self.store.removeprefix("sqlite:///")
        beside = Path() if file == self.store else Path(file).parent
        path = Path(self.access_log) if self.access_log else beside / "wardlink-access.log"
        return path.with_name(f"{path.stem}-{self.name}{path.suffix}") if self.share else path

    @property
    def tls(self) -> bool:
        return self.broker.startswith("mqtts:")

    @property
    def time_address(self) -> tuple[str, int]:
        """(host, port) of the signed time port, where there is one."""
        host, _, port = self.time.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def listen_address(self) -> tuple[str, int]:
        """(host, port)."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


@dataclass(frozen=True, slots=True)
class Keys:
    """The centre's own: opens envelopes, signs receipts. `recipients`: the present one first, then former ones."""

    recipients: tuple[keys.RecipientSecret, ...]
    signer: Ed25519PrivateKey


def read(path: Path) -> Config:
    """Raises ConfigError."""
    config = load.read(path, Config)
    try:
        check(config)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}", error.hint) from error
    return config


def load_keys(config: Config) -> Keys:
    """Read the secrets. Raises ConfigError, which never holds what a file held."""
    folder = Path(config.keys)
    former = sorted(folder.glob("recipient-*.key"))
    if len(former) >= RECIPIENTS_LIMIT_COUNT:
        raise ConfigError(f"{folder} holds {len(former)} recipient-*.key", f"less than {RECIPIENTS_LIMIT_COUNT}")
    recipients = tuple(_recipient(path) for path in (folder / "recipient.key", *former))
    try:
        return Keys(recipients, keys.signer(_key_text(folder / "centre.key")))
    except keys.KeyFormatError as error:
        raise ConfigError(f"{folder / 'centre.key'}: {error}", "it begins with ed25519-secret:") from error


def tls_files(config: Config) -> tuple[Path, Path, Path]:
    """(authority, certificate, private key), all readable. Raises ConfigError."""
    folder = Path(config.keys)
    own = config.name if (folder / f"{config.name}.crt").exists() else "centre"
    authority, certificate, private = folder / "ca.crt", folder / f"{own}.crt", folder / f"{own}.tls.key"
    for path in (authority, certificate, private):
        _key_text(path)
    return authority, certificate, private


def _recipient(path: Path) -> keys.RecipientSecret:
    try:
        return keys.recipient_secret(_key_text(path))
    except keys.KeyFormatError as error:
        raise ConfigError(f"{path}: {error}", "it begins with xwing-secret:") from error


def _key_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(KEY_LIMIT_BYTES).decode("ascii")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "`keys` names the folder that holds it") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not text", "a key is one line of text, a certificate is PEM") from error


def check(config: Config) -> None:
    """Raises ConfigError."""
    scheme = config.broker.partition("://")[0]
    if scheme not in _PORTS or not _is_address(config, "broker_address"):
        raise ConfigError(f"`broker` is {config.broker!r}", "mqtts://host:8883")
    if not config.store.startswith(_STORES):
        raise ConfigError("`store` is not one we know", " or ".join(s + "..." for s in _STORES))
    if config.listen and not _is_address(config, "listen_address"):
        raise ConfigError(f"`listen` is {config.listen!r}", "127.0.0.1:8480")
    if config.time and not _is_address(config, "time_address"):
        raise ConfigError(f"`time` is {config.time!r}", "0.0.0.0:8484")
    _check_share(config)
    _check_keep(config.keep)
    for name in (config.name, *config.sites, *(part for g in config.gateways for part in (g.id, g.site))):
        if not is_name(name):
            raise ConfigError(f"{name!r} is no name", "1 to 24 of a-z, 0-9 and '-'")
    ids = [gateway.id for gateway in config.gateways]
    if len(set(ids)) != len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise ConfigError(f"gateway {twice} is listed twice", "a gateway has one bed; delete one of the two")


def _check_keep(keep: Keep) -> None:
    for name in keep.__struct_fields__:
        days, least = getattr(keep, name), LEAST_DAYS[name]
        if days and not least <= days <= KEEP_LIMIT_DAYS:
            hint = f"0 for ever, or {least} to {KEEP_LIMIT_DAYS}: what a spool still has must be known here"
            raise ConfigError(f"`keep.{name}` is {days}", hint)


def _check_share(config: Config) -> None:
    """Several processes need one database that locks for them, and one list of who is let in."""
    if not config.share:
        return
    if not is_name(config.share):
        raise ConfigError(f"`share` is {config.share!r}", "a name: 1 to 24 of a-z, 0-9 and '-'")
    if not config.store.startswith("postgresql"):
        raise ConfigError("`share` is set, and `store` is a file", "several centres share a PostgreSQL store")
    if config.accept != "enrolled":
        raise ConfigError("`share` is set, and `accept` is not enrolled", "list the gateways, or name the `fleet`")


def _is_address(config: Config, which: str) -> bool:
    try:
        host, port = getattr(config, which)
    except ValueError:
        return False
    return bool(host) and 0 < port < 65536
