"""TIM-10 at scale: a device at 500.05 Hz heard for hours on virtual time, by the real path to the centre's answer.

Delivery is late by chance and comes in lumps, as from a USB adapter; once the device says nothing for 10 s. Its samples
are numbers in a row, so that one too many or too few is seen.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.pulse import Pulse
from centre.counts import Counts
from centre.gate import Gate
from centre.ingest import Arrival, Ingest
from centre.live import Update
from centre.pace import longest
from centre.store import Store
from centre.web.app import make_app
from drivers.contract import Scale, Wave
from tests.puppet import Scene
from tests.system.page_caller import ask
from wire.keys import RecipientSecret
from wire.records import Anchor, StreamGap
from wire.seal import Sealer
from wire.topics import Address

NOMINAL = Fraction(500)
TRUE_HZ = Fraction(50005, 100)
CENTRE = RecipientSecret("x25519", bytes(range(32)))
UTC_US = 1_830_000_000_000_000
SECOND_US = 1_000_000
STEP_US = 500_000
LUMP_US = 16_000  # of a USB adapter's latency timer
LATE_US = 80_000
VALUES_COUNT = 4096
SCALE = Scale(NOMINAL, "mV", Fraction(1, 200), bits=12)


@dataclass(slots=True)
class Found:
    """`ppm`: the measured rate against the true one. `answer` is the interface's."""

    sent: int
    stored: int
    altered: int
    gaps: list[tuple[str, int | None]]
    ppm: float
    corners: int
    answer: dict[str, Any]


class _Bed:
    """Gateway and centre without a network: what the pulse seals, the centre takes at once."""

    def __init__(self, folder: Path) -> None:
        signer = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"rates").digest())
        sealer = Sealer(signer, [CENTRE.recipient], 1, bytes(8))
        self.address = Address("north", sealer.gateway)
        self.scene = Scene()
        self.t = 0
        self.pulse = Pulse(self.scene.ward, sealer, lambda: Anchor(self.t, UTC_US + self.t, 500, "ntp"), "bed 3")
        self.store = Store(f"sqlite:///{folder / 'centre.db'}")
        self.ingest = Ingest(self.store, Gate({sealer.gateway: "north"}), (CENTRE,), Counts())
        self.ingest.listeners.append(self._hear)
        self.stored = self.altered = 0
        self.gaps: list[tuple[str, int | None]] = []

    def beat(self, t: int) -> None:
        self.t = t
        made = self.pulse.beat(t * 1000)
        self.ingest.take(Arrival(self.address, header.cls.word, data, UTC_US + t + 50_000) for header, data in made)

    def _hear(self, update: Update) -> None:
        self.gaps += [(r.cause, r.count) for r in update.records if isinstance(r, StreamGap)]
        for run in update.samples:
            expected = (np.arange(self.stored, self.stored + len(run.values)) % VALUES_COUNT).astype(np.int32)
            self.altered += int((run.values != expected).sum())
            self.stored += len(run.values)


def heard_for(seconds: int, seed: int, folder: Path) -> Found:
    """The device for so many seconds; it is silent for 10 s after a third of them."""
    dice, bed = Random(seed), _Bed(folder)
    silence = seconds * SECOND_US // 3
    sent = paused = 0
    held_back = False
    for t in range(STEP_US, seconds * SECOND_US + 1, STEP_US):
        if silence <= t < silence + 10 * SECOND_US:
            paused += STEP_US
        elif held_back or dice.random() > 0.1:  # else it all comes with the next
            taken = int((t - paused) * TRUE_HZ / SECOND_US)
            arrived = -(-(t + dice.randint(0, LATE_US)) // LUMP_US) * LUMP_US
            bed.scene.hear(arrived, Wave("ecg.ii", tuple(n % VALUES_COUNT for n in range(sent, taken)), SCALE))
            sent, held_back = taken, False
        else:
            held_back = True
        if t % SECOND_US == 0:
            bed.beat(t + 200_000)
    bed.beat(seconds * SECOND_US + 400_000)
    return _judged(bed, sent)


def _judged(bed: _Bed, sent: int) -> Found:
    gateway = bed.address.gateway
    row = longest(bed.store.arrivals(gateway, 1, 0, 10**15))
    assert row is not None
    period = row.measured(NOMINAL)
    assert period is not None, "too short to measure"
    app = make_app(bed.store, _Nobody(), now=lambda: UTC_US + bed.t)
    answer = ask(app, f"/api/beds/{gateway}/pace?stream=0").json()
    bed.store.close()
    ppm = float((SECOND_US / period / TRUE_HZ - 1) * 1_000_000)
    return Found(sent, bed.stored, bed.altered, bed.gaps, ppm, len(row.corners), answer)


class _Nobody:
    """No live source."""

    def subscribe(self, callback: Any, _gateway: str = "") -> Any:
        return callback
