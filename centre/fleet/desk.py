"""What `wardlink fleet` can do, verb by verb: words in, words out. Whoever prints them is agent/cli/fleet.py."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography import x509

from centre import clock
from centre.fleet import answering, authorities, certify, label, lists, members, signing, vouchers
from centre.fleet.authorities import RootFile
from centre.fleet.certify import SECOND_US
from centre.fleet.fleet import Act, Fleet, RefusedError
from centre.fleet.store import FleetError
from config.load import ConfigError
from wire import audit, keys, request
from wire.audit import AuditError
from wire.request import RequestError
from wire.voucher import Voucher

__all__ = ["Desk", "RefusedError"]

KEY_LIMIT_BYTES = 65536
Words = list[str]


class Said(NamedTuple):
    """What another program may read, and what is for people."""

    data: str
    talk: Words


class Desk:
    """`who`: a name for the audit log."""

    def __init__(self, folder: Path, who: str) -> None:
        self._folder = folder
        self._who = f"person {who}"

    # Roots and issuing keys

    def init(self, root: Path, passphrase: str, enrol: str, time: str) -> Words:
        fleet = authorities.begin(self._folder, RootFile(root, passphrase), self._who, clock.utc_us())
        with fleet.act(self._who, clock.utc_us()) as act:
            for name, value in (("enrol", enrol), ("time", time)):
                if value:
                    lists.set_address(act, name, value)
            (hashed,) = (row["hash"] for row in signing.rows(act.db))
        said = [f"the fleet is in {self._folder}", f"root {hashed.hex()} is in {root}"]
        if root.parent.stat().st_dev == self._folder.stat().st_dev:
            said.append("it lies on the same disk as the fleet: put it on a stick now, and the stick in a safe")
        return [*said, "next: wardlink fleet site add, recipient add, centre-key add, voucher"]

    def root_rotate(self, root: Path, passphrase: str, new_root: Path, new_passphrase: str) -> Words:
        with self._act() as act:
            made = authorities.rotate_root(act, RootFile(root, passphrase), RootFile(new_root, new_passphrase))
        return [
            f"root {made.hex()} is in {new_root}; the old one is believed as well",
            "next: wardlink fleet roots > ca.crt at the broker and the centre, so that they believe both;",
            "when all gateways have renewed: wardlink fleet root drop",
        ]

    def root_drop(self, root: str, *, at_once: bool) -> Words:
        with self._act() as act:
            authorities.drop_root(act, root, at_once=at_once)
        return ["dropped; next: wardlink fleet roots > ca.crt at the broker and the centre"]

    def issuing(self, root: Path, passphrase: str, *, another: bool) -> Words:
        with self._act() as act:
            change = authorities.rotate_issuing if another else authorities.renew_issuing
            change(act, RootFile(root, passphrase))
            until = certify.until_of(x509.load_der_x509_certificate(signing.chain(act.db)[0]))
        return [f"the issuing key signs until {day(until)}; take the root away again"]

    def roots(self) -> str:
        with self._fleet().reading() as db:
            return "".join(certify.pem(root) for root in signing.roots(db))

    # Lists and directories

    def site_add(self, site: str) -> Words:
        with self._act() as act:
            lists.add_site(act, site)
            return self._published(act, site)

    def recipient_add(self, site: str, name: str, role: str, key: str) -> Words:
        with self._act() as act:
            lists.add_recipient(act, site, name, role, key_text(key))
            return self._published(act, site)

    def recipient_retire(self, site: str, name: str) -> Words:
        with self._act() as act:
            lists.retire_recipient(act, site, name)
            return self._published(act, site)

    def centre_key_add(self, key: str) -> Words:
        with self._act() as act:
            lists.add_centre_key(act, key_text(key))
            return self._published(act, *lists.sites(act.db))

    def centre_key_retire(self, key: str) -> Words:
        with self._act() as act:
            lists.retire_centre_key(act, key)
            return self._published(act, *lists.sites(act.db))

    def set(self, name: str, value: str) -> Words:
        with self._act() as act:
            lists.set_address(act, name, value)
            return self._published(act, *lists.sites(act.db))

    def directory(self, site: str) -> bytes:
        with self._fleet().reading() as db:
            lists.known(db, site)
            version, data = lists.newest(db, site)
            if not version:
                raise FleetError(f"{site} has no directory yet", lists.lacks(db, site))
            return data

    # Gateways

    def voucher(self, site: str, hours: int, bed: str, qr: str | None) -> Said:
        with self._act() as act:
            made = vouchers.make(act, site, hours=hours, bed=bed)
        return _shown(made, qr)

    def replace(self, gateway: str, why: str, hours: int, qr: str | None) -> Said:
        with self._act() as act:
            made = members.replace(act, gateway, why, hours)
        shown = _shown(made, qr)
        return Said(shown.data, [*shown.talk, *_retired(gateway)])

    def retire(self, gateway: str, why: str) -> Words:
        with self._act() as act:
            members.retire(act, gateway, why)
        return _retired(gateway)

    def vouchers(self) -> Words:
        with self._fleet().reading() as db:
            found = vouchers.shown(db, clock.utc_us())
        return [
            f"{v.name}  {v.site:24} {v.state:9} until {day(v.expires)}  {v.gateway or v.bed}".rstrip() for v in found
        ]

    def withdraw(self, voucher: str) -> Words:
        with self._act() as act:
            vouchers.withdraw(act, voucher)
        return [f"{voucher} lets nobody in"]

    def answer(self, text: str) -> str:
        try:
            data = request.from_text("REQUEST", text)
        except RequestError as error:
            raise FleetError(str(error), "it is the file that `wardlink enrol request` wrote") from error
        return request.to_text("ANSWER", answering.answer(self._fleet(), data, self._who, clock.utc_us()))

    def revoke(self, name: str, why: str) -> Words:
        with self._act() as act:
            members.revoke(act, name, why)
        return [f"{name} is revoked here and in the directory; next: wardlink fleet broker sync, then crl"]

    def crl(self) -> bytes:
        with self._act() as act:
            return members.revocations(act)

    def certificate(self, kind: str, names: Sequence[str], csr: bytes | None, out: Path | None) -> Words:
        with self._act() as act:
            if csr is not None:
                return [members.certificate(act, kind, names, certify.requested(csr))[0].rstrip("\n")]
            assert out is not None, "the command line asks for one of them"
            return [f"{path}" for path in members.write_certificate(act, kind, names, out)]

    def gateways(self) -> Words:
        """For the centre.toml of a centre on another machine."""
        with self._fleet().reading() as db:
            found = [one for one in members.members(db) if one.state != "revoked"]
        return [f'[[gateways]]\nid = "{m.gateway}"\nsite = "{m.site}"\nbed = {_toml(m.bed)}\n' for m in found]

    # What is, and what was done

    def list(self) -> Words:
        now = clock.utc_us()
        with self._fleet().reading() as db:
            found: Words = []
            for row in signing.rows(db):
                state = "believed" if row["dropped"] is None else f"dropped {day(row['dropped'])}"
                found.append(f"root {row['hash'].hex()}  {state}")
            for row in db.execute("SELECT key, max(until) AS until FROM issuing GROUP BY key ORDER BY max(number)"):
                state = "signs" if row["key"] == signing.key_name(db) else "was before"
                found.append(f"issuing {row['key']}  {state}, until {day(row['until'])}")
            found += [f"centre key {key}" for key in lists.centre_keys(db)]
            found += [f"{name} {lists.address(db, name) or '-'}" for name in lists.SETTINGS]
            for site in lists.sites(db):
                found.append(f"site {site}  directory {lists.newest(db, site)[0] or lists.lacks(db, site)}")
                found += [f"  {one.role} {one.name}  {_kid(one.key)}" for one in lists.recipients(db, site)]
            for m in members.members(db):
                told = f"until {day(m.until)}" if m.state == "active" else m.why
                found.append(f"gateway {m.gateway}  {m.site}  {m.state}, {told}  {m.bed}".rstrip())
            found += [f"{h.kind} {h.name}  until {day(h.until)}" for h in members.holders(db, now)]
        return found

    def list_json(self) -> str:
        with self._fleet().reading() as db:
            said = {
                "sites": {site: lists.newest(db, site)[0] for site in lists.sites(db)},
                "gateways": [one._asdict() for one in members.members(db)],
                "certificates": [one._asdict() for one in members.holders(db, clock.utc_us())],
            }
        return msgspec.json.encode(said).decode()

    def audit_show(self) -> Words:
        return self._fleet().audit_lines()

    def audit_verify(self, against: str) -> Words:
        try:
            head = self._fleet().verified(audit.head(against) if against else None)
        except AuditError as error:
            raise FleetError(f"the audit log is not whole: {error}", "keep the folder as it is, and a copy") from error
        return [f"whole: {head.count} entries", f"head {head.text()}"]

    def serve(self, listen: str, names: Sequence[str]) -> int:
        try:
            from centre.fleet.listener import serve  # noqa: PLC0415  only this verb needs a web server
        except ModuleNotFoundError as error:
            raise ConfigError(f"a package is missing: {error.name}", "pip install 'wardlink[centre]'") from error
        return serve(self._folder, listen, list(names))

    def _fleet(self) -> Fleet:
        return Fleet(self._folder)

    def _act(self) -> AbstractContextManager[Act]:
        return self._fleet().act(self._who, clock.utc_us())

    def _published(self, act: Act, *sites: str) -> Words:
        return list(_versions(act, sites))


def _versions(act: Act, sites: Sequence[str]) -> Iterator[str]:
    for site in sites:
        lacking = lists.lacks(act.db, site)
        yield f"{site}: {lacking}" if lacking else f"{site}: directory {lists.newest(act.db, site)[0]}"


def day(us: int) -> str:
    """UTC, to the minute."""
    return datetime.datetime.fromtimestamp(us // SECOND_US, datetime.UTC).strftime("%Y-%m-%d %H:%M")


def key_text(word: str) -> str:
    """A key as it was given: the text itself, or a file that holds it. Raises FleetError."""
    if ":" in word:
        return word
    path = Path(word)
    try:
        with path.open("rb") as file:
            return file.read(KEY_LIMIT_BYTES).decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise FleetError(f"{path}: not text", "one line, xwing:..., x25519:... or ed25519:...") from error


def _shown(made: Voucher, qr: str | None) -> Said:
    """`qr`: None for none, "" for the terminal, or a file."""
    talk = [f"voucher {made.name}, for {made.site}, until {day(made.expires)} UTC, for one gateway"]
    if qr:
        label.save(made.text(), Path(qr))
        talk.append(f"as a picture: {qr}")
    elif qr is not None:
        talk.append(label.terminal(made.text()))
    return Said(made.text(), talk)


def _retired(gateway: str) -> Words:
    return [
        f"{gateway} is not let in any more; what it sealed may be relayed by another gateway of its site",
        "next: wardlink fleet broker sync, then crl",
    ]


def _kid(text: str) -> str:
    recipient = keys.recipient(text)
    return f"{recipient.kind} {recipient.kid.hex()}"


def _toml(text: str) -> str:
    return msgspec.json.encode(text).decode()
