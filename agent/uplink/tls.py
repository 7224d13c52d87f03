"""TLS 1.3 to the broker, and what went wrong in words that a field engineer can act on.

A session is resumed where the broker allows it: half of the 2.4 kB of a handshake is left, and no certificate is sent
or looked at again but for its dates. How long a ticket is good is the broker's to say.

With `known` dates are ours to check, against what we know of UTC and not the system's clock (agent/uplink/dates.py):
OpenSSL leaves them out (X509_V_FLAG_NO_CHECK_TIME), and no handshake returns before they were looked at.

RFC 8446. OpenSSL's verification codes are those of x509_vfy.h, its alert names those of RFC 8446 section 6.2.
A broker that refuses our certificate says so after our handshake has ended, so that error comes with the first read.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agent.uplink.dates import HINTS, Dates, DatesError, Known, check, dates_of, day
from wire.validity import DateError

_NO_CHECK_TIME = 0x200000  # x509_vfy.h; Python has no name for it
_RENEW_US = 30 * 86_400_000_000
_EXPIRED, _NOT_YET_VALID, _REVOKED = 10, 9, 23
_FOREIGN = frozenset({7, 18, 19, 20, 21, 24})  # 26, not meant for a server, has words of its own
_WRONG_NAME = frozenset({62, 64})

_ALERTS = {
    "CERTIFICATE_EXPIRED": ("the broker says that the gateway's certificate has expired", "enrol the gateway again"),
    "CERTIFICATE_REVOKED": ("the broker says that the gateway's certificate is revoked", "enrol the gateway again"),
    "CERTIFICATE_REQUIRED": (
        "the broker asks for a client certificate and got none",
        "give the gateway its certificate and key: wardlink enrol",
    ),
    "UNKNOWN_CA": (
        "the broker does not know who issued the gateway's certificate",
        "the broker's cafile must hold the authority that enrolled this gateway",
    ),
    "DECRYPT_ERROR": (
        "the broker cannot verify the gateway's certificate",
        "the broker's cafile must hold the authority that enrolled this gateway",
    ),
    "NOT_AUTHORIZED": (  # of MQTT 5.0, 3.4.2.1: mosquitto 2.0.11 closes after it
        "the broker refuses what we publish",
        "check the ACL at the broker for this gateway's topics, and its log",
    ),
    "BAD_CERTIFICATE": ("the broker refuses the gateway's certificate", "enrol the gateway again"),
    "PROTOCOL_VERSION": ("the broker does not speak TLS 1.3", "enable TLS 1.3 at the broker"),
    "UNSUPPORTED_PROTOCOL": ("the broker does not speak TLS 1.3", "enable TLS 1.3 at the broker"),
    "WRONG_VERSION_NUMBER": ("what answers there does not speak TLS", "check the port: 8883 is usual for mqtts"),
}
log = logging.getLogger("wardlink.uplink")
_CLOSED = ("EOF", "RESET_BY_PEER", "BROKEN_PIPE", "CLOSED")


class LinkError(Exception):
    """The link cannot be made or kept, for a reason outside this program; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Dated(ssl.SSLSocket):
    """Its handshake ends with our look at the dates of the chain. Raises LinkError there."""

    dates: Dates | None = None
    _is_weak = False  # nobody confirmed the time when they were looked at

    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        context = self.context
        if isinstance(context, Resuming) and context.known is not None:
            known = context.known()
            self.dates = context.look(self, known)
            self._is_weak = known.by in HINTS

    def look_again(self) -> None:
        """Once the time is known better than it was at the handshake. Raises LinkError."""
        context = self.context
        if self._is_weak and isinstance(context, Resuming) and context.known is not None and self.dates is not None:
            known = context.known()
            if known.by not in HINTS:
                self._is_weak = False
                _check(self.dates, known)


class Resuming(ssl.SSLContext):
    """Offers the ticket of the last good session with the next handshake: once, as RFC 8446 C.4 advises."""

    known: Callable[[], Known] | None = None
    own: Dates | None = None  # of our own certificate
    _ticket: ssl.SSLSession | None = None
    _ticket_dates: Dates | None = None
    _offered: Dates | None = None

    def wrap_socket(self, *args: Any, **named: Any) -> ssl.SSLSocket:
        ticket, self._ticket = self._ticket, None
        self._offered = self._ticket_dates
        return super().wrap_socket(*args, **{**named, "session": ticket})

    def keep(self, sock: ssl.SSLSocket) -> None:
        """The broker has accepted this connection; its tickets have come by then."""
        self._ticket = sock.session
        self._ticket_dates = sock.dates if isinstance(sock, Dated) else None

    def look(self, sock: ssl.SSLSocket, known: Known) -> Dates:
        """The dates of the other side's chain, or of that of the session which this one resumes. Raises LinkError."""
        try:
            dates = self._offered if sock.session_reused else dates_of(_chain(sock))
            if dates is None:
                raise DateError("a session is resumed that was never looked at")
        except DateError as error:
            raise LinkError(f"the broker's certificate cannot be read: {error}", "make it again") from error
        _check(dates, known)
        if known.by == "floor":
            log.warning("uplink certificates=held-against-floor known=%r", known.words())
        if self.own is not None and known.earliest > self.own.end - _RENEW_US:
            log.warning("uplink certificate=ends when=%r hint='renew it'", day(self.own.end))
        return dates


