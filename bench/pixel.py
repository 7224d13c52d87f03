"""`python -m bench.pixel [--markers 120] [--profile P4] [--light]`: from a device's byte to a pixel of the bed's page.

A simulated oximeter at a pseudo-terminal (beside a 12-lead ECG, but for `--light`), the real gateway, a simulated link,
mosquitto with TLS, the real centre, and the bed's page in a headless Chromium. The pleth steps from low to high and
back every two to three seconds. Timed is from the write of the step's first byte at the device's end of the line to
the frame behind the one in which a script finds its edge among the pixels of the strip. Needs root and /dev/net/tun.
Prints JSON; exit code 1 over the bar, or where more than one step in twenty was not found.
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
PX_S = 25 * 96 / 25.4  # CSS pixels a second
NEAR_PX = 12  # what becomes known of arrivals moves a trace by so much
# Looks with every frame at the middle row of the strip: of the trace only edges cross it, and a hatching is no trace.
# `edges` is [when the next frame came, where] of each that was not there before.
_LOOK = """(() => {
  const strip = [...document.querySelectorAll('#live .strip')].find((one) => one.innerText.includes('Pleth'));
  const canvas = strip.querySelector('canvas'), pen = canvas.getContext('2d');
  [window.edges, window.wide] = [[], canvas.width];
  let [known, fresh] = [null, []];
  const edgesOf = (row) => {
    const runs = [];
    for (let x = 0; x < canvas.width; x += 1) {
      if (row[4 * x + 3] < 60 || row[4 * x] > 100) continue;
      if (runs.length && x - runs.at(-1)[1] <= 3) runs.at(-1)[1] = x;
      else runs.push([x, x]);
    }
    return runs.filter(([first, last]) => last - first < 8).map(([first]) => first);
  };
  const look = (now) => {
    for (const x of fresh) window.edges.push([(performance.timeOrigin + now) / 1000, x]);
    const found = edgesOf(pen.getImageData(0, canvas.height >> 1, canvas.width, 1).data);
    fresh = known === null ? [] : found.filter((x) => !known.some((old) => Math.abs(old - x) <= 8));
    known = found;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""


class Steps:
    """(frame, when it was written, seconds since 1970) of each step.

    None is made before `warm` is set, and a few before `begin` is.
    """

    def __init__(self, seed: int) -> None:
        self.warm, self.begin = threading.Event(), threading.Event()
        self.said: list[tuple[int, float]] = []
        self._dice = random.Random(seed)
        self._next = 0
        self._level = LOW

    def level(self, frame: int) -> int:
        """Of the next frame, numbers growing by one."""
        may = self.begin if len(self.said) >= WARM_STEPS else self.warm
        if may.is_set() and frame >= self._next:
            if self._next:
                self._level = LOW + HIGH - self._level
                self.said.append((frame, time.time()))
            self._next = frame + round(self._dice.uniform(*STEP_S) * Oximeter.rate_hz)
        return self._level


def stepping(steps: Steps) -> type[Oximeter]:
    class Stepping(Oximeter):
        """An oximeter whose pleth is all steps."""

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
    devices: list[type[Ecg] | type[Oximeter]] = [stepping(steps)] if args.light else [Ecg, stepping(steps)]
    try:
        ring = keyring.make(folder / "keys", FAR)
        found: list[float] = []
        with scene(Setting(args.profile, devices, seed=args.seed), folder / "scene", ring) as site:
            site.gateway.start()
            site.gateway.connected_ns(1, CONNECT_S)
            with inside(site.link.far), browser() as page:
                found = _watched(site, page, ring.gateway_id, steps, args.markers)
    except (HarnessError, LinkMissingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _told(found, args)


def _watched(site: Scene, page: Page, gateway: str, steps: Steps, count: int) -> list[float]:
    """How long each step took that was seen, seconds."""
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
    time.sleep(LATE_S)
    tell(f"{site.link.tell(counts=1)['up']}")
    said, (seen, wide) = steps.said[WARM_STEPS:][:count], page.ask("[window.edges, window.wide]")
    return max((ages(said, seen[start:], wide) for start in range(4)), key=len)


def ages(said: list[tuple[int, float]], seen: list[tuple[float, int]], wide: int) -> list[float]:
    """Of steps and edges that stand as far apart as the steps are: the trace is swept over `wide` pixels."""
    found: list[float] = []
    following, last = 0, None
    for at, x in seen:
        for number in range(following, len(said)):
            frame, written = said[number]
            if at <= written:
                break
            if last is None or _near(x - last[1], (frame - last[0]) / Oximeter.rate_hz * PX_S, wide):
                found.append(at - written)
                following, last = number + 1, (frame, x)
                break
    return found


def _near(there: float, expected: float, wide: int) -> bool:
    away = (there - expected) % wide
    return min(away, wide - away) <= NEAR_PX


def _told(found_s: list[float], args: argparse.Namespace) -> int:
    p95 = percentile(found_s, 0.95)
    tell("over the bar, by number: " + ", ".join(f"{n}: {age:.1f}" for n, age in enumerate(found_s) if age > BAR_S))
    found = {
        "profile": args.profile,
        "devices": "oximeter" if args.light else "12-lead ECG and oximeter",
        "markers": args.markers,
        "seen": len(found_s),
        "p50_s": round(percentile(found_s, 0.5), 3),
        "p95_s": round(p95, 3),
        "max_s": round(max(found_s), 3),
        "least_s": round(min(found_s), 3),
        "bar_s": BAR_S,
        "good": p95 < BAR_S and len(found_s) >= 0.95 * args.markers,
    }
    print(json.dumps(found, indent=1))
    return 0 if found["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
