"""Throwaway keys for a demo or a test: an authority, a broker, one gateway, one centre. Never for a hospital."""

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
    """Folders of keys as each program expects them."""

    broker: Path
    gateway: Path
    centre: Path
    gateway_id: str


def make(folder: Path, address: str = "127.0.0.1") -> Keyring:
    """Write a whole keyring under `folder`; the broker's certificate is for localhost and `address`."""
    return many(folder, 1, address)[0]


def many(folder: Path, gateways: int, address: str = "127.0.0.1") -> list[Keyring]:
    """One authority, broker and centre, and so many gateways: a keyring for each gateway."""
    ca_key = Ed25519PrivateKey.generate()
    ca = _certificate("wardlink demo authority", ca_key, ca_key, None)
    broker, centre = folder / "broker", folder / "centre"
    centre_tls, broker_tls, receipts = (Ed25519PrivateKey.generate() for _ in range(3))
    opens = keys.RecipientSecret("xwing", os.urandom(96))
    names = ["gateway", *(f"gateway-{number}" for number in range(2, gateways + 1))]
    for place in (broker, centre, *(folder / name for name in names)):
        _write(place / "ca.crt", ca.public_bytes(Encoding.PEM))
    hosts = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address(address))])
    _pair(broker, "broker.crt", "broker.key", _certificate("localhost", broker_tls, ca_key, ca, hosts), broker_tls)
    _pair(centre, "centre.crt", "centre.tls.key", _certificate("centre", centre_tls, ca_key, ca), centre_tls)
    _write(centre / "recipient.key", opens.text().encode())
    _write(centre / "centre.key", keys.signer_text(receipts).encode())
    rings = []
    for name in names:
        signer = Ed25519PrivateKey.generate()
        gateway_id, place = keys.gateway_id(signer.public_key()), folder / name
        _pair(place, "gateway.crt", "gateway.key", _certificate(gateway_id, signer, ca_key, ca), signer)
        _write(place / "centre.pub", keys.verifier_text(receipts.public_key()).encode())
        _write(place / "recipients" / "centre.pub", opens.recipient.text().encode())
        rings.append(Keyring(broker, place, centre, gateway_id))
    return rings


def _pair(folder: Path, crt: str, key: str, certificate: x509.Certificate, private: Ed25519PrivateKey) -> None:
    _write(folder / crt, certificate.public_bytes(Encoding.PEM))
    _write(folder / key, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _certificate(
    name: str,
    key: Ed25519PrivateKey,
    issuer_key: Ed25519PrivateKey,
    issuer: x509.Certificate | None,
    names: x509.SubjectAlternativeName | None = None,
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
    if names is not None:
        draft = draft.add_extension(names, critical=False)
    return draft.sign(issuer_key, None)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o600)
