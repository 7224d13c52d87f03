"""Roots and issuing keys: how they begin, how each follows another (docs/adr/0019-trust.md).

The root's key comes in a file under a passphrase, for the moment of `begin`, `rotate_root`, `renew` and `rotate`.
"""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from centre.fleet import certify, fleet, lists, passphrase, signing
from centre.fleet.certify import Authority
from centre.fleet.fleet import Act, Fleet
from centre.fleet.store import FleetError
from wire.directory import ROOTS_LIMIT_COUNT
from wire.keys import raw

ROOT_FILE_LIMIT_BYTES = 16384


@dataclass(frozen=True, slots=True)
class RootFile:
    """Where a root's key is or is to be, and what opens it."""

    path: Path
    passphrase: str

    def write(self, root: Authority) -> None:
        data = passphrase.sealed(root.key, self.passphrase) + root.certificate.public_bytes(Encoding.PEM)
        try:
            fleet.write_secret(self.path, data)
        except FileExistsError as error:
            raise FleetError(
                f"{self.path} is there already", "name a file that is not; a root is never overwritten"
            ) from error

    def read(self) -> Authority:
        """Raises FleetError."""
        with self.path.open("rb") as file:
            data = file.read(ROOT_FILE_LIMIT_BYTES)
        key = passphrase.opened(data, self.passphrase)
        try:
            certificate = x509.load_pem_x509_certificate(data)
        except ValueError as error:
            raise FleetError(
                f"{self.path} holds no certificate", "it is the file `wardlink fleet init` made"
            ) from error
        return Authority(certificate, key)


def begin(folder: Path, root_file: RootFile, who: str, now: int) -> Fleet:
    """A new fleet: root, issuing key, store. Raises FleetError."""
    if root_file.path.resolve().is_relative_to(folder.resolve()):
        raise FleetError(
            "the root's key must not stay at the centre", "name a file on a stick: --root /media/stick/root.pem"
        )
    root = _new_root(now)
    root_file.write(root)  # before the store is made: a passphrase that is too short has cost nothing
    made = fleet.make_folder(folder)
    with made.act(who, now) as act:
        _insert_root(act, root.certificate, None)
        _issue(act, Ed25519PrivateKey.generate(), root)
    return made


def rotate_root(act: Act, old_file: RootFile, new_file: RootFile) -> bytes:
    """A new root, signed by the old one, and an issuing key of its own; both are believed until `drop_root`.

    The old issuing key is not certified again: it may be why there is a new root. Returns the new root's SHA-256.
    """
    old = _current_root(act.db, old_file)
    if len(signing.roots(act.db)) >= ROOTS_LIMIT_COUNT:
        raise FleetError(f"{ROOTS_LIMIT_COUNT} roots are believed already", "wardlink fleet root drop")
    new = _new_root(act.now)
    new_file.write(new)
    _insert_root(act, new.certificate, certify.crossed(new.certificate, old, act.now))
    _issue(act, Ed25519PrivateKey.generate(), new)
    lists.publish_all(act)
    return hash_of(new.certificate)


def drop_root(act: Act, prefix: str, *, at_once: bool = False) -> None:
    """Nobody believes it any more, once the next directory is there. Refused while a gateway may know no other."""
    found = [row for row in signing.rows(act.db) if row["hash"].hex().startswith(prefix.lower())]
    if len(found) != 1 or found[0]["dropped"] is not None or not prefix:
        raise FleetError(f"no one root that is believed begins with {prefix}", "wardlink fleet list shows them")
    newest = signing.rows(act.db)[-1]
    if found[0]["hash"] == newest["hash"]:
        raise FleetError("it is the newest root", "wardlink fleet root rotate makes the next one first")
    left = act.db.execute(
        "SELECT count(DISTINCT holder) FROM certificate WHERE kind = 'gateway' AND revoked IS NULL AND until > ? AND "
        "issued < ? AND holder NOT IN (SELECT holder FROM certificate WHERE issued >= ?)",
        (act.now, newest["added"], newest["added"]),
    ).fetchone()[0]
    if left and not at_once:
        raise FleetError(
            f"{left} gateways have not renewed since the new root",
            "they would not believe the broker; --now if they must",
        )
    act.db.execute("UPDATE root SET dropped = ? WHERE hash = ?", (act.now, found[0]["hash"]))
    act.note("root dropped", root=found[0]["hash"].hex(), waiting=str(left))
    lists.publish_all(act)


def renew_issuing(act: Act, root_file: RootFile) -> None:
    """The same issuing key for two more years."""
    key = signing.key_name(act.db)
    _certify(act, key, act.fleet.issuing_key(key), _current_root(act.db, root_file))
    lists.publish_all(act)


def rotate_issuing(act: Act, root_file: RootFile) -> None:
    """Another issuing key. What the old one signed is good until it expires."""
    _issue(act, Ed25519PrivateKey.generate(), _current_root(act.db, root_file))
    lists.publish_all(act)


def hash_of(certificate: x509.Certificate) -> bytes:
    return hashlib.sha256(certify.der(certificate)).digest()


def _new_root(now: int) -> Authority:
    key = Ed25519PrivateKey.generate()
    return Authority(certify.root(key, now), key)


def _current_root(db: sqlite3.Connection, file: RootFile) -> Authority:
    root = file.read()
    if hash_of(root.certificate) != signing.rows(db)[-1]["hash"]:
        raise FleetError(f"{file.path} is not the newest root of this fleet", "wardlink fleet list shows which it is")
    return root


def _insert_root(act: Act, certificate: x509.Certificate, crossed: x509.Certificate | None) -> None:
    row = (hash_of(certificate), certify.der(certificate), None if crossed is None else certify.der(crossed), act.now)
    act.db.execute("INSERT INTO root (hash, der, crossed, added) VALUES (?, ?, ?, ?)", row)
    act.note("root begun", root=row[0].hex(), until=str(certify.until_of(certificate)))


def _issue(act: Act, key: Ed25519PrivateKey, root: Authority) -> None:
    name = hashlib.sha256(raw(key.public_key())).hexdigest()[:16]
    act.fleet.keep_issuing_key(name, key)
    _certify(act, name, key, root)


def _certify(act: Act, name: str, key: Ed25519PrivateKey, root: Authority) -> None:
    made = certify.issuing(key.public_key(), root, act.now)
    until = certify.until_of(made)
    row = (name, hash_of(root.certificate), certify.der(made), act.now, until)
    act.db.execute("INSERT INTO issuing (key, root, der, added, until) VALUES (?, ?, ?, ?, ?)", row)
    act.note("issuing key certified", key=name, root=row[1].hex(), until=str(until))
