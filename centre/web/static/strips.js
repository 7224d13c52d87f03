// All waves of a bed, drawn against one playhead that runs a little behind, so that whole seconds arrive unseen.

import * as clock from "./clock.js";
import { el, place, put } from "./dom.js";
import { freshness } from "./freshness.js";
import { APART, rank } from "./labels.js";
import { Track } from "./track.js";
import { Strip } from "./wave.js";

const MARGIN_US = 200e3;
const INTERVAL_LIMIT_US = 10.5e6; // a bundle spans at most ten seconds
const JUMP_US = 3e6;
const CALM_MS = 1000;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Strips {
  // `apart` takes the waves that have no name doctors share.
  constructor(root, apart) {
    [this.root, this.apart] = [root, apart];
    this.strips = new Map(); // by stream number
    this.newest = new Map(); // by stream number: the newest live run's date and arrival
    this.head = null;
    this.told = null; // gateway time of the newest live sample
    this.lasts = []; // browser time less gateway time as the next samples came, of the last arrivals
    this.intervals = [];
    this.arrived = null;
    this.frame = null;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      for (const strip of this.strips.values()) strip.ink();
    });
    requestAnimationFrame((now) => this.#tick(now));
  }

  // The waves of a catalogue; those already there keep their picture.
  know(streams) {
    const waves = streams.filter((stream) => stream.rate[0] > 0);
    const known = new Set(waves.map((stream) => stream.stream));
    for (const [number, strip] of this.strips) {
      if (known.has(number)) continue;
      strip.root.remove();
      this.strips.delete(number);
    }
    for (const stream of waves) {
      if (this.strips.has(stream.stream)) continue;
      const strip = new Strip(new Track(stream));
      this.strips.set(stream.stream, strip);
      place(rank(stream) < APART ? this.root : this.apart, strip.root, rank(stream));
    }
    this.root.querySelector(".empty")?.remove();
    if (!waves.length) this.root.append(el("p", "empty", "No wave has been said by a device yet."));
  }

  clear() {
    this.strips.clear();
    this.newest.clear();
    this.root.replaceChildren();
    this.apart.replaceChildren();
    [this.head, this.arrived, this.told, this.lasts, this.intervals] = [null, null, null, [], []];
  }

  hear(update) {
    for (const hole of update.holes) this.strips.get(hole.stream)?.track.declare(hole);
    for (const hole of update.holes) this.#changed(hole.stream, hole.first);
    for (const run of update.waves) {
      const strip = this.strips.get(run.stream);
      if (!strip || !run.samples.length) continue;
      if (!update.live && strip.track.origin === null) continue; // the past does not start a live picture
      const from = strip.track.add(run);
      if (from !== null) this.#changed(run.stream, from);
      if (update.live) this.newest.set(run.stream, { when: run, arrived: performance.now() * 1000 });
    }
    if (update.live && update.waves.length) this.#pace(Math.max(...update.waves.map((run) => run.t)));
  }

  #changed(stream, index) {
    const strip = this.strips.get(stream);
    if (strip && strip.drawn !== null && strip.track.timeAt(index) < strip.drawn) strip.dirty = true;
  }

  // Before it comes, the newest sample that there is has to last: `lasts` is how long the newest ones did.
  #pace(t) {
    const now = performance.now() * 1000;
    if (this.arrived !== null && now - this.arrived > 50e3) this.intervals.push(Math.min(now - this.arrived, INTERVAL_LIMIT_US));
    if (this.told === null) this.lasts.push(now - t + this.interval());
    else if (now - this.arrived > 50e3) this.lasts.push(now - this.told);
    this.arrived = now;
    this.told = Math.max(this.told ?? t, t);
    if (this.intervals.length > 8) this.intervals.shift();
    if (this.lasts.length > 16) this.lasts.shift();
  }

  interval() {
    return this.intervals.length ? Math.max(...this.intervals) : 1e6;
  }

  #target() {
    return performance.now() * 1000 - this.#behind() - MARGIN_US;
  }

  // The greatest of `lasts` but one: a packet that was lost once is a gap for a moment, and no delay for all that follows.
  #behind() {
    const [greatest, next] = [...this.lasts].sort((a, b) => b - a);
    return next ?? greatest;
  }

  // Runs with the browser's clock and is drawn to its target gently, so that jitter is not seen.
  #advance(span) {
    if (!this.lasts.length) return;
    const target = this.#target();
    if (this.head === null || Math.abs(target - this.head) > JUMP_US) this.head = target;
    else this.head += span * (1 + Math.max(-0.1, Math.min(0.1, (target - this.head - span) / 4e6)));
  }

  #tick(now) {
    requestAnimationFrame((next) => this.#tick(next));
    if (this.frame !== null && calm.matches && now - this.frame < CALM_MS) return;
    const span = this.frame === null ? 0 : (now - this.frame) * 1000;
    this.frame = now;
    this.#advance(span);
    if (this.head === null) return;
    for (const strip of this.strips.values()) strip.draw(this.head);
  }

  // Once a second: how old each wave is, in words.
  age() {
    for (const [number, strip] of this.strips) {
      const newest = this.newest.get(number);
      const fresh = newest ? freshness(newest.when, newest.arrived, this.interval() * 2) : null;
      strip.root.classList.toggle("old", fresh !== null && fresh.state !== "fresh");
      strip.tellGaps();
      strip.cover.hidden = fresh?.state === "fresh" || fresh?.state === "stale";
      put(strip.cover, fresh === null ? "no live data yet" : fresh.words);
      put(strip.time, newest ? `${clock.bound(newest.when.error)} · grade ${newest.when.grade}` : "");
      strip.time.title = newest ? clock.GRADES[newest.when.grade] : "";
    }
  }
}
