"""Vouchers: made, listed, withdrawn, spent. Of a secret the store keeps the hash."""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from typing import NamedTuple

from centre import clock
from centre.fleet import lists, signing
from centre.fleet.fleet import Act, RefusedError
from centre.fleet.store import FleetError
from wire.voucher import SECRET_BYTES, Voucher, digest_of

HOURS_LIMIT = 72
HOUR_US = 3600 * 1_000_000
BED_LIMIT_LETTERS = 100


class Shown(NamedTuple):
    """A voucher in a list: no secret is in it. `state`: open, used, expired or withdrawn."""

    name: str
    site: str
    bed: str
    expires: int
    state: str
    gateway: str
    replaces: str


def make(act: Act, site: str, *, hours: int = HOURS_LIMIT, bed: str = "", replaces: str | None = None) -> Voucher:
    """The only time that its secret can be seen. Raises FleetError."""
    lists.known(act.db, site)
    lacking = lists.lacks(act.db, site)
    if lacking:
        raise FleetError(f"the site {site} is not ready", lacking)
    if not 1 <= hours <= HOURS_LIMIT:
        raise FleetError(f"a voucher holds 1 to {HOURS_LIMIT} hours", "--hours 24")
    if len(bed) > BED_LIMIT_LETTERS or not bed.isprintable():
        raise FleetError(
            "the bed is not one line of text", f"at most {BED_LIMIT_LETTERS} letters, no name of a patient"
        )
    root = hashlib.sha256(signing.roots(act.db)[0]).digest()
    url = lists.address(act.db, "enrol")
    made = Voucher(site, act.now + hours * HOUR_US, root, url, clock.secret(SECRET_BYTES))
    row = (made.name, digest_of(made.secret), site, bed, replaces, act.now, made.expires)
    act.db.execute(
        "INSERT INTO voucher (name, digest, site, bed, replaces, made, expires) VALUES (?, ?, ?, ?, ?, ?, ?)", row
    )
    act.note("voucher made", voucher=made.name, site=site, expires=str(made.expires), replaces=replaces or "")
    return made


def withdraw(act: Act, name: str) -> None:
    row = act.db.execute("SELECT * FROM voucher WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise FleetError(f"no voucher {name}", "wardlink fleet voucher list")
    if row["used"] is not None:
        raise FleetError(f"it was used by {row['gateway']}", f"wardlink fleet revoke {row['gateway']} --why ...")
    act.db.execute("UPDATE voucher SET withdrawn = ? WHERE name = ?", (act.now, name))
    act.note("voucher withdrawn", voucher=name)


def shown(db: sqlite3.Connection, now: int) -> list[Shown]:
    """All there ever were, the newest last."""
    rows = db.execute("SELECT * FROM voucher ORDER BY made, name")
    return [
        Shown(
            row["name"],
            row["site"],
            row["bed"],
            row["expires"],
            _state(row, now),
            row["gateway"] or "",
            row["replaces"] or "",
        )
        for row in rows
    ]


def fit(act: Act, name: str, secret: bytes, site: str | None, gateway: str) -> sqlite3.Row:
    """The voucher, if it lets this gateway in now, or did before. `site`: None where the asker cannot say it.

    Raises RefusedError.
    """
    row = act.db.execute("SELECT * FROM voucher WHERE name = ?", (name,)).fetchone()
    if not hmac.compare_digest(digest_of(secret), b"" if row is None else bytes(row["digest"])):
        raise _refused(f"unknown {name}", gateway)
    state = _state(row, act.now)
    if site is not None and row["site"] != site:
        raise _refused(f"{name} is for {row['site']}, asked for {site}", gateway)
    if state == "used" and row["gateway"] == gateway:
        return row  # type: ignore[no-any-return]  # an answer that was lost
    if state != "open":
        raise _refused(f"{name} {state}", gateway)
    return row  # type: ignore[no-any-return]


def spend(act: Act, name: str, gateway: str) -> None:
    act.db.execute("UPDATE voucher SET gateway = ?, used = ? WHERE name = ?", (gateway, act.now, name))


def _state(row: sqlite3.Row, now: int) -> str:
    if row["used"] is not None:
        return "used"
    if row["withdrawn"] is not None:
        return "withdrawn"
    return "expired" if now > row["expires"] else "open"


def _refused(why: str, gateway: str) -> RefusedError:
    return RefusedError("voucher", f"voucher {why}; gateway {gateway}")
