"""Makes the spool of a gateway that ran for hours without a link, in a minute or two, instead of waiting for it.

`python -m bench.backlog --keys FOLDER --state FOLDER --hours 72 [--epochs 1]`

One bed: 12 leads at 500 Hz and four numerics, an interval of 1 s, shaped, sealed and committed by the gateway's own
pulse, sealer and spool. Only the coding is done once: a few seconds of real ECG come again and again under numbers
that go on. Nothing is synced before the end, for nobody relies on it before.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent import clock, identity
from agent.config import MIB, SpoolSizes
from agent.identity import Identity
from agent.lab import keyring, signals
from agent.pulse import Pulse
from agent.sessions.ward import Ward
from agent.spool import Commit, Disk, Spool, Stored
from drivers.vocabulary import codes, mdc_of
from wire import codec
from wire.records import Anchor, Block, Catalogue, NumericAt, Record, SessionAt, StreamInfo
from wire.seal import Sealer
from wire.topics import Class

LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
NUMERICS = {"ecg.hr": 72, "spo2": 97, "spo2.pr": 71, "resp.rr": 14}  # around these
RATE_HZ = 500
BED, DRIVER, PORT = "made", "lab_bed", "/dev/lab/bed"
SECOND_NS = 1_000_000_000
BOOT_NS = 30 * SECOND_NS  # each epoch is a boot of its own: this long after it the gateway starts
PAUSE_S = 30  # between two epochs
ERROR_US = 5000
ENDED_LIMIT = 48  # three classes of 16 epochs
Second = NDArray[np.int32]


class BacklogError(Exception):
    """The backlog cannot be made so; says why."""


@dataclass(slots=True)
class Made:
    """What is in the spool: envelopes and their bytes by class, and seconds of signal by epoch."""

    envelopes: Counter[Class] = field(default_factory=Counter)
    sealed_bytes: Counter[Class] = field(default_factory=Counter)
    seconds: dict[int, int] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Of all leads and epochs."""
        return sum(self.seconds.values()) * RATE_HZ * len(LEADS)


class Lazy(Disk):
    """Syncs when it is told to settle, and not before."""

    def __init__(self) -> None:
        super().__init__(direct=False)

    def fdatasync(self, fd: int) -> None:
        """Later."""

    def settle(self, folder: Path) -> None:
        for name in self.names(folder):
            fd = self.open(folder / name)
            os.fsync(fd)
            self.close(fd)
        self.sync_folder(folder)


