"""A centre that answers requests as the real one does, in memory: for tests of the gateway's side."""

import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.enrolling import Keys
from tests import trusted
from tests.trusted import Authority
from wire import directory, keys, request
from wire.directory import Directory, Listed
from wire.request import Answer
from wire.voucher import Voucher

SITE = "north"
DAY_US = 86_400_000_000
URL = "https://centre.example.org:8485"
OPENS = [keys.RecipientSecret("x25519", bytes([n] * 32)) for n in (1, 2)]
CENTRES = [Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n in (3, 4)]


class FakeCentre:
    """One fleet: root 1, issuing key 2 below it. Change `directory` to change what gateways shall believe."""

    def __init__(self, root: Authority | None = None, site: str = SITE) -> None:
        self.root = root or trusted.root(1)
        self.issuing = self.root.signs("issuing", trusted.key(2))
        self.directory = Directory(
            version=7,
            site=site,
            issued=0,
            recipients=[Listed("hospital", "hospital", OPENS[0].recipient.text())],
            centres=[keys.verifier_text(CENTRES[0].public_key())],
            roots=[self.root.der],
            revoked=[],
            enrol=URL,
            time="",
        )

    def voucher(self, **other) -> Voucher:
        said = {"site": SITE, "expires": 1 << 61, "url": URL, "secret": bytes(range(20)), **other}
        return Voucher(root=hashlib.sha256(self.root.der).digest(), **said)

    def signed(self) -> bytes:
        return directory.sign(self.issuing.key, [self.issuing.der], self.directory)

    def answer(self, data: bytes, **other) -> bytes:
        """To the bytes of a request; `other`: what it should rather say."""
        asked = request.read(data)
        leaf = trusted.certified(
            asked.gateway, Gateway(asked.key), self.issuing.cert.subject, self.issuing.key, ca=False, usage=False
        )
        said = {
            "gateway": asked.gateway,
            "nonce": asked.nonce,
            "chain": [leaf.der, self.issuing.der],
            "roots": [self.root.der],
            "directory": self.signed(),
            **other,
        }
        return request.sign_answer(self.issuing.key, Answer(**said))


class Gateway:
    """Only the public half, for who signs its certificate."""

    def __init__(self, public) -> None:
        self._public = public

    def public_key(self):
        return self._public


def enrolled(folder: Path, centre: FakeCentre, site: str = SITE) -> Keys:
    """A keys folder that is enrolled at `centre`, with a key that is a plain file."""
    made = Keys(folder, site)
    made.make("file")
    data, asked = made.ask(centre.voucher(site=site), bytes(16), 0)
    made.take_answer(asked, centre.answer(data))
    return made


def config(folder: Path, keys_folder: Path, **other) -> Path:
    """A gateway.toml whose folders are below `folder`."""
    said = {
        "site": SITE,
        "broker": "mqtt://127.0.0.1:1",
        "keys": str(keys_folder),
        "state": str(folder / "state"),
        "runtime": str(folder / "run"),
        **other,
    }
    file = folder / "gateway.toml"
    file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in said.items()))
    return file
