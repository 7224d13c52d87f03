// A window of the past: asks for it, and gives each signal its lane.

import * as clock from "./clock.js";
import { ask, el, place, put, refill } from "./dom.js";
import { rank } from "./labels.js";
import { Lane } from "./lane.js";

const RAW_US = 20e6; // narrower windows are drawn from samples
const COLUMNS_LIMIT = 2000;
const SAMPLES_LIMIT = 200_000; // of one answer of /ranges
const RANGES_LIMIT = 64;

const device = (stream) => [stream.driver, stream.maker, stream.model, stream.serial || stream.port];
const keyOf = (stream) => JSON.stringify([...device(stream), stream.channel, stream.unit]);

export class Past {
  constructor(at, path, axis) {
    [this.at, this.path, this.axis] = [at, path, axis];
    this.lanes = new Map();
    this.asked = 0;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      for (const lane of this.lanes.values()) lane.draw();
    });
  }

  async show(window) {
    this.asked += 1;
    if (window === null) return this.#drop([]);
    const mine = this.asked;
    put(this.at("past-state"), "Reading …");
    this.at("lanes").classList.add("before");
    try {
      const path = `${this.path}/history?from=${window.first}&to=${window.last}&columns=${this.#columns()}`;
      const said = await ask(path);
      if (mine !== this.asked) return;
      clock.hear(said.now);
      this.at("lanes").classList.remove("before");
      this.#take(said);
      if (window.last - window.first < RAW_US) await this.#samples(mine);
      if (mine === this.asked) performance.mark("history drawn"); // for whoever looks how long it takes
    } catch (error) {
      if (mine !== this.asked) return;
      this.#drop([]); // an old picture under a new time would lie
      put(this.at("past-state"), `The centre does not answer: ${error.message}`);
    }
  }

  #columns() {
    return Math.max(100, Math.min(COLUMNS_LIMIT, Math.floor(this.at("lanes").clientWidth || 1000)));
  }

  #take(said) {
    const found = new Map();
    for (const epoch of said.epochs) {
      for (const one of epoch.waves) this.#enter(found, one.wave, { wave: one, epoch });
      for (const one of epoch.numerics) this.#enter(found, one.numeric, { numeric: one, epoch });
    }
    this.#drop(found); // what is not told again would stand under another time
    for (const [key, { stream, parts }] of found) {
      if (!this.lanes.has(key)) {
        const lane = new Lane(stream);
        this.lanes.set(key, lane);
        place(this.at("lanes"), lane.root, rank(stream) + (stream.rate[0] > 0 ? 0 : 1000));
      }
      this.lanes.get(key).take(said, parts);
    }
    this.#tell(said, found.size);
  }

  #enter(found, stream, part) {
    const key = keyOf(stream);
    if (!found.has(key)) found.set(key, { stream, parts: [] });
    found.get(key).parts.push(part);
  }

  #drop(kept) {
    const known = new Set(kept.keys());
    for (const [key, lane] of this.lanes) {
      if (known.has(key)) continue;
      lane.end();
      this.lanes.delete(key);
    }
  }

  #tell(said, count) {
    const none = count ? "" : " Nothing is held of this time that can be dated.";
    const more = said.left_out ? ` ${said.left_out} starts of the gateway are left out here: look at less time.` : "";
    put(this.at("past-state"), `History, not live. Not to scale: measure in the 12-lead ECG.${none}${more}`);
    refill(this.at("past-undated"), said.undated.map((one) => el("li", "", undated(one))));
  }

  // Single samples, for the pieces that are seen; until they are here the outline stands.
  async #samples(mine) {
    const wanted = [...this.lanes.values()].flatMap((lane) => lane.pieces().map((piece) => ({ lane, piece })));
    const epochs = new Set(wanted.map(({ piece }) => piece.epoch));
    const of = (epoch) => wanted.filter(({ piece }) => piece.epoch === epoch).slice(0, RANGES_LIMIT);
    await Promise.all([...epochs].map((epoch) => this.#ranges(mine, epoch, of(epoch))));
  }

  async #ranges(mine, epoch, ones) {
    if (ones.reduce((sum, { piece }) => sum + piece.last - piece.first, 0) > SAMPLES_LIMIT) return;
    const ranges = ones.map(({ piece }) => `&range=${piece.stream}.${piece.first}.${piece.last}`);
    const said = await ask(`${this.path}/ranges?epoch=${epoch}${ranges.join("")}`);
    if (mine !== this.asked) return;
    said.waves.forEach((wave, i) => ones[i].lane.sharpen(ones[i].piece, wave));
  }
}

function undated(one) {
  const end = one.latest === null ? "nobody knows when" : `before ${clock.day(one.latest)} ${clock.hms(one.latest)} UTC`;
  const begin = one.earliest === null ? "" : `, after ${clock.day(one.earliest)} ${clock.hms(one.earliest)} UTC`;
  return `Not shown, as no clock vouches for its time: epoch ${one.epoch}, ${end}${begin} (grade ${one.grade}).`;
}
