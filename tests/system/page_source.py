"""A store in memory, a live source, and a synthetic bed: data for tests of the pages, and a launcher to look at them.

`python -m tests.system.page_source [port]` serves three beds on localhost; see `BEDS`.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import uvicorn

from centre import rows
from centre.clock import utc_us
from centre.pace import Row
from centre.web.app import make_app
from centre.web.sources import Update
from tests.system.page_outlines import Plain
from wire import records

EPOCH = 7
BOOT_UTC = 1_800_000_000_000_000
BEDS = ("gw-a1", "gw-b2", "gw-c3")


@dataclass
class Said:
    """An update as the live source hands it on."""

    gateway: str
    records: list[records.Record] = field(default_factory=list)
    samples: list[rows.Samples] = field(default_factory=list)
    live: bool = True
    epoch: int = EPOCH


class Memory:
    """The read interface of the store over plain lists, and the live source that fills them."""

    def __init__(self, *beds: rows.Bed) -> None:
        self.known = {bed.gateway: bed for bed in beds}
        self.catalogue: list[rows.Stream] = []
        self.runs: dict[tuple[str, int, int], list[rows.Samples]] = defaultdict(list)
        self.told: dict[str, list[rows.Reading]] = defaultdict(list)
        self.announced: dict[str, list[rows.Notice]] = defaultdict(list)
        self.lost: dict[str, list[rows.Gap]] = defaultdict(list)
        self.anchored: dict[str, list[rows.Anchored]] = defaultdict(list)
        self.readers: list[Callable[[Update], None]] = []
        self.engine = None  # only a store has one
        self.past = threading.Event()  # until it is set, whoever asks for notices waits
        self.past.set()
        self.outlines = Plain(lambda *place: self.runs[place], lambda gateway, _: self.told[gateway])

    def associations(self, gateway: str) -> list[rows.Association]:
        return []

    def beds(self) -> list[rows.Bed]:
        return list(self.known.values())

    def bed(self, gateway: str) -> rows.Bed | None:
        return self.known.get(gateway)

    def streams(self, gateway: str, epoch: int | None = None) -> list[rows.Stream]:
        mine = [s for s in self.catalogue if s.gateway == gateway]
        asked = max((s.epoch for s in mine), default=0) if epoch is None else epoch
        return [s for s in mine if s.epoch == asked]

    def samples(
        self, gateway: str, epoch: int, stream: int, first: int, last: int, limit_samples: int
    ) -> list[rows.Samples]:
        runs = self.runs[gateway, epoch, stream]
        return [run for run in runs if run.first < last and run.first + len(run.values) > first]

    def arrivals(self, gateway: str, epoch: int, stream: int, span_us: int) -> list[Row]:
        row = Row()
        for run in sorted(self.runs[gateway, epoch, stream], key=lambda run: run.first):
            row.add(run.first + len(run.values) - 1, run.t)
        return [row]

    def last_index(self, gateway: str, epoch: int, stream: int) -> int | None:
        return max((r.first + len(r.values) for r in self.runs[gateway, epoch, stream]), default=None)

    def readings(self, gateway: str, epoch: int, since_t: int | None, limit_rows: int) -> list[rows.Reading]:
        mine = [r for r in self.told[gateway] if r.epoch == epoch]
        if since_t is None:
            return list({r.stream: r for r in mine}.values())[:limit_rows]
        return [r for r in mine if r.t >= since_t][:limit_rows]

    def pairs(self, gateway: str, epoch: int, session: int) -> list[rows.Paired]:
        return []

    def notices(self, gateway: str, epoch: int, since_t: int | None, limit_rows: int) -> list[rows.Notice]:
        self.past.wait(30)
        mine = [n for n in self.announced[gateway] if n.epoch == epoch]
        return mine[-limit_rows:] if since_t is None else [n for n in mine if n.t >= since_t][:limit_rows]

    def gaps(self, gateway: str, epoch: int) -> list[rows.Gap]:
        return [g for g in self.lost[gateway] if g.epoch == epoch]

    def datings(self, gateway: str, epoch: int) -> list[rows.Dating]:
        anchors = tuple(a for a in self.anchored[gateway] if a.epoch == epoch)
        spans = [
            (run.t - int(len(run.values) * 1_000_000 / one.rate), run.t)
            for one in self.catalogue
            for run in self.runs[gateway, epoch, one.stream]
            if one.rate > 0
        ]
        if not spans or not anchors:
            return [rows.Dating(epoch, b"", anchors, ())]
        first, last = min(first for first, _ in spans), max(last for _, last in spans)
        came = max(a.utc - a.t + last for a in anchors) + 86_400_000_000
        return [rows.Dating(epoch, b"", anchors, (rows.Arrived(epoch, first, last, last, came),))]

    def orders(self, gateway: str, limit_rows: int) -> list[rows.Order]:
        return []

    def audit(self, gateway: str) -> rows.AuditLog | None:
        return None

    def epochs(self, gateway: str) -> list[int]:
        return sorted({s.epoch for s in self.catalogue if s.gateway == gateway})

    def counters(self) -> dict[str, int]:
        return {"samples": sum(len(r.values) for runs in self.runs.values() for r in runs)}

    def standing(self) -> dict[str, float]:
        return {}

    def subscribe(self, callback: Callable[[Update], None], _gateway: str = "") -> Callable[[], None]:
        self.readers.append(callback)
        return lambda: self.readers.remove(callback)

    def say(self, said: Said) -> None:
        """Store first, then tell: as the real centre does."""
        self._keep(said)
        for reader in list(self.readers):
            reader(said)

    def _keep(self, said: Said) -> None:
        for run in said.samples:
            self.runs[said.gateway, run.epoch, run.stream].append(run)
        for record in said.records:
            match record:
                case records.NumericAt(t, stream, value, why):
                    kept = None if value is None else Decimal(value)
                    self.told[said.gateway].append(rows.Reading(said.epoch, stream, t, kept, why))
                case records.AlarmAt(t, session, code, text, priority, phase, channel):
                    notice = rows.Notice(said.epoch, session, t, "alarm", code, phase, text, channel, priority)
                    self.announced[said.gateway].append(notice)
                case records.StreamGap(t, stream, first, count, cause):
                    self.lost[said.gateway].append(rows.Gap(said.epoch, stream, t, first, count, cause))
                case records.Anchor(t, utc, error, source):
                    self.anchored[said.gateway].append(rows.Anchored(said.epoch, t, utc, error, source))
                case _:
                    continue


def bed(gateway: str = "gw-a1", **changes: object) -> rows.Bed:
    """A bed that is well, with `changes`."""
    well = rows.Bed(
        "lokossa", gateway, "Bed 4, window", True, BOOT_UTC, EPOCH, "scan", "validated", "7f3ac09be1", 0, 0, 0
    )
    return replace(well, **changes)  # type: ignore[arg-type]


def stream(number: int, channel: str, unit: str, rate: Fraction = Fraction(0), **changes: object) -> rows.Stream:
    """A stream of gateway gw-a1, with `changes`."""
    plain = rows.Stream(
        "gw-a1", EPOCH, number, 0, channel, 0, unit, rate, Fraction(1), Fraction(0), 16, "", "mindray_beneview",
        "crc", "Mindray", "BeneView T5", "CM-43107742", "usb-1.2",
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def run(number: int, first: int, values: Sequence[int], t: int, *marks: records.MarkAt) -> rows.Samples:
    return rows.Samples(EPOCH, number, first, t, np.asarray(values, np.int32), tuple(marks))


ECG_HZ, PLETH_HZ, RESP_HZ = 250, 75, 25
STREAMS = (
    stream(0, "ecg.ii", "mV", Fraction(ECG_HZ), gain=Fraction(1, 200), offset=Fraction(8192), filter="monitor"),
    stream(1, "ecg.v5", "mV", Fraction(ECG_HZ), gain=Fraction(1, 200), offset=Fraction(8192), filter="monitor"),
    stream(2, "pleth", "1", Fraction(PLETH_HZ)),
    stream(3, "resp.impedance", "Ohm", Fraction(RESP_HZ), gain=Fraction(1, 100)),
    stream(4, "ecg.hr", "/min"),
    stream(5, "spo2", "%"),
    stream(6, "spo2.pr", "/min"),
    stream(7, "resp.rr", "/min"),
    stream(8, "temp.skin", "Cel"),
    *(
        stream(
            number,
            channel,
            "mm[Hg]",
            session=1,
            model="Connex ProBP 3400",
            maker="Welch Allyn",
            driver="welchallyn_probp",
            serial="",
            integrity="sum",
            port="ble",
        )
        for number, channel in ((9, "nibp.sys"), (10, "nibp.dia"))
    ),
)


def ecg_mv(seconds: float, scale: float = 1.0) -> float:
    """One PQRST a beat as a sum of bumps (after McSharry et al. 2003, without its dynamics), 72 beats a minute."""
    phase = (seconds % (60 / 72)) / (60 / 72)
    bumps = ((0.18, 0.14, 0.028), (0.275, -0.12, 0.008), (0.30, 1.25, 0.010), (0.33, -0.28, 0.010), (0.56, 0.32, 0.05))
    wave = sum(height * math.exp(-(((phase - at) / width) ** 2) / 2) for at, height, width in bumps)
    return scale * wave + 0.05 * math.sin(2 * math.pi * 0.24 * seconds)


def pleth(seconds: float) -> float:
    phase = ((seconds - 0.22) % (60 / 72)) / (60 / 72)
    rise = math.exp(-(((phase - 0.2) / 0.09) ** 2) / 2)
    return 40 + 55 * rise + 22 * math.exp(-(((phase - 0.48) / 0.13) ** 2) / 2)


def second(number: int, at: int) -> list[int]:
    """Integers of stream `number` in second `at`."""
    rate = int(STREAMS[number].rate)
    times = [at + i / rate for i in range(rate)]
    if number in (0, 1):
        return [8192 + round(200 * ecg_mv(t, 1.0 if number == 0 else 0.8)) for t in times]
    if number == 2:
        return [round(pleth(t)) for t in times]
    return [round(100 * (512 + 4 * math.sin(2 * math.pi * 0.26 * t))) for t in times]


def synthetic(at: int, t: int) -> Said:
    """What a bed says in second `at`, heard at `t`: with lead-off now and then, a declared gap, an undeclared one."""
    said = Said("gw-a1")
    off = 40 <= at % 60 < 44
    for number in range(4):
        rate = int(STREAMS[number].rate)
        values = second(number, at)
        marks = [records.MarkAt(0, 0, "lead-off", rate)] if off and number == 1 else []
        if number == 2 and at % 12 == 9:
            said.records.append(records.StreamGap(t, 2, at * rate, rate, "parse"))
            continue
        if number == 3 and at % 40 == 30:
            continue
        said.samples.append(run(number, at * rate, values, t, *marks))
    readings = {4: Decimal(72), 5: Decimal(97 + at // 7 % 2), 6: Decimal(71 + at // 5 % 3), 7: Decimal(15)}
    said.records += [records.NumericAt(t, number, value) for number, value in readings.items()]
    said.records.append(records.NumericAt(t, 8, None, "sensor-off"))
    if at % 60 == 4:
        said.records += [records.NumericAt(t, 9, Decimal(128)), records.NumericAt(t, 10, Decimal(79))]
    if at % 60 in (40, 44):
        phase = "on" if at % 60 == 40 else "off"
        said.records.append(records.AlarmAt(t, 0, "INOP-V", "ECG lead V off", "low", phase, "ecg.v5"))
    return said


def three_beds() -> Memory:
    """One bed that talks, one that is offline and incomplete, one that nobody named."""
    now = utc_us()
    hour = 3_600_000_000
    offline = bed(
        "gw-b2", bed="Bed 2, door", online=False, heard_utc=now - 3 * hour, status="conflict", missing=214, lost=3
    )
    unnamed = bed("gw-c3", bed="", site="naryn", heard_utc=None, pseudonym="", method="none", status="")
    memory = Memory(bed(heard_utc=now), offline, unnamed)
    memory.catalogue += STREAMS
    memory.anchored["gw-a1"].append(rows.Anchored(EPOCH, 0, now - 300_000_000, 12_000, "ntp"))
    return memory


async def talk(memory: Memory) -> None:
    """Says one second of the bed, each second, for as long as it is let."""
    loop = asyncio.get_running_loop()
    start, begun = loop.time(), memory.anchored["gw-a1"][0].utc
    for at in itertools.count():
        due = asyncio.Event()
        loop.call_at(start + at, due.set)
        await due.wait()
        memory.known["gw-a1"] = replace(memory.known["gw-a1"], heard_utc=utc_us())
        memory.say(synthetic(at, utc_us() - begun))


async def serve(port: int) -> None:
    memory = three_beds()
    server = uvicorn.Server(uvicorn.Config(make_app(memory, memory), port=port, log_level="warning"))
    await asyncio.gather(server.serve(), talk(memory))


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8099))
