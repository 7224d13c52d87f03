"""A fleet of one site in a folder, and gateways that ask it."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre.fleet import answering, authorities, lists, passphrase, vouchers
from centre.fleet.authorities import RootFile
from centre.fleet.certify import DAY_US
from centre.fleet.fleet import Fleet
from tests import trusted
from wire import directory, keys, request
from wire.directory import Directory
from wire.request import Answer, Request
from wire.voucher import Voucher

NOW = 1_790_000_000_000_000  # September 2026
PASSPHRASE = "six words of a dictionary"
WHO = "person test"
HOSPITAL = keys.RecipientSecret("x25519", bytes(range(32)))
CENTRE = keys.RecipientSecret("xwing", bytes(range(96)))
passphrase._P = 1  # how slow it is to guess is tried in test_fleet_limits.py
CENTRE_KEY = keys.verifier_text(trusted.key(3).public_key())


@dataclass
class Rig:
    """`now` is the centre's clock, for `act` and what gateways ask."""

    fleet: Fleet
    root: RootFile
    now: int = NOW

    def act(self):
        return self.fleet.act(WHO, self.now)

    def voucher(self, site: str = "north", **more) -> Voucher:
        with self.act() as act:
            return vouchers.make(act, site, **more)

    def roots(self) -> list[bytes]:
        from centre.fleet import signing

        with self.fleet.reading() as db:
            return signing.roots(db)

    def directory(self, site: str = "north") -> Directory:
        with self.fleet.reading() as db:
            return directory.read(self.roots(), site, lists.newest(db, site)[1])

    def answer(self, data: bytes) -> bytes:
        return answering.answer(self.fleet, data, WHO, self.now)

    def audit(self) -> str:
        self.fleet.verified()
        return "\n".join(self.fleet.audit_lines())

    def later(self, days: float) -> None:
        self.now += int(days * DAY_US)


class Gateway:
    """What a gateway does, as far as the wire files say it."""

    def __init__(self, number: int) -> None:
        self.key: Ed25519PrivateKey = trusted.key(number)
        self.id = keys.gateway_id(self.key.public_key())
        self._asked = 0

    def asks(self, voucher: Voucher | None, site: str = "north", signer: Ed25519PrivateKey | None = None) -> bytes:
        self._asked += 1
        secret = voucher.secret if voucher else b""
        kind = "enrol" if voucher else "renew"
        nonce = self._asked.to_bytes(16)
        return request.sign(signer or self.key, Request(kind, site, trusted.csr(self.key), secret, nonce, NOW, "Pi"))

    def reads(self, believed: bytes | list[bytes], data: bytes) -> Answer:
        answer = request.read_answer(believed, data)
        assert answer.gateway == self.id
        assert answer.nonce == self._asked.to_bytes(16)
        return answer


_FIRST: dict[str, bytes] = {}  # files of the first rig


def made(folder: Path) -> Rig:
    """Site `north` with two recipients and the centre's key; `south` with one."""
    if not _FIRST:
        _begin(folder / "first")
        _FIRST.update({str(p.relative_to(folder / "first")): p.read_bytes() for p in (folder / "first").rglob("*.*")})
    for name, data in _FIRST.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)
    return Rig(Fleet(folder / "fleet"), RootFile(folder / "stick" / "root.pem", PASSPHRASE))


def _begin(folder: Path) -> None:
    root = RootFile(folder / "stick" / "root.pem", PASSPHRASE)
    root.path.parent.mkdir(parents=True)
    with authorities.begin(folder / "fleet", root, WHO, NOW).act(WHO, NOW) as act:
        for site in ("north", "south"):
            lists.add_site(act, site)
        lists.add_centre_key(act, CENTRE_KEY)
        lists.add_recipient(act, "north", "hospital", "hospital", HOSPITAL.recipient.text())
        lists.add_recipient(act, "north", "centre", "centre", CENTRE.recipient.text())
        lists.add_recipient(act, "south", "centre", "centre", CENTRE.recipient.text())
