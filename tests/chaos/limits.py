"""`python -m tests.chaos.limits`: what bounds a campaign, and a centre, with nothing broken.

One row of JSON each: the maker; the centre's ingest alone, in groups as they come (small envelopes of the campaign, and
a second of three ECG channels at 500 Hz); and the whole way of real programs, by the number of gateways. Processor time
is what counts on a machine that others use too: microseconds of it for an envelope, by program.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from agent.identity import load
from agent.lab import keyring
from agent.lab.programs import Program
from agent.spool import read_folder
from centre.counts import Counts
from centre.gate import Gate
from centre.ingest import Arrival, Ingest
from centre.store import Store
from tests.chaos.backlog import Order, make
from tests.chaos.proxy import pause
from tests.chaos.rig import SITE, Rig
from wire import bundle, codec, keys
from wire.records import Block, NumericAt
from wire.seal import Sealer
from wire.topics import Address, Class

GROUP = 100  # what the shipped broker has on its way to the centre at once
EPOCHS = 4
ECG_HZ, ECG_CHANNELS, ECG_SECONDS = 500, 3, 2000
RECEIVED = 1_800_000_000_000_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.limits", description=__doc__)
    parser.add_argument("--envelopes", type=int, default=20_000, help="for each row (default 20000)")
    parser.add_argument("--gateways", type=int, nargs="*", default=[1, 4], help="of the whole way (default 1 4)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wardlink-limits-") as name:
        ring = keyring.make(Path(name) / "keys")
        order = Order(ring.gateway, Path(name) / "state", args.envelopes, EPOCHS, 1)
        began, used = time.perf_counter(), time.process_time()
        make(order)
        say("make", args.envelopes, time.perf_counter() - began, maker=time.process_time() - used)
        address = Address(SITE, ring.gateway_id)
        small = [(Class(one.cls), one.data) for one in read_folder(order.state / "spool")]
        _ingest("ingest", Path(name), ring, [Arrival(address, cls.word, data, RECEIVED) for cls, data in small])
        ecg = [Arrival(address, cls.word, data, RECEIVED) for cls, data in _ecg(ring)]
        _ingest("ingest ecg", Path(name), ring, ecg)
    for gateways in args.gateways:
        with tempfile.TemporaryDirectory(prefix="wardlink-limits-") as name:
            asyncio.run(_whole_way(Rig(Path(name), gateways, 1), args.envelopes))


def say(what: str, count: int, seconds: float, **used_s: float) -> None:
    cpu_us = {who: round(spent / count * 1e6) for who, spent in used_s.items()}
    print(json.dumps({"what": what, "envelopes": count, "per_s": round(count / seconds), "cpu_us": cpu_us}), flush=True)


def _ecg(ring: keyring.Keyring) -> Iterator[tuple[Class, bytes]]:
    """Seconds of a monitor: ten readings, and three channels of an ECG-like wave."""
    who = load(ring.gateway, receipts=True)
    sealer = Sealer(who.signer, who.recipients, 99, bytes(8))
    yield Class.KEY, sealer.begin_hour()[1]
    dice = np.random.default_rng(1)
    encoder = codec.Encoder()
    for second in range(ECG_SECONDS):
        t = second * 1_000_000
        readings = [NumericAt(t, stream, 80 + stream) for stream in range(3, 13)]
        yield Class.VITAL, sealer.seal(Class.VITAL, bundle.pack_vital(readings))[1]
        phase = np.arange(ECG_HZ) / ECG_HZ * 2 * np.pi
        wave = np.stack([np.sin(phase) * 200 * (1 + row) for row in range(ECG_CHANNELS)])
        values = (wave + dice.normal(0, 3, wave.shape)).astype(np.int32)
        block = Block(t, 0, ECG_CHANNELS, second * ECG_HZ, ECG_HZ, encoder.encode(values))
        yield Class.WAVE, sealer.seal(Class.WAVE, bundle.pack_wave([block]))[1]


def _ingest(what: str, folder: Path, ring: keyring.Keyring, arrivals: Sequence[Arrival]) -> None:
    secret = keys.recipient_secret((ring.centre / "recipient.key").read_text())
    store = Store(f"sqlite:///{folder / what.replace(' ', '-')}.db")
    ingest = Ingest(store, Gate({ring.gateway_id: SITE}), (secret,), Counts())
    began, used = time.perf_counter(), time.process_time()
    for at in range(0, len(arrivals), GROUP):
        ingest.take(arrivals[at : at + GROUP])
    while ingest.behind:
        ingest.take(())
    say(what, len(arrivals), time.perf_counter() - began, ingest=time.process_time() - used)
    assert store.summary(ring.gateway_id).held == len(arrivals)
    store.close()


async def _whole_way(rig: Rig, envelopes: int) -> None:
    """From the first one stored to the last: real gateways, lines, TLS, broker and centre."""
    for number, ring in enumerate(rig.rings):
        make(Order(ring.gateway, rig.place(number) / "state", envelopes // len(rig.rings), EPOCHS, 1))
    try:
        await rig.start()
        while not rig.stored():
            await pause(0.05)
        began, first, used = time.perf_counter(), rig.stored(), _used_s(rig)
        while rig.stored() < envelopes:
            await pause(0.05)
        spent = {who: after - used[who] for who, after in _used_s(rig).items()}
        say(f"{len(rig.rings)} gateways, whole way", envelopes - first, time.perf_counter() - began, **spent)
    finally:
        await rig.stop()


def _used_s(rig: Rig) -> dict[str, float]:
    """Processor time so far; this process is the lines and the devices."""
    used = {"lines": time.process_time(), "broker": _cpu_s(rig.broker), "centre": _cpu_s(rig.centre)}
    return {**used, "gateways": sum(_cpu_s(bed.program) for bed in rig.beds)}


def _cpu_s(program: Program) -> float:
    """User and system time of a running child (proc(5), fields 14 and 15)."""
    child = program._child
    assert child is not None, "started"
    fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
