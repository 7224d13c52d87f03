"""Chains of certificates to a root that is held: signatures and CA constraints (RFC 5280, section 6.1). Pure.

Ed25519 only. Dates are not looked at, because a gateway may not know the time: whoever can, checks them elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import ExtensionOID, NameOID

from wire.keys import gateway_id

CHAIN_LIMIT_COUNT = 4
CERTIFICATE_LIMIT_BYTES = 4096
UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_UNDERSTOOD = {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE}


class ChainError(Exception):
    """The chain does not end at a root that is held, or one in it may not sign; says why."""


def authority(chain: Sequence[bytes], roots: Sequence[bytes]) -> Ed25519PublicKey:
    """The key of `chain[0]`, once each certificate is signed by the next and one of them by one of `roots` (DER).

    Raises ChainError.
    """
    if not 0 < len(chain) <= CHAIN_LIMIT_COUNT:
        raise ChainError(f"{len(chain)} certificates are no chain")
    held = [certificate(data) for data in roots]
    climbed = [certificate(data) for data in chain]
    for below, one in enumerate(climbed):
        _is_authority(one, below)
        root = next((root for root in held if _signed(one, root)), None)
        if root is not None:
            _is_authority(root, below + 1)
            return key_of(climbed[0])
        if below + 1 < len(climbed) and not _signed(one, climbed[below + 1]):
            raise ChainError("a certificate is not signed by the next in the chain")
    raise ChainError("the chain does not end at a root that is held")


def leaf(data: bytes, chain: Sequence[bytes], gateway: str) -> None:
    """Whether `data` (DER) is the certificate of this gateway under `chain[0]`. Raises ChainError."""
    one = certificate(data)
    if not _signed(one, certificate(chain[0])):
        raise ChainError("the gateway's certificate is not signed by the issuing key")
    if _constraints(one).ca:
        raise ChainError("the gateway's certificate is one of an authority")
    if gateway_id(key_of(one)) != gateway or name_of(one.subject) != gateway:
        raise ChainError("the certificate is another gateway's")


def certificate(data: bytes) -> x509.Certificate:
    """Raises ChainError."""
    if len(data) > CERTIFICATE_LIMIT_BYTES:
        raise ChainError(f"{len(data)} bytes is no size of a certificate")
    try:
        one = x509.load_der_x509_certificate(data)
        unknown = [e.oid.dotted_string for e in one.extensions if e.critical and e.oid not in _UNDERSTOOD]
        name_of(one.subject)
    except UNREADABLE as error:
        raise ChainError("not a certificate") from error
    if unknown:
        raise ChainError(f"a critical extension that we do not know: {unknown[0]}")
    return one


def key_of(one: x509.Certificate | x509.CertificateSigningRequest) -> Ed25519PublicKey:
    """Raises ChainError."""
    try:
        key = one.public_key()
    except UNREADABLE as error:
        raise ChainError("a key that we do not know") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ChainError("not an Ed25519 key")
    return key


def name_of(subject: x509.Name) -> str:
    """The one CN of a name that has nothing else, or ""."""
    parts = list(subject)
    if len(parts) != 1 or parts[0].oid != NameOID.COMMON_NAME:
        return ""
    return str(parts[0].value)


def _is_authority(one: x509.Certificate, below: int) -> None:
    """Whether it may sign with `below` authorities between it and a leaf."""
    constraints = _constraints(one)
    if not constraints.ca:
        raise ChainError("a certificate in the chain is no authority's")
    if constraints.path_length is not None and constraints.path_length < below:
        raise ChainError("the chain is longer than one in it allows")
    try:
        usage = one.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise ChainError("an authority that does not say what its key is for") from error
    if not usage.key_cert_sign:
        raise ChainError("an authority that may not sign certificates")


def _constraints(one: x509.Certificate) -> x509.BasicConstraints:
    try:
        return one.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return x509.BasicConstraints(ca=False, path_length=None)


def _signed(one: x509.Certificate, by: x509.Certificate) -> bool:
    key_of(by)
    try:
        one.verify_directly_issued_by(by)
    except (*UNREADABLE, TypeError, InvalidSignature):
        return False
    return True
