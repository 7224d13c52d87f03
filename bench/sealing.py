"""What sealing costs: `python -m bench.sealing`. Exit 1 where a bar is missed.

Bytes: a 12-lead ECG at 500 Hz (a beat, wander and noise of the amplifier) and its numerics through the gateway's own
pulse at one second, for an hour, to two X-Wing recipients: what header, tag, grants and manifests add to the bundles.
Processor: the same hour; the share of sealing, hashing and signing in what the whole pulse takes (coding, packing,
sealing), which is less than what the whole gateway takes: the true share is smaller.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.pulse import HOUR_NS, Pulse
from bench.results import Figure
from drivers.contract import Numeric, Wave
from tests.puppet import ECG, Scene
from wire.envelope import HEADER_BYTES, TAG_BYTES
from wire.keys import RecipientSecret
from wire.seal import Sealer
from wire.topics import Class

COMMAND = "python -m bench.sealing"
BARS = {"sealing.bytes": 5.0, "sealing.cpu": 10.0}  # per cent, at most
RATE_HZ, LEADS, SECOND_NS = 500, 12, 1_000_000_000
RECIPIENTS = [RecipientSecret("xwing", bytes(range(n, n + 96))).recipient for n in range(2)]


class Timed(Sealer):
    """A sealer that knows how long it took."""

    spent_ns = 0

    def begin_hour(self) -> Any:
        return self._timed(super().begin_hour)

    def seal(self, cls: Class, plain: bytes) -> Any:
        return self._timed(lambda: Sealer.seal(self, cls, plain))

    def manifest(self) -> Any:
        return self._timed(super().manifest)

    def _timed(self, work: Callable[[], Any]) -> Any:
        began = time.process_time_ns()
        try:
            return work()
        finally:
            self.spent_ns += time.process_time_ns() - began


def leads(rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """A second of twelve leads: limb leads in their identities, six of the chest; units of 5 uV."""
    t = np.arange(RATE_HZ)
    beat = 220 * np.exp(-((((t + rng.integers(400)) % 430 - 60) / 7.0) ** 2))
    beat += 45 * np.exp(-((((t + rng.integers(400)) % 430 - 170) / 28.0) ** 2))
    own = np.outer(rng.uniform(0.3, 1.2, 8), beat) + rng.normal(0, 2.5, (8, RATE_HZ))
    i, ii = np.rint(own[:2])
    limb = np.array([i, ii, ii - i, -(i + ii) // 2, (2 * i - ii) // 2, (2 * ii - i) // 2])
    return np.concatenate([limb, np.rint(own[2:])]).astype(int)


def hour(seconds: int = 3600) -> Iterator[Figure]:
    """The figures of an hour."""
    scene, rng = Scene(), np.random.default_rng(2026)
    sealer = Timed(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), RECIPIENTS, 1, bytes(8))
    pulse = Pulse(scene.ward, sealer, lambda: None, "bed 3")
    sizes = dict.fromkeys(Class, 0)
    counts = dict.fromkeys(Class, 0)
    whole_ns = 0
    for second in range(seconds):
        now = second * (HOUR_NS // 3600)
        said = leads(rng)
        scene.hear(now // 1000, Numeric("ecg.hr", 70, "/min"), Numeric("spo2", 97, "%"))
        scene.hear(now // 1000, *[Wave(f"ecg.{n}", tuple(lead.tolist()), ECG) for n, lead in enumerate(said)])
        began = time.process_time_ns()
        for header, data in pulse.beat(now):
            sizes[header.cls] += len(data)
            counts[header.cls] += 1
        whole_ns += time.process_time_ns() - began
    around = (counts[Class.VITAL] + counts[Class.WAVE]) * (HEADER_BYTES + TAG_BYTES)
    payload = sizes[Class.VITAL] + sizes[Class.WAVE] - around
    yield Figure("sealing.bytes", round(100 * (around + sizes[Class.KEY]) / payload, 2), "%", COMMAND)
    yield Figure("sealing.cpu", round(100 * sealer.spent_ns / whole_ns, 2), "%", COMMAND)
    yield Figure("sealing.payload", round(payload / seconds), "bytes/s", COMMAND)
    yield Figure("sealing.statements", round(sizes[Class.KEY] / seconds, 2), "bytes/s", COMMAND)


def main() -> int:
    good = True
    for figure in hour():
        print(figure.name, figure.value, figure.unit, flush=True)
        good = good and figure.value <= BARS.get(figure.name, figure.value)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
