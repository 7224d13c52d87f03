"""Certificates for tests, made with no more than `cryptography`: a root, what it signs, a gateway's request."""

import datetime
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from wire.keys import gateway_id

DAY = datetime.timedelta(days=1)
FROM = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def key(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(number.to_bytes(32))


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class Authority:
    """A key and its certificate."""

    key: Ed25519PrivateKey
    cert: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.cert.public_bytes(Encoding.DER)

    def signs(
        self,
        subject: str,
        subject_key: Ed25519PrivateKey,
        *,
        ca: bool = True,
        path: int | None = 0,
        usage: bool = True,
    ) -> "Authority":
        return certified(subject, subject_key, self.cert.subject, self.key, ca=ca, path=path, usage=usage)


def certified(
    subject: str,
    subject_key: Ed25519PrivateKey,
    issuer: x509.Name,
    issuer_key: Ed25519PrivateKey,
    *,
    ca: bool = True,
    path: int | None = None,
    usage: bool = True,
    signs: bool = True,
) -> Authority:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(issuer)
        .public_key(subject_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(FROM)
        .not_valid_after(FROM + 3650 * DAY)
        .add_extension(x509.BasicConstraints(ca, path if ca else None), critical=True)
    )
    if usage:
        flags = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        signing = x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca and signs, crl_sign=ca, **flags)
        builder = builder.add_extension(signing, critical=True)
    return Authority(subject_key, builder.sign(issuer_key, None))


def root(number: int, path: int | None = None) -> Authority:
    own = key(number)
    return certified(f"root {number}", own, name(f"root {number}"), own, path=path)


def csr(gateway_key: Ed25519PrivateKey, cn: str = "") -> bytes:
    subject = name(cn or gateway_id(gateway_key.public_key()))
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(gateway_key, None)
    return request.public_bytes(Encoding.DER)
