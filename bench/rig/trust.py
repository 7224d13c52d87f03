"""Keys and certificates of a rig, by the product's own code, and as each program wants its folder."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from bench.rig import rings
from centre import clock
from centre.fleet import certify
from centre.fleet.certify import DAY_US, Authority
from centre.fleet.fleet import pem_of
from wire import keys

CENTRE = "centre"


def centre_keys(folder: Path, seed: int) -> None:
    """What opens envelopes and what signs receipts."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipient.key").write_text(rings.centre_secret(seed).text())
    (folder / "centre.key").write_text(keys.signer_text(rings.centre_signer(seed)))


def certificates(folder: Path, seed: int, gateways: int) -> None:
    """`<name>.crt` and `.key` of the broker, the centre and every gateway, and `ca.crt`: a root and what it issues."""
    folder.mkdir(parents=True, exist_ok=True)
    root_key, issuing_key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    now = clock.utc_us()
    root = Authority(certify.root(root_key, now), root_key)
    by = Authority(certify.issuing(issuing_key.public_key(), root, now), issuing_key)
    (folder / "ca.crt").write_bytes(root.certificate.public_bytes(Encoding.PEM))
    key = Ed25519PrivateKey.generate()
    _keep(folder, "broker", certify.server(["localhost"], key.public_key(), by, now, DAY_US), key, by)
    key = Ed25519PrivateKey.generate()
    _keep(folder, CENTRE, certify.client(CENTRE, key.public_key(), by, now, DAY_US), key, by)
    (folder / "centre.tls.key").write_bytes((folder / "centre.key").read_bytes())
    for number in range(gateways):
        key = rings.signer(seed, number)
        name = keys.gateway_id(key.public_key())
        _keep(folder, name, certify.client(name, key.public_key(), by, now, DAY_US), key, by)


def _keep(folder: Path, name: str, certificate: x509.Certificate, key: Ed25519PrivateKey, by: Authority) -> None:
    chain = b"".join(one.public_bytes(Encoding.PEM) for one in (certificate, by.certificate))
    (folder / f"{name}.crt").write_bytes(chain)
    (folder / f"{name}.key").write_bytes(pem_of(key))
