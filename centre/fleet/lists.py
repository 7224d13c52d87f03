"""Sites, recipients, centres' keys, and the directories that say them to gateways. Each change is a new version."""

from __future__ import annotations

import sqlite3

from centre.fleet import signing
from centre.fleet.fleet import Act
from centre.fleet.store import FleetError
from wire import directory, keys
from wire.directory import (
    CENTRES_LIMIT_COUNT,
    RECIPIENTS_LIMIT_COUNT,
    REVOKED_LIMIT_COUNT,
    Directory,
    Listed,
)
from wire.topics import is_name
from wire.voucher import is_url

SETTINGS = ("enrol", "time")
ROLES = ("hospital", "centre")


def add_site(act: Act, site: str) -> None:
    if not is_name(site):
        raise FleetError(f"{site!r} is no name", "1 to 24 of a-z, 0-9 and '-'")
    if _site(act.db, site):
        raise FleetError(f"the site {site} is there already", "wardlink fleet list")
    act.db.execute("INSERT INTO site VALUES (?, ?)", (site, act.now))
    act.note("site added", site=site)


def add_recipient(act: Act, site: str, name: str, role: str, key: str) -> int:
    """Returns the directory's version, 0 where it still lacks something."""
    known(act.db, site)
    if role not in ROLES or not is_name(name):
        raise FleetError(f"{name!r} ({role}) is no recipient", "1 to 24 of a-z, 0-9 and '-'; hospital or centre")
    try:
        recipient = keys.recipient(key)
    except keys.KeyFormatError as error:
        raise FleetError(str(error), "the text form: one line, xwing:... or x25519:...") from error
    present = recipients(act.db, site)
    if any(one.name == name or one.key == recipient.text() for one in present):
        raise FleetError(f"{site} has a recipient of that name or key already", "wardlink fleet list")
    if len(present) >= RECIPIENTS_LIMIT_COUNT:
        raise FleetError(f"{site} has {len(present)} recipients, which is the limit", "retire one first")
    row = (site, name, role, recipient.text(), act.now)
    act.db.execute("INSERT INTO recipient (site, name, role, key, added) VALUES (?, ?, ?, ?, ?)", row)
    act.note("recipient added", site=site, name=name, role=role, key=recipient.kid.hex())
    return publish(act, site)


def retire_recipient(act: Act, site: str, name: str) -> int:
    known(act.db, site)
    if [one.name for one in recipients(act.db, site)] == [name]:
        raise FleetError(f"{name} is the only recipient of {site}", "add another first, or nobody could open anything")
    done = act.db.execute(
        "UPDATE recipient SET retired = ? WHERE site = ? AND name = ? AND retired IS NULL", (act.now, site, name)
    )
    if not done.rowcount:
        raise FleetError(f"{site} has no recipient {name}", "wardlink fleet list")
    act.note("recipient retired", site=site, name=name)
    return publish(act, site)


def add_centre_key(act: Act, text: str) -> None:
    try:
        key = keys.verifier_text(keys.verifier(text))
    except keys.KeyFormatError as error:
        raise FleetError(str(error), "the text form: one line, ed25519:...") from error
    present = centre_keys(act.db)
    if key in present or len(present) >= CENTRES_LIMIT_COUNT:
        raise FleetError(f"it is there already, or {CENTRES_LIMIT_COUNT} are", "wardlink fleet list")
    act.db.execute("INSERT INTO centre_key (key, added) VALUES (?, ?)", (key, act.now))
    act.note("centre key added", key=key)
    publish_all(act)


def retire_centre_key(act: Act, text: str) -> None:
    """`text`: the key, or how it begins behind `ed25519:`."""
    present = centre_keys(act.db)
    found = [key for key in present if text and (key.startswith(text) or key.partition(":")[2].startswith(text))]
    if len(found) != 1:
        raise FleetError(f"{len(found)} keys begin so", "wardlink fleet list")
    if len(present) == 1:
        raise FleetError("it is the only one", "add the next first; gateways would believe no receipt")
    act.db.execute("UPDATE centre_key SET retired = ? WHERE key = ? AND retired IS NULL", (act.now, found[0]))
    act.note("centre key retired", key=found[0])
    publish_all(act)


