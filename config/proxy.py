"""The way out through a proxy, as one text: "http://user:password@host:3128" or "socks5://host:1080". Pure.

A user and a password stand in it as RFC 3986 has them: what is no letter or digit may be written %xx.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote, urlsplit

from config.load import ConfigError

WORD_LIMIT_BYTES = 255  # RFC 1929: a user, a password
_LIKE = 'like "http://10.0.0.1:3128" or "socks5://user:password@proxy.hospital:1080"; in a password % # / ? @ as %xx'


@dataclass(frozen=True, slots=True)
class Proxy:
    """`http` is CONNECT (RFC 9110, 9.3.6), `socks5` RFC 1928. Without a user we give no name."""

    kind: Literal["http", "socks5"]
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """For people, without user and password."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def text(self) -> str:
        """The same for people who may know which kind it is."""
        return f"{self.kind}://{self.place}"


def proxy_of(text: str) -> Proxy:
    """Raises ConfigError, whose words never hold the password."""
    try:
        parts = urlsplit(text)
        kind, host, port = parts.scheme, parts.hostname or "", parts.port or 0
        user, password = unquote(parts.username or "", errors="strict"), unquote(parts.password or "", errors="strict")
    except ValueError:  # its words may quote the password
        raise ConfigError("proxy is no address", _LIKE) from None
    if kind == "https":
        raise ConfigError("no TLS is spoken to the proxy itself", "http://: what passes through it is TLS already")
    if not host or not port or parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError("proxy is no address with a port", _LIKE)
    if kind == "http":
        return Proxy("http", host, port, *_words(user, password, barred=":"))
    if kind == "socks5":
        return Proxy("socks5", host, port, *_words(user, password, barred=""))
    raise ConfigError("proxy is neither http:// nor socks5://", _LIKE)


def _words(user: str, password: str, barred: str) -> tuple[str, str]:
    if password and not user:
        raise ConfigError("proxy has a password and no user", _LIKE)
    if any(len(word.encode()) > WORD_LIMIT_BYTES or not word.isprintable() for word in (user, password)):
        raise ConfigError("proxy has a user or a password that cannot be said to it", _LIKE)
    if barred and barred in user:
        raise ConfigError(f"a proxy's user has no {barred!r} in it", "RFC 7617; ask for another user")
    return user, password
