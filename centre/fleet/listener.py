"""The endpoint's listener: TLS 1.3 with a certificate of our own issuing key, made and renewed by itself.

A process of its own, beside the one that receives data: whoever breaks into what faces the network here finds the
issuing key, and not the keys that open what is sealed.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
import threading
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import uvicorn
from cryptography import x509
from uvicorn.protocols.http.h11_impl import H11Protocol

from centre import clock
from centre.fleet import certify, lists, members, signing
from centre.fleet.certify import SERVER_LIFE_US
from centre.fleet.endpoint import Endpoint
from centre.fleet.fleet import Act, Fleet
from centre.fleet.store import FleetError

CONNECTIONS_LIMIT_COUNT = 256
CONNECTION_LIMIT_S = 300.0  # an answer of 98 kB at 400 bytes a second
KEEP_ALIVE_LIMIT_S = 5
HEADERS_LIMIT_BYTES = 16384
DEFAULT_PORT = 8485
LOOK_EACH_S = 60.0


class OwnCertificate:
    """`endpoint.key` and `endpoint.crt`, good for `hosts`; `renew` before a third of its life is left."""

    def __init__(self, fleet: Fleet, hosts: list[str]) -> None:
        self._fleet = fleet
        self._hosts = hosts
        self._lock = threading.Lock()
        self._looked_s = 0.0
        self.files = fleet.folder / "endpoint.crt", fleet.folder / "endpoint.key"
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.options |= ssl.OP_NO_COMPRESSION
        self._look()
        self.context.load_cert_chain(*self.files)

    def renew(self) -> None:
        """Cheap: looks once a minute. New connections get the new certificate."""
        with self._lock:
            if clock.monotonic_s() - self._looked_s >= LOOK_EACH_S and self._look():
                self.context.load_cert_chain(*self.files)

    def _look(self) -> bool:
        """Whether another one was made."""
        self._looked_s = clock.monotonic_s()
        now = clock.utc_us()
        with self._fleet.reading() as db:
            if self._is_good(now, "".join(certify.pem(one) for one in signing.chain(db))):
                return False
        with self._fleet.act("endpoint", now) as act:
            self._make(act)
        return True

    def _is_good(self, now: int, chain: str) -> bool:
        try:
            text = self.files[0].read_text(encoding="ascii")
            own = x509.load_pem_x509_certificate(text.encode())
            names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (OSError, ValueError, x509.ExtensionNotFound):
            return False
        left = certify.until_of(own) - now
        same = [str(name.value) for name in names] == self._hosts
        return self.files[1].exists() and same and text.endswith(chain) and left > SERVER_LIFE_US // 3

    def _make(self, act: Act) -> None:
        for path in (*self.files, act.fleet.folder / "ca.crt"):
            path.unlink(missing_ok=True)
        members.write_certificate(act, "endpoint", self._hosts, act.fleet.folder)


class Brief(H11Protocol):
    """A connection that ends, whatever the other side does or leaves: it must not hold a place for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(CONNECTION_LIMIT_S, transport.abort)


def serve(folder: Path, listen: str, hosts: list[str]) -> int:
    """Until SIGTERM or SIGINT. `hosts`: how gateways name it, none: as `enrol` says. Raises FleetError."""
    fleet = Fleet(folder)
    own = OwnCertificate(fleet, hosts or [_enrol_host(fleet)])
    server = server_of(fleet, own, listen)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)  # uvicorn ends in order, and then gives the signal to us
    server.run()
    return 0 if server.started else 1


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def server_of(fleet: Fleet, own: OwnCertificate, listen: str) -> uvicorn.Server:
    """`listen`: host:port. Raises FleetError."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise FleetError(f"--listen is {listen!r}", f"0.0.0.0:{DEFAULT_PORT}")
    settings = uvicorn.Config(
        Endpoint(fleet, own.renew).app,
        host=host.strip("[]"),
        port=int(port),
        ssl_certfile=own.files[0],
        ssl_keyfile=own.files[1],
        http=Brief,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_LIMIT_COUNT,
        timeout_keep_alive=KEEP_ALIVE_LIMIT_S,
        timeout_graceful_shutdown=KEEP_ALIVE_LIMIT_S,
        h11_max_incomplete_event_size=HEADERS_LIMIT_BYTES,
    )
    settings.load()
    settings.ssl = own.context
    return uvicorn.Server(settings)


def _enrol_host(fleet: Fleet) -> str:
    with fleet.reading() as db:
        host = urlsplit(lists.address(db, "enrol")).hostname
    if not host:
        raise FleetError("nobody knows where this is", "wardlink fleet set enrol https://host:8485, or --name host")
    return host
