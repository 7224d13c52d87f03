// Large tiles: what the device says now. Only live readings come here; what is old goes grey, then goes.

import * as clock from "./clock.js";
import { el, place, put, said } from "./dom.js";
import { freshness } from "./freshness.js";
import { APART, channelName, rank, reason, unitName } from "./labels.js";

const INTERVALS_LIMIT = 7;

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

class Tile {
  constructor(stream) {
    this.unit = unitName(stream.unit);
    this.root = el("article", "tile waiting");
    this.root.append(el("h3", "tile-name"));
    this.root.firstChild.append(said(channelName(stream.channel)));
    this.root.title = `${stream.channel}, ${stream.unit}, ${stream.driver}`;
    this.value = el("bdi", "value");
    this.value.dir = "ltr";
    this.unitText = el("span", "unit");
    this.words = el("p", "words", "no live data yet");
    this.line = el("p", "tile-value");
    this.line.append(this.value, this.unitText);
    this.grade = el("span", "grade");
    this.time = el("span", "tile-time");
    this.age = el("span", "tile-age");
    const foot = el("p", "tile-foot");
    foot.append(this.grade, this.time, this.age);
    this.root.append(this.line, this.words, foot);
    this.reading = null;
    this.gaps = []; // microseconds from one reading to the next, by the gateway's clock and by arrival
  }

  hear(reading) {
    const now = performance.now() * 1000;
    if (this.reading && reading.t <= this.reading.t) return;
    if (this.reading) this.gaps.push([reading.t - this.reading.t, now - this.arrived]);
    if (this.gaps.length > INTERVALS_LIMIT) this.gaps.shift();
    [this.reading, this.arrived] = [reading, now];
  }

  // One period of the device and one of delivery: a value may be that old and still be the newest there can be.
  period() {
    if (!this.gaps.length) return 5e6;
    return median(this.gaps.map((gap) => gap[0])) + median(this.gaps.map((gap) => gap[1]));
  }

  paint() {
    if (!this.reading) return;
    const { reading } = this;
    const fresh = freshness(reading, this.arrived, Math.max(this.period(), 1e6));
    const gone = fresh.state === "gone";
    const shown = !gone && reading.value !== null;
    this.root.className = `tile ${fresh.state}${reading.value === null ? " absent" : ""}${reading.why ? " doubted" : ""}`;
    this.line.hidden = !shown;
    put(this.value, shown ? reading.value : "");
    const size = this.value.textContent.length;
    this.value.className = size > 10 ? "value longest" : size > 4 ? "value long" : "value";
    put(this.unitText, shown ? this.unit : "");
    put(this.words, gone ? fresh.words : reading.why ? reason(reading.why) : "");
    put(this.grade, reading.grade);
    this.grade.title = clock.GRADES[reading.grade];
    this.grade.setAttribute("aria-label", `grade ${reading.grade}: ${clock.GRADES[reading.grade]}`);
    this.grade.hidden = gone;
    put(this.time, gone ? "" : clock.dated(reading));
    put(this.age, gone ? "" : `${clock.span(fresh.age)} old`);
  }
}

export class Tiles {
  constructor(root, apart) {
    [this.root, this.apart] = [root, apart];
    this.tiles = new Map();
  }

  know(streams) {
    const known = new Set(streams.map((stream) => stream.stream));
    for (const [number, tile] of this.tiles) {
      if (known.has(number)) continue;
      tile.root.remove();
      this.tiles.delete(number);
    }
    for (const stream of streams) {
      if (stream.rate[0] > 0 || this.tiles.has(stream.stream)) continue;
      const tile = new Tile(stream);
      this.tiles.set(stream.stream, tile);
      place(rank(stream) < APART ? this.root : this.apart, tile.root, rank(stream));
    }
  }

  clear() {
    this.tiles.clear();
    this.root.replaceChildren();
    this.apart.replaceChildren();
  }

  hear(update) {
    if (!update.live) return;
    // What says when it was taken may come from a device's memory: it stands in the dated table, never as the present.
    for (const reading of update.numerics) if (!reading.taken) this.tiles.get(reading.stream)?.hear(reading);
    this.paint();
  }

  paint() {
    for (const tile of this.tiles.values()) tile.paint();
  }
}