def set_address(act: Act, name: str, value: str) -> None:
    """`enrol`: https address of the endpoint; `time`: host:port of signed time; "" for none."""
    good = directory.is_port(value) if name == "time" else is_url(value)
    if value and not good:
        raise FleetError(f"{value!r} will not do for {name}", "enrol: https://host:8485; time: host:8486")
    act.db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))
    act.note("set", name=name, value=value)
    publish_all(act)


def address(db: sqlite3.Connection, name: str) -> str:
    assert name in SETTINGS, name
    row = db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
    return str(row["value"]) if row else ""


def recipients(db: sqlite3.Connection, site: str) -> list[Listed]:
    rows = db.execute("SELECT * FROM recipient WHERE site = ? AND retired IS NULL ORDER BY number", (site,))
    return [Listed(row["name"], row["role"], row["key"]) for row in rows]


def centre_keys(db: sqlite3.Connection) -> list[str]:
    """The newest first."""
    return [row["key"] for row in db.execute("SELECT key FROM centre_key WHERE retired IS NULL ORDER BY number DESC")]


def sites(db: sqlite3.Connection) -> list[str]:
    return [row["site"] for row in db.execute("SELECT site FROM site ORDER BY site")]


def known(db: sqlite3.Connection, site: str) -> None:
    """Raises FleetError where there is no such site."""
    if not _site(db, site):
        raise FleetError(f"no site {site}", f"wardlink fleet site add; known: {', '.join(sites(db)) or 'none'}")


def newest(db: sqlite3.Connection, site: str) -> tuple[int, bytes]:
    """(version, directory) of a site; (0, b"") where it lacks something still."""
    row = db.execute("SELECT version, data FROM directory WHERE site = ? ORDER BY version DESC", (site,)).fetchone()
    return (int(row["version"]), bytes(row["data"])) if row else (0, b"")


def lacks(db: sqlite3.Connection, site: str) -> str:
    """What to do before this site can have a directory."""
    if not recipients(db, site):
        return f"nobody could open what {site} seals: wardlink fleet recipient add"
    return "" if centre_keys(db) else "no centre could be believed: wardlink fleet centre-key add"


def publish_all(act: Act) -> None:
    for site in sites(act.db):
        publish(act, site)


def publish(act: Act, site: str) -> int:
    """Sign the next version of a site's directory; 0 where it still lacks something."""
    if lacks(act.db, site):
        return 0
    said = Directory(
        version=newest(act.db, site)[0] + 1,
        site=site,
        issued=act.now,
        recipients=recipients(act.db, site),
        centres=centre_keys(act.db),
        roots=signing.roots(act.db),
        revoked=_revoked(act.db, site),
        enrol=address(act.db, "enrol"),
        time=address(act.db, "time"),
    )
    data = directory.sign(signing.authority(act).key, signing.chain(act.db), said)
    act.db.execute("INSERT INTO directory VALUES (?, ?, ?, ?)", (site, said.version, act.now, data))
    act.note("directory signed", site=site, version=str(said.version))
    return said.version


def _revoked(db: sqlite3.Connection, site: str) -> list[str]:
    """The newest, as many as a directory holds; those before them have no certificate that is still good."""
    rows = db.execute(
        "SELECT gateway FROM gateway WHERE site = ? AND state = 'revoked' ORDER BY changed DESC LIMIT ?",
        (site, REVOKED_LIMIT_COUNT),
    )
    return sorted(row["gateway"] for row in rows)


def _site(db: sqlite3.Connection, site: str) -> bool:
    return db.execute("SELECT 1 FROM site WHERE site = ?", (site,)).fetchone() is not None
