"""Certificates of this centre: what is in each kind. Ed25519 for all that we make ourselves (RFC 8410, RFC 5280).

Times are microseconds since 1970; a certificate's own are whole seconds.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from centre.fleet.store import FleetError

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
ROOT_LIFE_US = 3652 * DAY_US
ISSUING_LIFE_US = 731 * DAY_US
SERVER_LIFE_US = 365 * DAY_US
GATEWAY_LIFE_US = 90 * DAY_US
EARLY_US = 3600 * SECOND_US  # a clock that is a little slow must not refuse what was just made
RSA_LEAST_BITS = 2048
PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey


class Authority(NamedTuple):
    """A certificate that signs, and its key."""

    certificate: x509.Certificate
    key: Ed25519PrivateKey


def root(key: Ed25519PrivateKey, now: int) -> x509.Certificate:
    """Signed by itself."""
    named = _name(f"wardlink root {_short(key.public_key())}")
    return _authority(named, key.public_key(), named, key, (now, now + ROOT_LIFE_US), None)


def crossed(following: x509.Certificate, by: Authority, now: int) -> x509.Certificate:
    """The next root's name and key, certified by the root before it."""
    key = following.public_key()
    assert isinstance(key, Ed25519PublicKey)
    until = min(until_of(following), until_of(by.certificate))
    return _authority(following.subject, key, by.certificate.subject, by.key, (now, until), None)


def issuing(key: Ed25519PublicKey, by: Authority, now: int) -> x509.Certificate:
    """May sign gateways, servers and revocations, and no further authority."""
    until = min(now + ISSUING_LIFE_US, until_of(by.certificate))
    named = _name(f"wardlink issuing {_short(key)}")
    return _authority(named, key, by.certificate.subject, by.key, (now, until), 0)


def client(name: str, key: PublicKey, by: Authority, now: int, life_us: int) -> x509.Certificate:
    """For whoever dials: a gateway, a centre. CN is its name."""
    return _leaf(name, key, by, (now, life_us), ExtendedKeyUsageOID.CLIENT_AUTH).sign(by.key, None)


def server(hosts: Sequence[str], key: PublicKey, by: Authority, now: int, life_us: int) -> x509.Certificate:
    """For whoever is dialled by one of `hosts` (names or addresses). CN is the first."""
    names = x509.SubjectAlternativeName([_general(host) for host in hosts])
    draft = _leaf(hosts[0][:64], key, by, (now, life_us), ExtendedKeyUsageOID.SERVER_AUTH)
    return draft.add_extension(names, critical=False).sign(by.key, None)


def revocations(revoked: Iterable[tuple[int, int]], by: Authority, now: int) -> bytes:
    """The list in PEM; `revoked`: (serial, when). Good as long as its authority: an old list must not lock all out."""
    draft = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(by.certificate.subject)
        .last_update(_date(now))
        .next_update(by.certificate.not_valid_after_utc)
        .add_extension(_authority_id(by), critical=False)
        .add_extension(x509.CRLNumber(now // SECOND_US), critical=False)
    )
    for serial, when in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(_date(when)).build()
        draft = draft.add_revoked_certificate(entry)
    return draft.sign(by.key, None).public_bytes(Encoding.PEM)


def requested(pem: bytes) -> PublicKey:
    """The key of a server's signing request (PEM), whose own names are left aside. Raises FleetError."""
    try:
        request = x509.load_pem_x509_csr(pem)
        key, genuine = request.public_key(), request.is_signature_valid
    except (ValueError, x509.InvalidVersion) as error:
        raise FleetError("not a signing request", "openssl req -new makes one, as PEM") from error
    small = isinstance(key, RSAPublicKey) and key.key_size < RSA_LEAST_BITS
    if not genuine or small or not isinstance(key, PublicKey):
        raise FleetError("the request's signature or its key will not do", "Ed25519, an elliptic curve, or RSA of 2048")
    return key


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def pem(data: bytes) -> str:
    """A certificate in DER as PEM."""
    return x509.load_der_x509_certificate(data).public_bytes(Encoding.PEM).decode("ascii")


def until_of(certificate: x509.Certificate) -> int:
    return int(certificate.not_valid_after_utc.timestamp()) * SECOND_US


def _authority(
    subject: x509.Name,
    key: Ed25519PublicKey,
    issuer: x509.Name,
    issuer_key: Ed25519PrivateKey,
    life: tuple[int, int],
    path: int | None,
) -> x509.Certificate:
    own = x509.SubjectKeyIdentifier.from_public_key(key)
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        _draft(subject, key, issuer, life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(own, critical=False)
        .add_extension(above, critical=False)
        .sign(issuer_key, None)
    )


def _leaf(
    name: str, key: PublicKey, by: Authority, life: tuple[int, int], purpose: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    now, life_us = life
    until = min(now + life_us, until_of(by.certificate))
    if until <= now:
        raise FleetError("the issuing certificate has expired", "bring the root: wardlink fleet issuing renew")
    return (
        _draft(_name(name), key, by.certificate.subject, (now, until))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(_authority_id(by), critical=False)
    )


def _draft(subject: x509.Name, key: PublicKey, issuer: x509.Name, life: tuple[int, int]) -> x509.CertificateBuilder:
    start, until = life
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_date(start - EARLY_US))
        .not_valid_after(_date(until))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_id(by: Authority) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _short(key: Ed25519PublicKey) -> str:
    return x509.SubjectKeyIdentifier.from_public_key(key).digest.hex()[:8]


def _date(us: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(us // SECOND_US, datetime.UTC)
