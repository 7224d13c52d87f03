"""`python -m bench.history [--hours 72] [--store URL]`: any window of a long 12-lead recording, drawn in how long?

Makes the recording (a minute of twelve leads at 500 Hz, again and again; a hole an hour) for two beds, one with three
readings a second and one with ten; has the outlines made; and asks for windows of every width at random places: the
processor's time of the answer, and, of the bed's page in a headless Chromium, the time from what the person does to
the frame in which the window stands drawn. Prints JSON; exit code 1 over the bar. A store that is named is kept, and
used again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from sqlalchemy import insert, literal, select

from agent.lab.browser import Page, browser
from bench.painted import CATEGORIES, marks, shown
from centre.counts import Counts
from centre.live import Live
from centre.store import Batch, Entry, Store, schema
from centre.store.columns import METADATA
from centre.web.app import make_app
from wire import codec, records
from wire.envelope import Header
from wire.topics import Address, Class

LEADS, RATE, COLUMNS = 12, 500, 1500
BAR_MS = 300
WINDOWS_S = (2, 10, 60, 180, 200, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 72 * 3600)
SHOWN_S = (2, 10, 20, 60, 600, 3600, 6 * 3600, 24 * 3600, 72 * 3600)  # as the page offers
ACTS = ("axis-earlier", "axis-in", "axis-out", "axis-later")
TRIES = 8
SECOND = 1_000_000
BEGUN = 1_800_000_000 * SECOND
BEDS = {"gw-a1": 10, "gw-a2": 3}  # readings a second
NAMES = ["i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6"]
READINGS = ["ecg.hr", "spo2", "spo2.pr", "resp.rr", "temp.core", "ibp.art.map", "etco2", "ibp.cvp.mean", "pvc", "st.ii"]


_WAITS = """new PerformanceObserver((list, own) => {
  if (!list.getEntriesByName('history drawn').length) return;
  own.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 300)));
}).observe({ entryTypes: ['mark'] });"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=72)
    parser.add_argument("--store", default="")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = args.store or f"sqlite:///{Path(folder) / 'centre.db'}"
        made = _made(url, args.hours * 3600)
        store = Store(url)
        spans = list(BEDS.items())
        asked = {f"{count} readings": _widths(store, bed, args.hours * 3600) for bed, count in spans}
        store.close()
        with _served(url, args.hours * 3600) as origin, browser() as page:
            page.size(1400, 3000)  # all lanes are seen
            drawn = {f"{count} readings": _drawn(page, f"{origin}/beds/{bed}") for bed, count in spans}
    worst = max(times[-1] for of in drawn.values() for times in of.values())
    said = {
        "hours": args.hours,
        **made,
        "query_cpu_ms": _said(asked),
        "drawn_ms": _said(drawn),
        "query_worst_ms": max(times[-1] for of in asked.values() for times in of.values()),
        "drawn_worst_ms": worst,
        "bar_ms": BAR_MS,
        "good": worst <= BAR_MS,
    }
    print(json.dumps(said, indent=1))
    return 0 if said["good"] else 1