def _check(dates: Dates, known: Known) -> None:
    """Raises LinkError."""
    try:
        check(dates, known, "the broker's certificate")
    except DatesError as error:
        raise LinkError(error.message, error.hint) from error


def _chain(sock: ssl.SSLSocket) -> Sequence[bytes]:
    """The verified chain, DER each. Raises DateError where there is none."""
    if hasattr(sock, "get_verified_chain"):  # 3.13
        found: Sequence[bytes] = sock.get_verified_chain()
    else:
        found = [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in sock._sslobj.get_verified_chain() or ()]  # type: ignore[attr-defined]
    if not found:
        raise DateError("no chain")
    return found


def context(
    ca_file: Path, certificate_file: Path, key_file: Path, known: Callable[[], Known] | None = None
) -> Resuming:
    """Client side, TLS 1.3 only, own certificate, only the given authorities. Raises LinkError.

    `known`, asked at each handshake, takes the place of the system's clock.
    """
    made = Resuming(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.check_hostname = True
    made.verify_mode = ssl.CERT_REQUIRED
    if known is not None:
        made.known = known
        made.sslsocket_class = Dated
        made.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    for path in (ca_file, certificate_file, key_file):
        _readable(path)
    try:
        made.load_verify_locations(cafile=ca_file)
    except ssl.SSLError as error:
        raise LinkError(f"{ca_file} holds no certificate authority in PEM: {error.reason}", "copy it again") from error
    try:
        made.load_cert_chain(certificate_file, key_file, password=_no_passphrase)
        made.own = dates_of([ssl.PEM_cert_to_DER_cert(_first(certificate_file.read_text("ascii")))])
    except ssl.SSLError as error:
        raise _own_certificate(certificate_file, key_file, error) from error
    return made


def _first(pem: str) -> str:
    """The first certificate of a file of one or several."""
    return pem[pem.index(ssl.PEM_HEADER) : pem.index(ssl.PEM_FOOTER) + len(ssl.PEM_FOOTER)]


def _no_passphrase() -> str:
    """A daemon cannot be asked; without this OpenSSL asks on the terminal."""
    return ""


def _readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise LinkError(
            f"cannot read {path}: {error.strerror}",
            "check that the file exists and that the daemon's user may read it",
        ) from error


def _own_certificate(certificate: Path, key: Path, error: ssl.SSLError) -> LinkError:
    if "MISMATCH" in (error.reason or ""):
        return LinkError(f"{key} is not the key of {certificate}", "both files must come from the same enrolment")
    why = error.reason or "not PEM, or the key has a passphrase"
    return LinkError(f"{certificate} and {key} are no certificate and key in PEM: {why}", "enrol the gateway again")


def explain(error: OSError, host: str, port: int) -> LinkError:
    """What a failed connection means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _foreign_certificate(error, host)
    if isinstance(error, socket.gaierror):
        return LinkError(f"the name {host} cannot be resolved", "check the broker's name and the network's DNS")
    if isinstance(error, ConnectionRefusedError):
        return LinkError(f"{host}:{port} refuses connections", "check the port, and that the broker runs")
    if isinstance(error, TimeoutError):
        return LinkError(f"{host}:{port} does not answer", "check the network and its firewall for the broker's port")
    return explain_text(str(error), host, port)


def explain_text(text: str, host: str, port: int) -> LinkError:
    """The same for OpenSSL's or the system's own words."""
    upper = text.upper().replace(" ", "_")
    for name, (message, hint) in _ALERTS.items():
        if name in upper:
            return LinkError(message, hint)
    if any(word in upper for word in _CLOSED):
        return LinkError(f"{host}:{port} closed the connection", "see the broker's log; the gateway goes on trying")
    return LinkError(f"the link to {host}:{port} broke: {text}", "check the network; the gateway goes on trying")


def unanswered(error: LinkError) -> LinkError:
    """What it means before the broker has answered: its refusal of our certificate may be overtaken by the end."""
    if not error.message.endswith("closed the connection"):
        return error
    what = f"{error.message} before it answered: it may refuse the gateway's certificate"
    return LinkError(what, "does the broker's cafile hold the authority that enrolled this gateway? its log says")


def _foreign_certificate(error: ssl.SSLCertVerificationError, host: str) -> LinkError:
    code = error.verify_code
    if code == _EXPIRED:
        return LinkError(
            "the broker's certificate has expired", "renew it at the broker; or the gateway's clock runs ahead"
        )
    if code == _NOT_YET_VALID:
        return LinkError("the broker's certificate is not valid yet", "the gateway's clock is behind: check its NTP")
    if code in _FOREIGN:
        return LinkError(
            "the broker's certificate is from an authority we do not trust",
            "check the CA file; a firewall that opens TLS must make an exception for the broker",
        )
    if code in _WRONG_NAME:
        return LinkError(f"the broker's certificate is not for {host}", "use the name in it as the broker's address")
    if code == _REVOKED:
        return LinkError("the broker's certificate is revoked", "renew it at the broker")
    return LinkError(f"the broker's certificate is refused: {error.verify_message}", "renew it at the broker")
