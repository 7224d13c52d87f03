"""Who is let in: an enrolment with a voucher, a renewal with the key. The same for the network and for a stick.

Whoever comes here has proven its key already (wire/request.py). What is refused is a line in the audit log, and nothing
else changes; what is given is durable before it is said, and given again to the same key, should it be lost on its way.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from centre.fleet import certify, lists, signing, vouchers
from centre.fleet.certify import DAY_US, GATEWAY_LIFE_US
from centre.fleet.fleet import Act, Fleet, RefusedError
from wire import request
from wire.keys import gateway_id
from wire.request import Answer, Request, RequestError
from wire.voucher import name_of

RENEWAL_GRACE_US = 180 * DAY_US
AGAIN_US = DAY_US  # a certificate younger than this is given again: answers get lost, requests are copied
Given = bytes  # the gateway's certificate, DER


class Key(NamedTuple):
    """What proved itself: a gateway's id is the hash of its key."""

    gateway: str
    public: Ed25519PublicKey


def key_in(csr: bytes) -> Key:
    """Raises RequestError."""
    public = request.applicant(csr)
    return Key(gateway_id(public), public)


def answer(fleet: Fleet, data: bytes, who: str, now: int) -> bytes:
    """The answer to a request. Raises RefusedError, FleetError."""
    with fleet.act(who, now) as act:
        asked = _read(data)
        applicant = Key(asked.gateway, asked.key)
        if asked.kind == "enrol":
            given = enrol(act, applicant, name_of(asked.voucher), asked.voucher, asked.site, asked.board)
        else:
            given = renew(act, applicant, asked.site)
        made = Answer(
            gateway=applicant.gateway,
            nonce=asked.nonce,
            chain=[given, *signing.chain(act.db)],
            roots=signing.roots(act.db),
            directory=lists.newest(act.db, asked.site)[1],
        )
        return request.sign_answer(signing.authority(act).key, made)


def enrol(act: Act, applicant: Key, name: str, secret: bytes, site: str | None, board: str = "") -> Given:
    """A certificate for a voucher. Raises RefusedError."""
    voucher = vouchers.fit(act, name, secret, site, applicant.gateway)
    known = _gateway(act.db, applicant.gateway)
    if known is None:
        row = (applicant.gateway, voucher["site"], voucher["bed"], board, act.now, act.now, voucher["replaces"])
        act.db.execute("INSERT INTO gateway VALUES (?, ?, ?, ?, 'active', ?, ?, '', ?)", row)
    else:
        _active(known, voucher["site"])
        bed = voucher["bed"] or known["bed"]
        act.db.execute("UPDATE gateway SET bed = ? WHERE gateway = ?", (bed, applicant.gateway))
    if voucher["used"] is not None:
        act.note("voucher again", voucher=name, gateway=applicant.gateway)
        return _again(act, applicant, act.now) or _issue(act, applicant, f"voucher {name} again")
    vouchers.spend(act, name, applicant.gateway)
    return _issue(act, applicant, f"voucher {name}")


def renew(act: Act, applicant: Key, site: str | None) -> Given:
    """A certificate for a key that had one. Raises RefusedError."""
    known = _gateway(act.db, applicant.gateway)
    if known is None:
        raise RefusedError("gateway", f"gateway {applicant.gateway} was never enrolled")
    _active(known, site)
    last = _last(act.db, applicant.gateway)
    if last is None or act.now > last["until"] + RENEWAL_GRACE_US:
        raise RefusedError("expired", f"gateway {applicant.gateway} has had no certificate for more than 180 days")
    return _again(act, applicant, AGAIN_US) or _issue(act, applicant, "renewal")


def _read(data: bytes) -> Request:
    try:
        return request.read(data)
    except RequestError as error:
        raise RefusedError("request", str(error)) from error


def _active(known: sqlite3.Row, site: str | None) -> None:
    if known["state"] != "active":
        raise RefusedError("revoked", f"gateway {known['gateway']} is {known['state']}")
    if site is not None and known["site"] != site:
        raise RefusedError("site", f"gateway {known['gateway']} belongs to {known['site']}, asked for {site}")


def _again(act: Act, applicant: Key, within_us: int) -> Given | None:
    """The certificate it was given last, if that is younger, still good, and signed as one made now would be."""
    last = _last(act.db, applicant.gateway)
    if last is None or last["until"] <= act.now or last["issued"] + within_us < act.now:
        return None
    if last["key"] != signing.key_name(act.db):
        return None
    return bytes(last["der"])


def _issue(act: Act, applicant: Key, why: str) -> Given:
    by = signing.authority(act)
    made = certify.client(applicant.gateway, applicant.public, by, act.now, GATEWAY_LIFE_US)
    record(act, applicant.gateway, "gateway", made)
    act.note("issued", gateway=applicant.gateway, serial=serial_of(made), until=str(certify.until_of(made)), why=why)
    return certify.der(made)


def record(act: Act, holder: str, kind: str, made: x509.Certificate) -> None:
    """Remember what was signed: it may have to be revoked."""
    key, until = signing.key_name(act.db), certify.until_of(made)
    row = (serial_of(made), holder, kind, key, act.now, until, certify.der(made))
    act.db.execute("INSERT INTO certificate VALUES (?, ?, ?, ?, ?, ?, NULL, ?)", row)


def serial_of(made: x509.Certificate) -> str:
    return f"{made.serial_number:x}"


def _gateway(db: sqlite3.Connection, gateway: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute("SELECT * FROM gateway WHERE gateway = ?", (gateway,)).fetchone()
    return row


def _last(db: sqlite3.Connection, gateway: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM certificate WHERE holder = ? AND kind = 'gateway' ORDER BY issued DESC, rowid DESC", (gateway,)
    ).fetchone()
    return row