def _said(found: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, list[float]]]:
    """[median, worst] by window."""
    return {bed: {w: [times[len(times) // 2], times[-1]] for w, times in of.items()} for bed, of in found.items()}


# The recording.


def _made(url: str, seconds: int) -> dict[str, float]:
    store, begun = Store(url), time.process_time()
    if not store.beds():
        _fill(store, seconds)
        filled, begun = time.process_time() - begun, time.process_time()
        stretches = 0
        while made := store.outlines.draft(1 << 60) + store.outlines.draft_trends(1 << 60):
            stretches += made
        _copy(store, "gw-a1", "gw-a2")
        said = {"fill_cpu_s": filled, "draft_cpu_s": time.process_time() - begun, "stretches": stretches}
    else:
        said = {"fill_cpu_s": 0.0, "draft_cpu_s": 0.0}
    store.close()
    return {name: round(value, 1) for name, value in said.items()}


def _fill(store: Store, seconds: int) -> None:
    dice = np.random.default_rng(1)
    walks = [dice.integers(-9, 10, (LEADS, RATE)).cumsum(axis=1).astype(np.int32) for _ in range(60)]
    coded = [codec.encode(walk) for walk in walks]
    address = Address("north", "gw-a1")
    entries = [_entry(address, 0, [_catalogue(), records.Boot(0, bytes(16), 1)], [])]
    for second in range(seconds):
        if second % 3600 < 20:
            continue
        at = (second + 1) * SECOND
        block = records.Block(at - SECOND // RATE, 0, LEADS, second * RATE, RATE, coded[second % 60])
        told = [_reading(at, LEADS + number, second) for number in range(len(READINGS))]
        anchor = [records.Anchor(at, BEGUN + at, 10_000, "ntp")] if second % 600 == 30 else []
        entries.append(_entry(address, second + 1, [*told, *anchor], [block]))
        if len(entries) == 1000 or second == seconds - 1:
            store.write(Batch(entries=entries, heard={address: BEGUN + at}))
            entries = []


def _reading(at: int, stream: int, second: int) -> records.NumericAt:
    """A slow wave; a minute of each hour the sensor is off."""
    if second // 60 % 60 == 7:
        return records.NumericAt(at, stream, None, "sensor-off")
    return records.NumericAt(at, stream, Decimal(60 + (second // 7 + stream) % 40))


def _catalogue() -> records.Catalogue:
    waves = [
        records.StreamInfo(n, f"ecg.{name}", 0, "mV", (RATE, 1), (1, 200), (0, 1), 16, "monitor")
        for n, name in enumerate(NAMES)
    ]
    readings = [records.StreamInfo(LEADS + n, name, 0, "1") for n, name in enumerate(READINGS)]
    return records.Catalogue(0, 0, "edan_m3", "sum", "usb-1", "", "", "SN1", "", [*waves, *readings])


def _entry(address: Address, seq: int, told: list[Any], blocks: list[records.Block]) -> Entry:
    came = BEGUN + (seq + 1) * SECOND
    header = Header(1, Class.WAVE, seq, 0)
    return Entry(address, header, came, 100, seq.to_bytes(32, "big"), bytes(8), records=told, blocks=blocks)


def _copy(store: Store, bed: str, to: str) -> None:
    """The same for another bed, with as many of its readings as that one has."""
    address, last = Address("north", to), LEADS + BEDS[to]
    store.enrol([(address, "")])
    with store.engine.begin() as connection:
        gw = dict(connection.execute(select(schema.GATEWAY.c.gateway, schema.GATEWAY.c.gw)).all())
        for table in METADATA.sorted_tables:
            if "gw" not in table.c or table is schema.GATEWAY:
                continue
            wanted = select(*(literal(gw[to]) if c.name == "gw" else c for c in table.c)).where(table.c.gw == gw[bed])
            if "stream" in table.c:
                wanted = wanted.where(table.c.stream < last)
            connection.execute(insert(table).from_select(list(table.c.keys()), wanted))


# What the centre needs for an answer.


def _widths(store: Store, bed: str, seconds: int) -> dict[str, list[float]]:
    return {f"{window} s": _asked(store, bed, window, seconds) for window in WINDOWS_S if window <= seconds}


def _asked(store: Store, bed: str, window_s: int, seconds: int) -> list[float]:
    """Milliseconds of processor of each try, sorted."""
    dice, times = random.Random(window_s), []
    for _ in range(TRIES):
        first = dice.randrange(max(1, seconds - window_s + 1))
        begun = time.process_time()
        for lead in range(LEADS):
            store.outlines.columns(bed, 1, lead, first * RATE, (first + window_s) * RATE, COLUMNS)
        store.outlines.trends(bed, 1, first * SECOND, (first + window_s) * SECOND - 1, COLUMNS)
        times.append(round((time.process_time() - begun) * 1000, 1))
    return sorted(times)


# What a person waits for.


@contextmanager
def _served(url: str, seconds: int) -> Iterator[str]:
    """The centre's pages in a process of their own; their clock stands at the end of the recording."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(url, port, BEGUN + seconds * SECOND))
    process.start()
    try:
        _await(lambda: _answers(port))
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.join()


def _serve(url: str, port: int, now: int) -> None:
    app = make_app(Store(url), Live(Counts()), now=lambda: now)
    uvicorn.run(app, port=port, log_level="error")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _await(condition: Callable[[], bool]) -> None:
    pace = threading.Event()
    while not condition():
        pace.wait(0.05)


def _drawn(page: Page, url: str) -> dict[str, list[float]]:
    """Milliseconds from an act to the frame that shows it, by window; sorted."""
    page.open(url, "document.querySelectorAll('#facts .chip').length >= 4")
    found = {}
    for window in SHOWN_S:
        span = f"const one = document.getElementById('axis-span'); one.value = '{window}';"
        acts = [f"{span} one.dispatchEvent(new Event('change'));"]
        acts += [f"document.getElementById('{name}').click();" for name in ACTS]
        found[f"{window} s"] = sorted(_timed(page, act) for act in acts)
    return found


def _timed(page: Page, act: str) -> float:
    """One act, from a page that rests."""
    with page.traced(*CATEGORIES) as trace:
        page.ask(f"new Promise((done) => {{ {_WAITS} performance.mark('acted'); {act} }})")
    acted, drawn = marks(trace, "acted")[0], marks(trace, "history drawn")[0]
    return round((shown(trace, drawn) - acted) / 1000, 1)


if __name__ == "__main__":
    sys.exit(main())
