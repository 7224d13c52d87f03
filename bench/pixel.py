"""`python -m bench.pixel [--markers 120] [--profile P4] [--light]`: from a device's byte to a pixel of the bed's page.

A simulated oximeter at a pseudo-terminal (beside a 12-lead ECG, but for `--light`), the real gateway, a simulated link,
mosquitto with TLS, the real centre, and the bed's page in a headless Chromium. The pleth steps from low to high and
back every two to three seconds. Timed is from the write of the step's first byte at the device's end of the line to
the frame behind the one in which a script finds its edge among the pixels of the strip. Needs root and /dev/net/tun.
Prints JSON; exit code 1 over the bar or where a step was never seen.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from agent.lab import keyring, programs
from agent.lab.browser import Page, browser
from agent.lab.voice import Record
from bench.links.profiles import PROFILES
from bench.links.rig import PAGE_PORT, Scene, Setting, scene, until
from bench.links.scenarios import CONNECT_S, percentile, tell
from bench.links.voices import Ecg, Oximeter
from bench.links.world import FAR, LinkMissingError, inside
from bench.scratch import HarnessError

BAR_S = 2.5
WARM_STEPS = 4  # the strip finds its scale
PAUSE_S = 6.0  # what was before is seen by then, and the scale still holds
LATE_S = 15.0
LOW, HIGH = 20, 100
STEP_S = (2.0, 3.0)
# Looks with every frame at the middle row of the strip: only edges cross it. `edges` is when each was first there.
_LOOK = """(() => {
  const strip = [...document.querySelectorAll('#live .strip')].find((one) => one.innerText.includes('Pleth'));
  const canvas = strip.querySelector('canvas'), pen = canvas.getContext('2d');
  window.edges = [];
  let [known, fresh] = [null, 0];
  const look = (now) => {
    for (; fresh; fresh -= 1) window.edges.push((performance.timeOrigin + now) / 1000);
    const row = pen.getImageData(0, canvas.height >> 1, canvas.width, 1).data;
    const found = [];
    for (let x = 0; x < canvas.width; x += 1) if (row[4 * x + 3] && !(found.at(-1) >= x - 4)) found.push(x);
    if (known !== null) fresh = found.filter((x) => !known.some((old) => Math.abs(old - x) <= 8)).length;
    known = found;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""


class Steps:
    """When the steps were written, seconds since 1970; none before `warm` is set, and a few before `begin` is."""

    def __init__(self, seed: int) -> None:
        self.warm, self.begin = threading.Event(), threading.Event()
        self.said: list[float] = []
        self._dice = random.Random(seed)
        self._next = 0
        self._level = LOW

    def level(self, frame: int) -> int:
        """Of the next frame, numbers growing by one."""
        may = self.begin if len(self.said) >= WARM_STEPS else self.warm
        if may.is_set() and frame >= self._next:
            if self._next:
                self._level = LOW + HIGH - self._level
                self.said.append(time.time())
            self._next = frame + round(self._dice.uniform(*STEP_S) * Oximeter.rate_hz)
        return self._level


def stepping(steps: Steps) -> type[Oximeter]:
    class Stepping(Oximeter):
        """An oximeter whose pleth is all steps."""

        def __init__(self, record: Record) -> None:
            super().__init__(record)

        def frame(self, number: int) -> bytes:
            return bytes([0x80 | 5, steps.level(number), 4, 70, 97])

    return Stepping


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markers", type=int, default=120)
    parser.add_argument("--profile", default="P4", choices=sorted(PROFILES))
    parser.add_argument("--light", action="store_true", help="no ECG beside the oximeter")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="wardlink-pixel-"))
    steps = Steps(args.seed)
    devices = [stepping(steps)] if args.light else [Ecg, stepping(steps)]
    try:
        ring = keyring.make(folder / "keys", FAR)
        with scene(Setting(args.profile, devices, seed=args.seed), folder / "scene", ring) as site:
            site.gateway.start()
            site.gateway.connected_ns(1, CONNECT_S)
            with inside(site.link.far), browser() as page:
                seen = _watched(site, page, ring.gateway_id, steps, args.markers)
    except (HarnessError, LinkMissingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _told(steps.said[WARM_STEPS:][: args.markers], seen, args)


def _watched(site: Scene, page: Page, gateway: str, steps: Steps, count: int) -> list[float]:
    """When each step was seen."""
    page.size(1400, 1000)
    page.log_in(f"http://127.0.0.1:{PAGE_PORT}/beds/{gateway}", "demo", programs.DEMO_PASSWORD)
    until(lambda: bool(page.ask("document.querySelectorAll('#live .strip').length > 0")), CONNECT_S, "a strip")
    until(
        lambda: bool(page.ask("!document.querySelector('#live .strip .cover:not([hidden])')")), CONNECT_S, "live data"
    )
    steps.warm.set()
    until(lambda: len(steps.said) >= WARM_STEPS, WARM_STEPS * STEP_S[1] + LATE_S, "the first steps")
    time.sleep(PAUSE_S)
    page.ask(_LOOK)
    steps.begin.set()
    limit_s = (count + 2) * STEP_S[1]
    until(lambda: len(steps.said) >= count + WARM_STEPS, limit_s, "the last step")
    until(lambda: bool(page.ask(f"window.edges.length >= {count}")), LATE_S, f"step {count} on the page")
    tell(f"{site.link.tell(counts=1)['up']}")
    return list(page.ask("window.edges"))


def _told(said: list[float], seen: list[float], args: argparse.Namespace) -> int:
    ages = [there - written for written, there in zip(said, seen, strict=False)]
    p95 = percentile(ages, 0.95)
    found = {
        "profile": args.profile,
        "devices": "oximeter" if args.light else "12-lead ECG and oximeter",
        "markers": len(ages),
        "p50_s": round(percentile(ages, 0.5), 3),
        "p95_s": round(p95, 3),
        "max_s": round(max(ages), 3),
        "least_s": round(min(ages), 3),
        "bar_s": BAR_S,
        "good": p95 < BAR_S and len(ages) >= args.markers and min(ages) > 0,
    }
    print(json.dumps(found, indent=1))
    return 0 if found["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
