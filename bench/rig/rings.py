"""What each simulated gateway will say, sealed before the clock starts: `wire` does it, as in a gateway.

A ring is the first `count` envelopes of one epoch of one gateway behind its grant, four seconds of a bed each; each
thirtieth is a manifest. The bed `waves` has vitals and waves in turn, so that 0.5 envelopes a second are an interval of
4 s: four numerics a second, three leads of a real ECG at 500 Hz and a pleth at 125 Hz. The bed `numerics` has vitals
alone. Rings lie on the disk by shard, for they are what takes the time.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from agent import clock
from agent.lab import signals
from bench.scratch import ROOT
from wire import bundle, codec
from wire.keys import RecipientSecret, gateway_id
from wire.records import Anchor, Association, Block, Boot, Catalogue, NumericAt, Record, SessionAt, StreamInfo
from wire.seal import Sealer
from wire.topics import Class

SITE, EPOCH = "demo", 1
SECONDS = 4  # of a bed, in one vital or one wave
MANIFEST_EVERY = 30
ALONE_LIMIT_COUNT = 5000  # fewer envelopes are made before other processes have started
ECG_HZ, PLETH_HZ, LEADS = 500, 125, (0, 1, 6)
NUMERICS = (("ecg.hr", 72, "/min"), ("spo2", 97, "%"), ("spo2.pr", 71, "/min"), ("resp.rr", 14, "/min"))
READINGS = SECONDS * len(NUMERICS)  # of one vital
BLOCKS = 2  # of one wave
BANDS = (len(LEADS), 1)
FORMAT = 1  # of the files: another number makes them anew
PLACE = np.dtype([("gateway", "u4"), ("cls", "u1"), ("seq", "u4"), ("at", "u8"), ("size", "u4"), ("digest", "S32")])


@dataclass(frozen=True, slots=True)
class Plan:
    """`count` envelopes behind the grant of each gateway, in `shards` files; all from `seed`. `bed`: see above."""

    gateways: int
    count: int
    shards: int
    seed: int = 1
    bed: str = "waves"

    def numbers(self, shard: int) -> range:
        """The gateways of a shard."""
        return range(self.gateways * shard // self.shards, self.gateways * (shard + 1) // self.shards)

    @property
    def folder(self) -> Path:
        name = "-".join(f"{key}{value}" for key, value in sorted(asdict(self).items()))
        return ROOT / "build" / "rig" / f"rings-{FORMAT}-{name}"


class Ring:
    """What one gateway says, the grant first: class, seq and size of each envelope by its place in the ring."""

    __slots__ = ("_at", "_blob", "cls", "gateway", "seq", "size")

    def __init__(self, gateway: str, places: NDArray[np.void], blob: memoryview) -> None:
        self.gateway, self._blob = gateway, blob
        self.cls, self.seq, self.size, self._at = (places[word].tolist() for word in ("cls", "seq", "size", "at"))

    def data(self, index: int) -> bytes:
        at = self._at[index]
        return bytes(self._blob[at : at + self.size[index]])


def signer(seed: int, number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"rig {seed} gateway {number}".encode()).digest())


def centre_signer(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"rig {seed} centre".encode()).digest())


def centre_secret(seed: int) -> RecipientSecret:
    return RecipientSecret("xwing", hashlib.shake_256(f"rig {seed} recipient".encode()).digest(96))


def name(seed: int, number: int) -> str:
    return gateway_id(signer(seed, number).public_key())


def make(plan: Plan, jobs: int = 2) -> float:
    """Seal what is not on the disk yet; seconds that it took."""
    began = clock.now()
    if not (plan.folder / "whole").exists():
        shutil.rmtree(plan.folder, ignore_errors=True)
        plan.folder.mkdir(parents=True)
        if plan.gateways * plan.count < ALONE_LIMIT_COUNT:
            for shard in range(plan.shards):
                _write(plan, shard)
        else:
            with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
                list(pool.map(_write, [plan] * plan.shards, range(plan.shards)))
        (plan.folder / "whole").touch()
    return (clock.now() - began) / 1e9


def read(plan: Plan, shard: int) -> list[Ring]:
    """The rings of a shard, mapped: what nobody says costs no memory."""
    blob = np.memmap(plan.folder / f"{shard}.bin", np.uint8, "r").data
    places = index(plan, shard)
    return [
        Ring(name(plan.seed, number), places[n * (plan.count + 1) : (n + 1) * (plan.count + 1)], blob)
        for n, number in enumerate(plan.numbers(shard))
    ]


def index(plan: Plan, shard: int) -> NDArray[np.void]:
    """Rows of PLACE, `plan.count` + 1 for each gateway."""
    return np.fromfile(plan.folder / f"{shard}.index", PLACE)


def _write(plan: Plan, shard: int) -> None:
    rows, at = [], 0
    with (plan.folder / f"{shard}.bin").open("wb") as blob:
        for number in plan.numbers(shard):
            for cls, seq, data in _life(plan, number):
                rows.append((number, cls, seq, at, len(data), hashlib.sha256(data).digest()))
                at += blob.write(data)
    np.array(rows, PLACE).tofile(plan.folder / f"{shard}.index")


def _life(plan: Plan, number: int) -> Iterator[tuple[int, int, bytes]]:
    """(class, seq, envelope): the grant and the `count` after it."""
    start = hashlib.sha256(f"rig {plan.seed} start {number}".encode()).digest()[:8]
    sealer = Sealer(signer(plan.seed, number), [centre_secret(plan.seed).recipient], EPOCH, start)
    made = [sealer.begin_hour()]
    turn = 0
    for place in range(plan.count):
        if place % MANIFEST_EVERY == MANIFEST_EVERY - 1:
            manifest = sealer.manifest()
            assert manifest is not None, "something was sealed since the last one"
            made.append(manifest)
            continue
        second, is_wave = (turn * SECONDS, False) if plan.bed == "numerics" else (turn // 2 * SECONDS, turn % 2 == 1)
        if is_wave:
            made.append(sealer.seal(Class.WAVE, bundle.pack_wave(_wave(number, second))))
        else:
            made.append(sealer.seal(Class.VITAL, bundle.pack_vital(_vital(number, second))))
        turn += 1
    for header, data in made:
        yield int(header.cls), header.seq, data


def _vital(number: int, begins: int) -> list[Record]:
    """Readings of the seconds from `begins` on; the first vital introduces the bed."""
    said: list[Record] = []
    if begins == 0:
        bed = f"bed {number}"
        boot = hashlib.sha256(bed.encode()).digest()[:16]
        said = [Boot(1, boot, 1), Anchor(1, clock.FLOOR_UTC_US, 5000, "ntp"), SessionAt(1, 0, "open", ""), _CATALOGUE]
        said.append(Association(1, "none", "unvalidated", "", "", bed))
    for second in range(begins + 1, begins + SECONDS + 1):
        readings = (middle + (second + n) % 3 for n, (_, middle, _) in enumerate(NUMERICS))
        said += [NumericAt(second * 1_000_000, n, reading) for n, reading in enumerate(readings)]
    return said


def _wave(number: int, begins: int) -> list[Block]:
    """Waves of the same seconds."""
    t, streams = (begins + SECONDS) * 1_000_000, len(NUMERICS)
    coded = _coded()[(number + begins) % len(_coded())]
    firsts, rates = (streams, streams + BANDS[0]), (ECG_HZ, PLETH_HZ)
    return [
        Block(t, first, rows, begins * rate, SECONDS * rate, data)
        for first, rows, rate, data in zip(firsts, BANDS, rates, coded, strict=True)
    ]


@cache
def _coded() -> list[tuple[bytes, bytes]]:
    """Stretches of four seconds, (ECG, pleth)."""
    ecg = signals.dicom_leads(ECG_HZ)[list(LEADS)]
    size = SECONDS * ECG_HZ
    times = np.arange(SECONDS * PLETH_HZ) / PLETH_HZ
    pulse = 2 * np.pi * 1.2 * times
    pleth = np.rint(2000 + 900 * np.sin(pulse) + 300 * np.sin(2 * pulse + 0.7)).astype(np.int32)
    noise = np.random.default_rng(2026)
    return [
        (
            codec.encode(np.ascontiguousarray(ecg[:, at : at + size])),
            codec.encode((pleth + noise.integers(-6, 7, pleth.size))[np.newaxis].astype(np.int32)),
        )
        for at in range(0, ecg.shape[1] - size + 1, size // 4)
    ]


_STREAMS = [StreamInfo(n, channel, 0, unit) for n, (channel, _, unit) in enumerate(NUMERICS)]
_STREAMS += [
    StreamInfo(4 + n, f"ecg.{lead}", 0, "mV", (ECG_HZ, 1), (1, 800), (0, 1), 16)
    for n, lead in enumerate(("i", "ii", "v1"))
]
_STREAMS += [StreamInfo(7, "pleth", 0, "1", (PLETH_HZ, 1), (1, 1), (0, 1), 12)]
_CATALOGUE = Catalogue(1, 0, "lab_bed", "crc", "/dev/lab/bed", "wardlink", "made", "", "1", _STREAMS)
