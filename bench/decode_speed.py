"""How many times faster than its device each driver decodes: `python -m bench.decode_speed [--json] [--driver ID ...]`.

The bar is 200. A driver hears its captures again and again; what is measured is the CPU time of one core per byte,
the median of RUNS runs, once in the pieces of the captures and once in those that a USB adapter hands over every
16 ms; the slower counts. The device's fastest rate is the larger of two:

- what its protocol sends (RATES, with the place it is said at); where that is not known the line itself, full without a
  pause, at the fastest setting that the driver claims. A radio without an entry is taken for ten notifications
  of 20 bytes a second, ten times what the SIG's profiles send; a network or keyboard for a line of 115200 baud.
- the densest WINDOW_S of its captures, as they are timed.

Exit code 1 where a driver is below the bar.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from bench.results import Figure, number
from bench.scratch import ROOT
from drivers import capture, registry
from drivers.contract import Ble, Claim, Driver, Serial

COMMAND = "python -m bench.decode_speed"
LEAST_TIMES = 200
RUNS = 5
PLENTY_BYTES = 60_000  # of each run
WINDOW_S = 10
PIECE_S = 0.016  # the latency timer of FTDI adapters
SECOND_NS = 1_000_000_000

Chunk = tuple[int, bytes, str]
RATES: dict[str, tuple[float, str]] = {  # bytes a second at most, and how that is known; escapes and answers included
    "berry_bci": (2500, "BCI Protocol V1.2: 5 bytes, 500 times a second at the highest rate an app can set"),
    "capnostream_20": (
        600,
        "20 curve messages of 8 bytes, numerics of 40 and identity each second, every byte escaped",
    ),
    "contec_ble": (368, "60 pleth frames of 6 bytes and one of 8 with numbers each second"),
    "contec_v7": (576, "V7.0: 60 frames of 9 bytes a second, and answers"),
    "creative_pc60": (158, "ten pleth frames of 11 bytes, one of 12 with numbers, states"),
    "ieee11073_agent": (
        2400,
        "assumed: four of the largest configurations seen (552 bytes) in one second",
    ),
    "jumper_jpd500f": (
        640,
        "assumed, no document names a rate: 32 notifications of 20 bytes a second",
    ),
    "polar_h10": (452, "130 samples of 3 bytes a second in notifications of 229, heart rate beside it"),
    "viatom_bp2w": (640, "assumed, no document names a rate: ten pushes a second of 64 bytes while it measures"),
    "viatom_o2ring": (320, "one answer a second with 125 pleth samples, and who it is"),
}
OF_RADIO = 200.0, "ten notifications of 20 bytes a second"
OF_OTHERS = 11_520.0, "as dense as a line of 115200 baud"


@dataclass(frozen=True, slots=True)
class Speed:
    """Bytes a second: what the driver decodes, and what its device sends at most."""

    driver: str
    decoded: float
    sent: float
    known_from: str

    @property
    def times(self) -> float:
        return self.decoded / self.sent


def line_rate(claim: Serial) -> float:
    """Characters a second: a start bit, the data, parity, the stop bits."""
    return claim.baud / (1 + claim.bits + (claim.parity != "N") + claim.stop)


def protocol_rate(driver_id: str, claims: Sequence[Claim]) -> tuple[float, str]:
    if driver_id in RATES:
        return RATES[driver_id]
    lines = [claim for claim in claims if isinstance(claim, Serial)]
    if lines:
        fastest = max(lines, key=line_rate)
        return line_rate(fastest), f"the line at {fastest}, without a pause"
    return OF_RADIO if any(isinstance(claim, Ble) for claim in claims) else OF_OTHERS


def captured_rate(chunks: Sequence[Chunk]) -> float:
    """The densest ten seconds, or all of a shorter capture; of one below a second, as if it were one."""
    if not chunks:
        return 0.0
    window = max(1, min(WINDOW_S, (chunks[-1][0] - chunks[0][0]) / SECOND_NS))
    most = total = first = 0
    for at, data, _ in chunks:
        total += len(data)
        while chunks[first][0] <= at - window * SECOND_NS:
            total -= len(chunks[first][1])
            first += 1
        most = max(most, total)
    return most / window


def pieces(chunks: Sequence[Chunk], size: int) -> Iterator[Chunk]:
    """A stream in pieces of at most `size` bytes; a notification as it is."""
    for at, data, source in chunks:
        step = len(data) if source else size
        yield from ((at, data[k : k + step], source) for k in range(0, len(data), max(1, step)))


def cpu_s(make: Callable[[], Driver], stories: Sequence[tuple[capture.Capture, list[Chunk]]]) -> float:
    """CPU seconds that drivers take for these stories, each a fresh one."""
    spent = 0
    for story, chunks in stories:
        driver = make()
        driver.reached = story.header.get("reached", "")
        began = time.thread_time_ns()
        for _ in capture.play(driver, chunks, story.end):
            continue
        spent += time.thread_time_ns() - began
    return spent / SECOND_NS


def decoded_rate(make: Callable[[], Driver], stories: Sequence[tuple[capture.Capture, list[Chunk]]]) -> float:
    size = sum(len(data) for _, chunks in stories for _, data, _ in chunks)
    rounds = max(1, PLENTY_BYTES // size)
    return median(size * rounds / sum(cpu_s(make, stories) for _ in range(rounds)) for _ in range(RUNS))


def speed(driver_id: str) -> Speed:
    """Measure one driver on all its captures."""
    kind = registry.driver(driver_id)
    paths = sorted((ROOT / "tests" / "captures" / driver_id).glob("*.cap"))
    stories = [capture.parse(path.read_text(encoding="utf-8")) for path in paths]
    whole = [(story, list(story.notified())) for story in stories]
    sent, known_from = protocol_rate(driver_id, kind.info.claims)
    captured = max(captured_rate(chunks) for _, chunks in whole)
    if captured > sent:
        sent, known_from = captured, "its captures"
    size = max(1, round(sent * PIECE_S))
    fine = [(story, list(pieces(chunks, size))) for story, chunks in whole]
    return Speed(driver_id, min(decoded_rate(kind, whole), decoded_rate(kind, fine)), sent, known_from)


def of_drivers(driver_ids: Sequence[str] = ()) -> Iterator[Speed]:
    return (speed(driver_id) for driver_id in driver_ids or registry.ids())


def figures(speeds: Sequence[Speed] = ()) -> dict[str, Figure]:
    """How many times faster than the device: each driver, the least of all; and how many drivers are below the bar."""
    found = list(speeds) or list(of_drivers())
    out = [Figure(f"decode_speed.{one.driver}", round(one.times), "1", COMMAND) for one in found]
    out.append(Figure("decode_speed.least", round(min(one.times for one in found)), "1", COMMAND))
    below = sum(one.times < LEAST_TIMES for one in found)
    out.append(Figure("decode_speed.below_200", below, "drivers", COMMAND))
    return {figure.name: figure for figure in out}


def row(one: Speed) -> str:
    return f"{one.driver:24}{number(one.decoded / 1000):>8}{number(one.sent):>8}{one.times:>9.0f}  {one.known_from}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object with all figures")
    parser.add_argument("--driver", action="append", default=[], help="this one alone; may be said again")
    args = parser.parse_args()
    if not args.json:
        print(f"{'driver':24}{'kB/s':>8}{'B/s':>8}{'times':>9}  the device's fastest is")
    found = []
    for one in of_drivers(args.driver):
        found.append(one)
        if not args.json:
            print(row(one), flush=True)
    if args.json:
        drivers = {one.driver: {**asdict(one), "times": round(one.times)} for one in found}
        said = {name: figure.value for name, figure in figures(found).items()}
        print(json.dumps({"drivers": drivers, "figures": said}, indent=1))
    slow = [one for one in found if one.times < LEAST_TIMES]
    print(
        f"{len(slow)} of {len(found)} below {LEAST_TIMES}: {', '.join(one.driver for one in slow) or '-'}",
        file=sys.stderr,
    )
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