class Bed(Ward):
    """A ward that hears the same seconds again and again, one with each beat. Streams: leads, then numerics."""

    def __init__(self, seconds: Sequence[bytes]) -> None:
        super().__init__(lambda: codec.encode)
        self._seconds = seconds
        self.beats = 0

    def take(self, t: int) -> tuple[list[Record], list[Block]]:
        at, self.beats = self.beats, self.beats + 1
        said: list[Record] = [] if at else [SessionAt(t, 0, "open", "")]
        for row, middle in enumerate(NUMERICS.values()):
            said.append(NumericAt(t, len(LEADS) + row, middle + (at // 7 + row) % 3))
        return said, [Block(t, 0, len(LEADS), at * RATE_HZ, RATE_HZ, self._seconds[at % len(self._seconds)])]

    def catalogues(self, t: int) -> list[Record]:
        waves = [_stream(row, f"ecg.{lead}") for row, lead in enumerate(LEADS)]
        numbers = [_stream(len(LEADS) + row, channel) for row, channel in enumerate(NUMERICS)]
        return [Catalogue(t, 0, DRIVER, "crc", PORT, "wardlink", "made", "1", "1", waves + numbers)]

    def lines(self, t: int) -> list[Record]:
        return []


def _stream(number: int, channel: str) -> StreamInfo:
    code = codes()[channel]
    if code.kind == "num":
        return StreamInfo(number, channel, mdc_of(channel) or 0, code.ucum)
    return StreamInfo(number, channel, mdc_of(channel) or 0, "mV", (RATE_HZ, 1), (1, 800), (0, 1), 16)


def ecg() -> list[Second]:
    """The seconds that come again and again, shape (12, 500): sample `i` of an epoch is in `i // 500`, modulo."""
    whole = signals.dicom_leads(RATE_HZ)
    return [np.ascontiguousarray(whole[:, at : at + RATE_HZ]) for at in range(0, whole.shape[1], RATE_HZ)]


def make(who: Identity, state: Path, hours: float, epochs: int = 1, quotas: Mapping[int, int] | None = None) -> Made:
    """Write `state`/spool, which may hold earlier epochs. `quotas`: bytes by class, the gateway's defaults else.

    Raises BacklogError where the quotas do not hold it all, SpoolError where the disk refuses.
    """
    coder = codec.Encoder()
    coded = [coder.encode(second) for second in ecg()]
    seconds = [round(hours * 3600) // epochs] * epochs
    utc_us = clock.unix_us() - (sum(seconds) + PAUSE_S * epochs) * 1_000_000
    made, disk = Made(), Lazy()
    for length in seconds:
        _epoch(who, Spool.open(state / "spool", quotas or defaults(), disk), Bed(coded), utc_us, length, made)
        utc_us += (length + PAUSE_S) * 1_000_000
    disk.settle(state / "spool")
    return made


def defaults() -> dict[int, int]:
    """The quotas of a gateway that says nothing of its spool."""
    sizes = SpoolSizes()
    return {Class.KEY: sizes.key_mib * MIB, Class.VITAL: sizes.vital_mib * MIB, Class.WAVE: sizes.wave_mib * MIB}


def _epoch(who: Identity, spool: Spool, bed: Bed, utc_us: int, seconds: int, made: Made) -> None:
    """One start of the gateway, to its clean end."""
    at_us = 0

    def anchor() -> Anchor:
        return Anchor(at_us, utc_us + at_us - BOOT_NS // 1000, ERROR_US, "ntp")

    sealer = Sealer(who.signer, who.recipients, spool.epoch, spool.nonce)
    pulse = Pulse(bed, sealer, anchor, BED)
    envelopes = pulse.ended(sorted((epoch, cls, tail) for (epoch, cls), tail in spool.tails().items())[-ENDED_LIMIT:])
    for beat in range(1, seconds + 1):
        now = BOOT_NS + beat * SECOND_NS
        at_us = now // 1000
        for header, data in envelopes + pulse.beat(now, last=beat == seconds):
            spool.append(Stored(int(header.cls), header.epoch, header.hour, header.seq, data))
            made.envelopes[header.cls] += 1
            made.sealed_bytes[header.cls] += len(data)
        envelopes = []
        _whole(spool.commit())
    made.seconds[spool.epoch] = seconds
    spool.close()


def _whole(commit: Commit) -> None:
    if commit.evicted or commit.dropped:
        lost = (commit.evicted or commit.dropped)[0]
        raise BacklogError(f"the quota of class {lost.cls} does not hold that much")


def _keys(folder: Path) -> Path:
    """The gateway's folder of a keyring, which is made where there is none."""
    if not (folder / "gateway").is_dir():
        keyring.make(folder)
    return folder / "gateway"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.backlog", description=__doc__)
    parser.add_argument("--keys", type=Path, required=True, help="a keyring; it is made if it is missing")
    parser.add_argument("--state", type=Path, required=True, help="the gateway's state folder")
    parser.add_argument("--hours", type=float, default=72.0)
    parser.add_argument("--epochs", type=int, default=1)
    args = parser.parse_args()
    began = clock.now()
    made = make(identity.load(_keys(args.keys), receipts=False), args.state, args.hours, args.epochs)
    for cls in Class:
        print(f"{cls.word:5} {made.envelopes[cls]:8} envelopes {made.sealed_bytes[cls]:12} bytes")
    print(f"{made.samples} samples in epochs {', '.join(map(str, made.seconds))}")
    print(f"made in {(clock.now() - began) / SECOND_NS:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
