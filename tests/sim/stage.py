"""One whole world from one integer: gateway, devices, link, broker, centre, and what is noted about them."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agent.config import Config, Port, SpoolSizes
from agent.spool.terms import Limits
from centre.store import Store
from drivers.contract import Driver
from tests.sim.broker import Broker
from tests.sim.centre import Centre
from tests.sim.device import ContecVoice, CountedVoice, IvyVoice, NellcorVoice, OxiVoice
from tests.sim.line import Line
from tests.sim.link import Net
from tests.sim.loop import SECOND_NS, Timeline
from tests.sim.machine import Machine
from wire import keys
from wire.keys import RecipientSecret
from wire.topics import Address

SEGMENTS_BYTES = (64 * 1024, 64 * 1024, 128 * 1024)
KINDS = {"counted": CountedVoice, "oxi": OxiVoice, "nellcor": NellcorVoice, "ivy": IvyVoice, "contec": ContecVoice}
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RECEIPTS = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
SECRET = RecipientSecret("xwing", bytes(range(96)))
GATEWAY = keys.gateway_id(SIGNER.public_key())
SITE = "north"


@cache
def workplace() -> Path:
    """A folder in memory for this process: keys, an empty store to copy."""
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="wardlink-sim-", dir=shm if shm.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "keys" / "recipients").mkdir(parents=True)
    pem = SIGNER.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "keys" / "gateway.key").write_bytes(pem)
    (folder / "keys" / "centre.pub").write_text(keys.verifier_text(RECEIPTS.public_key()))
    (folder / "keys" / "recipients" / "centre.pub").write_text(SECRET.recipient.text())
    Store(f"sqlite:///{folder / 'empty.db'}").close()
    return folder


class Stage:
    """`story(line)` is told everything with its time; `trace` is a hash of the same."""

    def __init__(self, seed: int, story=None) -> None:
        self.seed = seed
        self._story = story
        self._trace = hashlib.blake2b(digest_size=8)
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        self.folder = Path(tempfile.mkdtemp(dir=workplace()))
        self.timeline = Timeline()
        self.slowest_sync_s = 0.0
        self.slow_ns = -1 << 62  # when a sync was slow last
        self.devices_end_ns = 1 << 62
        self.is_calm = False
        self.rotten = False
        self.is_restored = False  # an old image of the card was put back
        self.ends: list = []
        self.address = Address(SITE, GATEWAY)
        self.links: list = []
        plan = self.random("stage")
        self.net = Net(latency_s=plan.choice((0.002, 0.03, 0.3)), rate_bytes_s=plan.choice((1e3, 8e3, 1e6, 1e6)))
        self.broker = Broker(self.timeline, self.random("broker"), self.count, self.tell)
        shutil.copy(workplace() / "empty.db", self.folder / "centre.db")
        self.centre = Centre(self, SECRET, RECEIPTS, self.folder / "centre.db")
        kinds = self._kinds(plan)
        self.lines: dict[str, Line] = {}
        self.segment_bytes = plan.choice(SEGMENTS_BYTES)
        limits = Limits(segment_bytes=self.segment_bytes, buffer_bytes=plan.choice((8 << 20, 96 << 10)))
        self.machine = Machine(self, self._config(plan, kinds), limits)
        self.centre.utc_us = self.machine.true_us
        for at, kind in enumerate(kinds):
            path = f"/dev/{kind}{at}"
            voice = CountedVoice(plan.choice((0, 7, (1 << 32) - 300))) if kind == "counted" else KINDS[kind]()
            self.lines[path] = Line(self, path, voice, self.random(path))

    def _kinds(self, plan: Random) -> list[str]:
        kinds = ["counted"] if plan.random() < 0.8 else []
        kinds += [kind for kind, chance in (("oxi", 0.4), ("nellcor", 0.4), ("ivy", 0.15)) if plan.random() < chance]
        if plan.random() < 0.05 or not kinds:
            kinds.append("contec")
        return kinds

    def _config(self, plan: Random, kinds: list[str]) -> Config:
        self.interval_s = plan.choice((0.5, 1.0, 1.0, 2.0, 2.0, 5.0))
        segments = plan.choice((2, 2, 3, 40))
        quota = segments * self.segment_bytes / (1 << 20)
        return Config(
            site=SITE,
            broker="mqtt://broker:1883",
            bed="bed 1",
            keys=str(workplace() / "keys"),
            state="/card",
            runtime=str(self.folder / "run"),
            discover=False,
            interval_s=self.interval_s,
            port=[Port(f"/dev/{kind}{at}", kind) for at, kind in enumerate(kinds)],
            spool=SpoolSizes(key_mib=40 * self.segment_bytes / (1 << 20), vital_mib=quota, wave_mib=quota),
        )

    def random(self, name: str) -> Random:
        """Everybody has dice of their own, so that one throw more does not change the fate of the others."""
        return Random(f"{self.seed} {name}")

    def driver(self, kind: str) -> type[Driver]:
        return KINDS[kind].driver

    def count(self, kind: str) -> None:
        self.counts[kind] += 1

    def tell(self, text: str, data: bytes = b"") -> None:
        line = f"{(self.timeline.now - 1000 * SECOND_NS) / SECOND_NS:10.6f} {text}"
        self._trace.update(line.encode() + data)
        if self._story is not None:
            self._story(line)

    def problem(self, text: str) -> None:
        if len(self.problems) < 20:
            self.problems.append(text)
            self.tell(f"PROBLEM {text}")

    @property
    def trace(self) -> str:
        return self._trace.hexdigest()

    def close(self) -> None:
        self.machine.bury()
        self.centre.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
