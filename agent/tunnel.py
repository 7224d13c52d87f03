"""A connection through the hospital's proxy. What is said through it is TLS with the other end: the proxy sees names.

HTTP CONNECT (RFC 9110, 9.3.6) with Basic (RFC 7617), SOCKS5 (RFC 1928) with a user and a password (RFC 1929). Names are
resolved by the proxy, for a network that has one often has no DNS of the world outside. Loaded where a proxy is set.
"""

from __future__ import annotations

import ipaddress
import socket
from base64 import b64encode

from agent import clock
from agent.uplink.tcp import Open
from config.proxy import Proxy

HEAD_LIMIT_BYTES = 16_384  # of a proxy's answer; what they say beside it is not read
_OFTEN = 443  # what proxies let through
_LOGIN = 'proxy in gateway.toml or wardlink.txt: "http://user:password@host:port"'
_NET = "check the proxy's address, and the network"
_SOCKS = {
    2: "does not allow it",
    3: "has no way there",
    4: "has no way there",
    5: "was refused",
    6: "got no answer",
}


class TunnelError(OSError):
    """The proxy does not take us there; `hint` says what to do. Its words name the proxy."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def through(proxy: Proxy) -> Open:
    """What opens connections from now on."""

    def open_(host: str, port: int, limit_s: float) -> socket.socket:
        """Raises TunnelError, UnicodeError where `host` is no name."""
        sock = _reached(proxy, limit_s)
        try:
            (_connect if proxy.kind == "http" else _socks5)(_Answering(sock, limit_s), proxy, host, port)
            sock.settimeout(limit_s)
        except TimeoutError as error:
            sock.close()
            raise _shut(proxy, host, port, f"no answer in {limit_s:.0f} s") from error
        except TunnelError:
            sock.close()
            raise
        except OSError as error:
            sock.close()
            raise _shut(proxy, host, port, "it closed the connection") from error
        except UnicodeError:
            sock.close()
            raise
        return sock

    return open_


def _reached(proxy: Proxy, limit_s: float) -> socket.socket:
    try:
        return socket.create_connection((proxy.host, proxy.port), timeout=limit_s)
    except (socket.gaierror, UnicodeError) as error:
        what = f"the proxy's name {proxy.host} cannot be resolved"
        raise TunnelError(what, "its name, and the network's DNS; or its numeric address") from error
    except ConnectionRefusedError as error:
        raise TunnelError(f"the proxy {proxy.place} refuses connections", "its port, and whether it runs") from error
    except TimeoutError as error:
        raise TunnelError(f"the proxy {proxy.place} does not answer", _NET) from error
    except OSError as error:
        raise TunnelError(f"the proxy {proxy.place} is not reached: {error.strerror}", _NET) from error


def _shut(proxy: Proxy, host: str, port: int, why: str) -> TunnelError:
    hint = f"ask the hospital to let {host}:{port} through the proxy"
    if port != _OFTEN:
        hint += f"; or the centre for a port {_OFTEN}, which most proxies let through"
    return TunnelError(f"the proxy {proxy.place} does not connect us to {host}:{port}: {why}", hint)


class _Answering:
    """The proxy's side of a socket, with one limit of time for all that it says: a drop a second is no answer."""

    def __init__(self, sock: socket.socket, limit_s: float) -> None:
        self._sock = sock
        self._until = clock.now() + int(limit_s * 1e9)

    def say(self, data: bytes) -> None:
        self._sock.sendall(data)

    def hear(self, size_bytes: int) -> bytes:
        """So many, and none that follow: those are the other end's. Raises OSError."""
        data = b""
        while len(data) < size_bytes:
            left = self._until - clock.now()
            if left <= 0:
                raise TimeoutError
            self._sock.settimeout(left / 1e9)
            more = self._sock.recv(size_bytes - len(data))
            if not more:
                raise ConnectionResetError
            data += more
        return data


def _connect(link: _Answering, proxy: Proxy, host: str, port: int) -> None:
    where = f"[{host}]:{port}" if ":" in host else f"{host.encode('idna').decode('ascii')}:{port}"
    said = f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n"
    if proxy.user:
        said += f"Proxy-Authorization: Basic {b64encode(f'{proxy.user}:{proxy.password}'.encode()).decode()}\r\n"
    link.say(f"{said}\r\n".encode("ascii"))
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < HEAD_LIMIT_BYTES:
        head += link.hear(1)
        if not b"HTTP/1.".startswith(head[:7]) or len(head) == HEAD_LIMIT_BYTES:
            raise TunnelError(f"what answers at {proxy.place} is no HTTP proxy", "its address; or is it socks5://?")
    status = head.split(b" ", 2)[1][:3].decode("ascii", "replace") if b" " in head else ""
    if status == "407" or (status == "401" and b"proxy" in head.lower()):
        raise _login(proxy, b"basic" in head.lower())
    if not status.startswith("2"):
        raise _shut(proxy, host, port, f"it says {status}")


def _login(proxy: Proxy, is_basic: bool) -> TunnelError:
    if not is_basic:
        what = f"the proxy {proxy.place} asks for a login that we do not speak (we speak Basic)"
        return TunnelError(what, "ask the hospital to let the gateway's address through without a login")
    if proxy.user:
        return TunnelError(f"the proxy {proxy.place} refuses our user or password (407)", _LOGIN)
    return TunnelError(f"the proxy {proxy.place} asks for a user and a password (407)", _LOGIN)


def _socks5(link: _Answering, proxy: Proxy, host: str, port: int) -> None:
    link.say(b"\x05\x01\x02" if proxy.user else b"\x05\x01\x00")
    version, method = link.hear(2)
    if version != 5:
        raise TunnelError(f"what answers at {proxy.place} is no SOCKS5 proxy", "its address; or is it http://?")
    if method == 2 and proxy.user:
        user, password = proxy.user.encode(), proxy.password.encode()
        link.say(b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password)
        if link.hear(2)[1] != 0:
            raise TunnelError(f"the proxy {proxy.place} refuses our user or password", _LOGIN)
    elif method != 0:
        what = "asks for another login than ours" if proxy.user else "asks for a user and a password"
        raise TunnelError(f"the proxy {proxy.place} {what}", _LOGIN)
    link.say(b"\x05\x01\x00" + _address(host) + port.to_bytes(2, "big"))
    _, code, _, kind = link.hear(4)
    if code != 0:
        raise _shut(proxy, host, port, f"it {_SOCKS.get(code, 'failed')} (SOCKS {code})")
    link.hear({1: 4, 4: 16}.get(kind) or link.hear(1)[0])  # where it went out from: nothing to us
    link.hear(2)


def _address(host: str) -> bytes:
    try:
        numeric = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("idna")
        if len(name) > 255:
            raise UnicodeError(host) from None
        return bytes([3, len(name)]) + name
    return (b"\x01" if numeric.version == 4 else b"\x04") + numeric.packed
