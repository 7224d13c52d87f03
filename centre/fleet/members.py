"""Gateways that are enrolled: listed, revoked, retired; servers and centres that have certificates."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre.fleet import answering, certify, fleet, lists, signing, vouchers
from centre.fleet.certify import SERVER_LIFE_US, Authority, PublicKey
from centre.fleet.fleet import Act
from centre.fleet.store import FleetError
from wire.topics import is_name
from wire.voucher import Voucher, is_url

KINDS = ("broker", "centre", "endpoint")
WHY_LIMIT_LETTERS = 120


class Member(NamedTuple):
    """A gateway. `state`: active, retired (its backlog may be relayed) or revoked. `until`: of its certificate."""

    gateway: str
    site: str
    bed: str
    board: str
    state: str
    why: str
    enrolled: int
    until: int
    replaces: str


class Holder(NamedTuple):
    """A certificate of a broker, centre or endpoint that is not revoked."""

    name: str
    kind: str
    serial: str
    until: int


def members(db: sqlite3.Connection) -> list[Member]:
    """All gateways there ever were, by site."""
    rows = db.execute(
        "SELECT g.*, coalesce((SELECT max(until) FROM certificate c WHERE c.holder = g.gateway), 0) AS until "
        "FROM gateway g ORDER BY site, enrolled, gateway"
    )
    return [
        Member(
            row["gateway"],
            row["site"],
            row["bed"],
            row["board"],
            row["state"],
            row["why"],
            row["enrolled"],
            row["until"],
            row["replaces"] or "",
        )
        for row in rows
    ]


def holders(db: sqlite3.Connection, now: int) -> list[Holder]:
    """Brokers, centres and endpoints whose certificates are good; a name may have several."""
    rows = db.execute(
        "SELECT * FROM certificate WHERE kind != 'gateway' AND revoked IS NULL AND until > ? "
        "ORDER BY kind, holder, issued",
        (now,),
    )
    return [Holder(row["holder"], row["kind"], row["serial"], row["until"]) for row in rows]


def revoke(act: Act, name: str, why: str) -> None:
    """A gateway, or the holder of another certificate. What it says afterwards is refused, relayed or not."""
    known = act.db.execute("SELECT * FROM gateway WHERE gateway = ?", (name,)).fetchone()
    good = act.db.execute("SELECT 1 FROM certificate WHERE holder = ? AND revoked IS NULL", (name,)).fetchone()
    if known is None and good is None:
        raise FleetError(f"nobody here is called {name}", "wardlink fleet list")
    _end(act, name, "revoked", why)
    if known is not None:
        lists.publish(act, known["site"])


def retire(act: Act, gateway: str, why: str) -> sqlite3.Row:
    """It is let in no more; what it sealed may still be relayed. Returns its row as it was. Raises FleetError."""
    known: sqlite3.Row | None = act.db.execute("SELECT * FROM gateway WHERE gateway = ?", (gateway,)).fetchone()
    if known is None:
        raise FleetError(f"no gateway {gateway}", "wardlink fleet list")
    if known["state"] == "revoked":
        raise FleetError(
            f"{gateway} is revoked: what it says is not believed", "wardlink fleet voucher, for a new gateway"
        )
    _end(act, gateway, "retired", why)
    return known


def replace(act: Act, old: str, why: str, hours: int = vouchers.HOURS_LIMIT) -> Voucher:
    """A voucher for the one that comes in its place."""
    known = retire(act, old, why)
    return vouchers.make(act, known["site"], hours=hours, bed=known["bed"], replaces=old)


def _end(act: Act, name: str, state: str, why: str) -> None:
    if not 0 < len(why) <= WHY_LIMIT_LETTERS or not why.isprintable():
        raise FleetError("the reason is missing, too long or not one line", "--why stolen")
    act.db.execute("UPDATE gateway SET state = ?, why = ?, changed = ? WHERE gateway = ?", (state, why, act.now, name))
    act.db.execute("UPDATE certificate SET revoked = ? WHERE holder = ? AND revoked IS NULL", (act.now, name))
    act.note(state, name=name, why=why)


def revocations(act: Act) -> bytes:
    """The lists of all issuing keys that still have good certificates, in PEM, for a broker."""
    found: dict[str, sqlite3.Row] = {}
    for row in act.db.execute("SELECT * FROM issuing ORDER BY number"):
        found[row["key"]] = row  # the newest certificate of each
    made = b""
    for name, row in found.items():
        left = act.db.execute("SELECT 1 FROM certificate WHERE key = ? AND until > ?", (name, act.now)).fetchone()
        if left is None and name != signing.key_name(act.db):
            continue
        by = Authority(x509.load_der_x509_certificate(row["der"]), act.fleet.issuing_key(name))
        revoked = act.db.execute(
            "SELECT serial, revoked FROM certificate WHERE key = ? AND revoked IS NOT NULL AND until > ? "
            "ORDER BY revoked",
            (name, act.now),
        )
        made += certify.revocations(((int(one["serial"], 16), one["revoked"]) for one in revoked), by, act.now)
    return made


def certificate(act: Act, kind: str, names: Sequence[str], key: PublicKey) -> tuple[str, str]:
    """(certificate and chain, roots), both PEM, for a broker or endpoint dialled as `names`, or a centre of that name.

    Raises FleetError.
    """
    assert kind in KINDS, kind
    by = signing.authority(act)
    if kind == "centre" and (len(names) != 1 or not is_name(names[0])):
        raise FleetError("a centre has one name, which is `name` of its centre.toml", "--name centre")
    if kind == "centre":
        made = certify.client(names[0], key, by, act.now, SERVER_LIFE_US)
    elif names and all(is_url(f"https://{name}") and "/" not in name for name in names):
        made = certify.server(names, key, by, act.now, SERVER_LIFE_US)
    else:
        raise FleetError(f"not names of a host: {', '.join(names)}", "--name broker.example.org")
    answering.record(act, names[0], kind, made)
    serial = answering.serial_of(made)
    act.note("certified", kind=kind, name=",".join(names), serial=serial, until=str(certify.until_of(made)))
    chain = "".join(certify.pem(one) for one in (certify.der(made), *signing.chain(act.db)))
    return chain, "".join(certify.pem(root) for root in signing.roots(act.db))


def write_certificate(act: Act, kind: str, names: Sequence[str], folder: Path) -> list[Path]:
    """A new key and its certificate as the files that broker and centre read (docs/keys.md). Raises FleetError."""
    key_name, crt_name = {"centre": ("centre.tls.key", "centre.crt")}.get(kind, (f"{kind}.key", f"{kind}.crt"))
    key = Ed25519PrivateKey.generate()
    chain, roots = certificate(act, kind, names, key.public_key())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (key_name, crt_name):
        if (folder / name).exists():
            raise FleetError(f"{folder / name} is there already", "name another folder, or take it away")
    fleet.write_secret(folder / key_name, fleet.pem_of(key))
    fleet.write_secret(folder / crt_name, chain.encode())
    (folder / "ca.crt").write_text(roots, encoding="ascii")
    return [folder / name for name in (key_name, crt_name, "ca.crt")]
