"""`python -m bench.frames [--beds 16] [--seconds 30]`: does the page of all waves keep its frames with 16 beds live?

Sixteen gateways' worth of sealed envelopes (twelve leads at 500 Hz each, one envelope a second, not all at once) go
through a real mosquitto into the real centre; a headless Chromium, which draws by the processor alone, shows /waves.
Counted by requestAnimationFrame: frames, how far apart, on how many canvases each drew something new; and the page's
own processor time a frame, as Chromium tells it. Prints JSON; exit code 1 below the bar.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path

import numpy as np
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.lab import programs
from agent.lab.browser import Page, browser
from bench.links.rig import until
from bench.links.voices import ecg
from bench.scratch import ROOT, HarnessError
from centre.clock import utc_us
from centre.ingest import Arrival
from tests.sealed import Bedside
from tests.system.centre_rig import ONLINE, Broker, configured, free_port
from wire import codec
from wire.records import Anchor, Block, Catalogue, NumericAt, StreamInfo

LEADS, RATE = 12, 500
BAR_FPS = 30.0
LATE_MS = 34.0
START_S = 180.0
SETTLE_S = 8.0  # what a page does once is over by then
SECOND = 1_000_000
# Frames begin when they begin; a stroke is new data on its canvas. `counted` is [milliseconds, canvases] of each.
_COUNT = """(() => {
  const drawn = new Set(), real = CanvasRenderingContext2D.prototype.stroke;
  CanvasRenderingContext2D.prototype.stroke = function (...path) {
    drawn.add(this.canvas);
    return real.apply(this, path);
  };
  window.counted = [];
  let before = null;
  const look = (now) => {
    if (before !== null) window.counted.push([now - before, drawn.size]);
    drawn.clear();
    before = now;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""


class Beds(threading.Thread):
    """Speaks for all gateways until `ending` is set."""

    def __init__(self, bedsides: Sequence[Bedside], port: int) -> None:
        super().__init__(daemon=True)
        self.ending = threading.Event()
        self._bedsides = bedsides
        leads = np.array(list(ecg().values()), np.int32)
        self._seconds = [codec.encode(part) for part in np.array_split(leads, leads.shape[1] // RATE, axis=1)
                         if part.shape[1] == RATE]  # fmt: skip
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="beds", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.max_inflight_messages_set(1000)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def run(self) -> None:
        for one in self._bedsides:
            self._publish(one.state(ONLINE))
            self._publish(one.grant())
            self._publish(one.vital(_catalogue(), Anchor(0, utc_us(), 10_000, "ntp")))
        begun, step = time.monotonic(), 0
        while not self.ending.wait(max(0.0, begun + step / len(self._bedsides) - time.monotonic())):
            second, at = divmod(step, len(self._bedsides))
            self._say(self._bedsides[at], second, at)
            step += 1
        self._client.disconnect()
        self._client.loop_stop()

    def _say(self, one: Bedside, second: int, at: int) -> None:
        t = (second + 1) * SECOND + at * SECOND // len(self._bedsides)
        coded = self._seconds[(second + at) % len(self._seconds)]
        self._publish(one.vital(NumericAt(t, LEADS, Decimal(60 + second % 40))))
        self._publish(one.wave(Block(t, 0, LEADS, second * RATE, RATE, coded)))

    def _publish(self, arrival: Arrival) -> None:
        topic, kept = arrival.address.topic(arrival.word), arrival.word == "state"
        self._client.publish(topic, arrival.data, qos=1, retain=kept)


def _catalogue() -> Catalogue:
    names = ["i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6"]
    waves = [StreamInfo(n, f"ecg.{name}", 0, "mV", (RATE, 1), (1, 1000), (0, 1), 12) for n, name in enumerate(names)]
    return Catalogue(
        0, 0, "bench_ecg", "crc", "usb-1", "", "", "SN1", "", [*waves, StreamInfo(LEADS, "ecg.hr", 0, "/min")]
    )


@contextmanager
def _centre(folder: Path, bedsides: Sequence[Bedside]) -> Iterator[str]:
    """Broker, centre and beds; where its pages are."""
    with ExitStack() as stack:
        broker = Broker(folder)
        stack.callback(broker.stop)
        config = configured(folder, broker.port, bedsides[0])
        port = free_port()
        lines = [f'broker = "{config.broker}"', f'keys = "{folder}"', f'store = "{config.store}"']
        lines += [f'listen = "127.0.0.1:{port}"']
        for number, one in enumerate(bedsides):
            lines += ["[[gateways]]", f'id = "{one.gateway}"', 'site = "north"', f'bed = "bed {number + 1}"']
        (folder / "centre.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        asyncio.run(programs.let_in(folder))
        words = [sys.executable, "-m", "agent.cli.entry", "centre", "run", "--config", str(folder / "centre.toml")]
        with (folder / "centre.log").open("ab") as log:
            process = subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log, env=os.environ)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        asyncio.run(programs.listening(programs.Program("centre", words, folder), port))
        beds = Beds(bedsides, broker.port)
        beds.start()
        stack.callback(beds.join)
        stack.callback(beds.ending.set)
        yield f"http://127.0.0.1:{port}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beds", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30.0)
    args = parser.parse_args()
    bedsides = [Bedside(f"bed {number}") for number in range(args.beds)]
    try:
        with (
            tempfile.TemporaryDirectory(prefix="wardlink-frames-") as folder,
            _centre(Path(folder), bedsides) as origin,
            browser() as page,
        ):
            found = _counted(page, origin, args.beds, args.seconds)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=1))
    return 0 if found["good"] else 1


def _counted(page: Page, origin: str, beds: int, seconds: float) -> dict[str, float | bool]:
    page.size(1920, 1200)
    page.log_in(f"{origin}/beds/x", "demo", programs.DEMO_PASSWORD)
    page.open(f"{origin}/waves", "true")
    shown = f"document.querySelectorAll('#beds .strip').length === {beds}"
    until(lambda: bool(page.ask(shown)), START_S, f"{beds} strips")
    live = "[...document.querySelectorAll('#beds .cover')].every((one) => one.hidden)"
    until(lambda: bool(page.ask(live)), START_S, f"{beds} live beds")
    time.sleep(SETTLE_S)
    page.call("Performance.enable", timeDomain="threadTicks")
    page.ask(_COUNT)
    before = _work_s(page)
    time.sleep(seconds)
    counted = page.ask("window.counted")
    work_s = _work_s(page) - before
    spans = sorted(span for span, _ in counted)
    total_s = sum(spans) / 1000
    fps = len(spans) / total_s
    return {
        "beds": beds,
        "frames": len(spans),
        "fps_mean": round(fps, 1),
        "fps_p5": round(1000 / spans[int(0.95 * len(spans))], 1),
        "worst_ms": round(spans[-1], 1),
        "over_34_ms": sum(span > LATE_MS for span in spans),
        "frames_without_new_data": sum(not canvases for _, canvases in counted),
        "canvases_a_frame": round(sum(canvases for _, canvases in counted) / len(counted), 2),
        "page_cpu_ms_a_frame": round(1000 * work_s / len(spans), 2),
        "still_live": bool(page.ask(live)),
        "bar_fps": BAR_FPS,
        "good": fps >= BAR_FPS and 1000 / spans[int(0.95 * len(spans))] >= BAR_FPS and page.ask(live),
    }


def _work_s(page: Page) -> float:
    """Seconds of processor that the page's main thread has taken."""
    told = page.call("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in told if one["name"] == "TaskDuration"))


if __name__ == "__main__":
    sys.exit(main())
