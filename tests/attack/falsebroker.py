"""Who answers where the broker should: with a certificate that must not be believed, or in another language."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.system.broker_rig import FAR_AWAY, LONG_AGO, Authority

PASSED = datetime.datetime(2021, 1, 1)  # noqa: DTZ001  X.509 is UTC
LATER = datetime.datetime(2089, 1, 1)  # noqa: DTZ001
CONNECT = 0x10  # the first byte of MQTT that a client says
HEARD_LIMIT_BYTES = 65536
LIMIT_S = 10.0


@dataclass(frozen=True)
class Persona:
    """What a false broker shows. `signer`: our authority, another of the same name, or itself."""

    signer: str = "ours"
    host: str = "127.0.0.1"
    since: datetime.datetime = LONG_AGO
    until: datetime.datetime = FAR_AWAY
    is_server: bool = True
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    speaks_tls: bool = True


PERSONAS = {
    "another authority": Persona("another"),
    "signed by itself": Persona("itself"),
    "expired": Persona(until=PASSED),
    "not valid yet": Persona(since=LATER),
    "for another host": Persona(host="10.9.9.9"),
    "a client's certificate": Persona(is_server=False),
    "TLS 1.2 at most": Persona(newest=ssl.TLSVersion.TLSv1_2),
    "TLS 1.1 at most": Persona(newest=ssl.TLSVersion.TLSv1_1),
    "no TLS": Persona(speaks_tls=False),
}


def certificate(folder: Path, authority: Authority, persona: Persona) -> tuple[Path, Path]:
    """(certificate, key) files as the persona has them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
    signing = {"ours": authority.key, "itself": key}.get(persona.signer) or ec.generate_private_key(ec.SECP256R1())
    usage = x509.ExtendedKeyUsageOID.SERVER_AUTH if persona.is_server else x509.ExtendedKeyUsageOID.CLIENT_AUTH
    names = [x509.IPAddress(ipaddress.ip_address(persona.host)), x509.DNSName("broker.example.org")]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if persona.signer == "itself" else authority.name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(persona.since)
        .not_valid_after(persona.until)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(signing, hashes.SHA256())
    )
    pem, pkcs8, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files = folder / "false.crt", folder / "false.key"
    files[0].write_bytes(made.public_bytes(pem))
    files[1].write_bytes(key.private_bytes(pem, pkcs8, plain))
    return files


@dataclass
class FalseBroker:
    """Listens on `port`; `said` is what came through TLS, `raw` what came where there is none."""

    persona: Persona
    files: tuple[Path, Path]
    answer: bytes = b""  # what it says to whoever believes it
    said: bytearray = field(default_factory=bytearray)
    raw: bytearray = field(default_factory=bytearray)
    calls: int = 0
    handshakes: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(LIMIT_S)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> FalseBroker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(LIMIT_S)

    def _serve(self) -> None:
        tls = _terms(self.persona, self.files)
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.calls += 1
            sock.settimeout(LIMIT_S)
            with sock:
                self._hear(sock, tls)

    def _hear(self, sock: socket.socket, tls: ssl.SSLContext) -> None:
        try:
            if not self.persona.speaks_tls:
                sock.sendall(self.answer)
                self.raw += sock.recv(HEARD_LIMIT_BYTES)
                return
            with tls.wrap_socket(sock, server_side=True) as wrapped:
                self.handshakes += 1
                self.said += wrapped.recv(HEARD_LIMIT_BYTES)
                wrapped.sendall(self.answer)
                while heard := wrapped.recv(HEARD_LIMIT_BYTES):
                    self.said += heard
        except OSError:
            return


def _terms(persona: Persona, files: tuple[Path, Path]) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers("ALL:@SECLEVEL=0")  # what is old is refused by the gateway, not by our own library
    made.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    made.maximum_version = persona.newest
    made.load_cert_chain(*files)
    return made
