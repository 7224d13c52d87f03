"""Throwaway keys for a demo or a test: an authority, a broker, gateways, one centre. Never for a hospital."""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from wire import keys

LIFE = datetime.timedelta(days=2)
EARLY = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Keyring:
    """Folders of keys as each program expects them. `others`: (folder, id) of further gateways."""

    broker: Path
    gateway: Path
    centre: Path
    gateway_id: str
    others: tuple[tuple[Path, str], ...] = ()


def make(folder: Path, others: int = 0) -> Keyring:
    """Write a whole keyring under `folder`, for one gateway and `others`."""
    ca_key = Ed25519PrivateKey.generate()
    ca = _certificate("wardlink demo authority", ca_key, ca_key, None)
    ring = Keyring(folder / "broker", folder / "gateway", folder / "centre", "")
    centre_tls, broker_tls, receipts = (Ed25519PrivateKey.generate() for _ in range(3))
    opens = keys.RecipientSecret("xwing", os.urandom(96))
    for place in (ring.broker, ring.centre):
        _write(place / "ca.crt", ca.public_bytes(Encoding.PEM))
    _pair(ring.broker, "broker.crt", "broker.key", _certificate("localhost", broker_tls, ca_key, ca), broker_tls)
    _pair(ring.centre, "centre.crt", "centre.tls.key", _certificate("centre", centre_tls, ca_key, ca), centre_tls)
    _write(ring.centre / "recipient.key", opens.text().encode())
    _write(ring.centre / "centre.key", keys.signer_text(receipts).encode())
    gateways: list[tuple[Path, str]] = []
    for place in (ring.gateway, *(folder / f"gateway-{n}" for n in range(2, others + 2))):
        signer = Ed25519PrivateKey.generate()
        name = keys.gateway_id(signer.public_key())
        _write(place / "ca.crt", ca.public_bytes(Encoding.PEM))
        _pair(place, "gateway.crt", "gateway.key", _certificate(name, signer, ca_key, ca), signer)
        _write(place / "centre.pub", keys.verifier_text(receipts.public_key()).encode())
        _write(place / "recipients" / "centre.pub", opens.recipient.text().encode())
        gateways.append((place, name))
    return Keyring(ring.broker, ring.gateway, ring.centre, gateways[0][1], tuple(gateways[1:]))


def _pair(folder: Path, crt: str, key: str, certificate: x509.Certificate, private: Ed25519PrivateKey) -> None:
    _write(folder / crt, certificate.public_bytes(Encoding.PEM))
    _write(folder / key, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _certificate(
    name: str, key: Ed25519PrivateKey, issuer_key: Ed25519PrivateKey, issuer: x509.Certificate | None
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime.now(datetime.UTC) - EARLY
    draft = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + LIFE)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if name == "localhost":
        names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(IPv4Address("127.0.0.1"))])
        draft = draft.add_extension(names, critical=False)
    return draft.sign(issuer_key, None)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o600)
