"""The interface over the real store: what was written is read back, sample by sample, with its holes."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from centre.counts import Counts
from centre.live import Live, Update
from centre.store import Batch, Entry, Store
from centre.web.app import make_app
from centre.web.sources import Counted
from centre.web.sources import Store as Readable
from tests.system.page_caller import ask, socket
from wire import codec, records
from wire.envelope import Header
from wire.topics import Address, Class

ADDRESS = Address("lokossa", "gw-a1")
EPOCH = 3
UTC = 1_800_000_000_000_000
NOW = UTC + 10_000_000
CATALOGUE = records.Catalogue(
    0, 0, "edan_m3", "sum", "usb-1", "Edan", "M3", "SN1", "", [
        records.StreamInfo(0, "ecg.i", 131329, "mV", (250, 1), (1, 200), (0, 1), 12, "monitor"),
        records.StreamInfo(1, "ecg.ii", 131330, "mV", (250, 1), (1, 200), (0, 1), 12, "monitor"),
        records.StreamInfo(2, "spo2", 150456, "%"),
    ],
)  # fmt: skip
VITAL = (
    CATALOGUE,
    records.Anchor(0, UTC, 20_000, "ntp"),
    records.NumericAt(1_000_000, 2, Decimal("97.0")),
    records.NumericAt(2_000_000, 2, None, "sensor-off"),
    records.AlarmAt(2_000_000, 0, "A7", "SpO2 sensor off", "low", "on", "spo2"),
    records.StreamGap(3_000_000, 1, 500, 250, "parse"),
    records.Association(0, "scan", "validated", "nurse", "7f3ac0", "Bed 4"),
)
WAVE = np.arange(500, dtype=np.int32).reshape(2, 250)


def block(first: int) -> records.Block:
    mark = records.MarkAt(1, 10, "lead-off", 20)
    return records.Block((first + 250) * 4000, 0, 2, first, 250, codec.encode(WAVE + first), [mark])


def entry(cls: Class, seq: int, **said: object) -> Entry:
    return Entry(ADDRESS, Header(EPOCH, cls, seq, 0), NOW, 100, bytes([cls, seq]) * 16, bytes(8), **said)  # type: ignore[arg-type]


def filled(folder: Path, counts: Counts) -> Store:
    store = Store(f"sqlite:///{folder / 'centre.db'}", counts)
    store.enrol([(ADDRESS, "Bed 4")])
    entries = [entry(Class.VITAL, 0, records=VITAL)]
    entries += [entry(Class.WAVE, seq, blocks=[block(first)]) for seq, first in ((0, 0), (1, 250), (3, 750))]
    store.write(Batch(entries=entries, online={ADDRESS: True}, heard={ADDRESS: NOW}))
    return store


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    counts = Counts()
    store: Readable = filled(tmp_path, counts)
    assert isinstance(store, Counted)
    app = make_app(store, Live(counts), now=lambda: NOW)
    [bed] = ask(app, "/api/beds").json()["beds"]
    assert (bed["bed"], bed["online"], bed["status"], bed["missing"]) == ("Bed 4", True, "validated", 1)
    streams = ask(app, "/api/beds/gw-a1/streams").json()
    assert (streams["epoch"], [s["channel"] for s in streams["streams"]]) == (EPOCH, ["ecg.i", "ecg.ii", "spo2"])
    wave = ask(app, "/api/beds/gw-a1/samples?stream=1&first=100&last=900").json()
    samples = {run["first"] + i: value for run in wave["runs"] for i, value in enumerate(run["samples"])}
    kept = [*range(100, 500), *range(750, 900)]
    assert samples == {i: int(WAVE[1][i % 250]) + i // 250 * 250 for i in kept}
    assert [(h["first"], h["last"], h["cause"]) for h in wave["holes"]] == [(500, 750, "parse")]
    other = ask(app, "/api/beds/gw-a1/samples?stream=0&first=500&last=750").json()
    assert [(h["first"], h["last"], h["cause"]) for h in other["holes"]] == [(500, 750, "not-received")]
    [reading] = ask(app, "/api/beds/gw-a1/numerics").json()["numerics"]
    assert (reading["value"], reading["why"], reading["grade"]) == (None, "sensor-off", "A")
    assert ask(app, "/api/beds/gw-a1/numerics?since=0").json()["numerics"][0]["value"] == "97.0"
    [notice] = ask(app, "/api/beds/gw-a1/notices").json()["notices"]
    assert (notice["kind"], notice["text"], notice["priority"]) == ("alarm", "SpO2 sensor off", "low")
    assert ask(app, "/api/beds/gw-a1/ledger").json()["missing"] == 1
    assert ask(app, "/metrics").status_code == 200


def test_the_real_live_source_reaches_the_socket(tmp_path: Path) -> None:
    counts = Counts()
    store, live = filled(tmp_path, counts), Live(counts)

    async def call() -> dict[str, Any]:
        async with socket(make_app(store, live, now=lambda: NOW), "gw-a1") as reader:
            await reader.next("presence")
            said = [records.NumericAt(9_000_000, 2, Decimal("98.5"))]
            await asyncio.to_thread(live.tell, Update(ADDRESS, EPOCH, said, (), live=True))
            return await reader.next("update")

    [numeric] = asyncio.run(call())["numerics"]
    assert (numeric["value"], numeric["utc"], numeric["grade"]) == ("98.5", UTC + 9_000_000, "A")
