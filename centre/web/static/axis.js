// The time axis of a bed: live, or a window of two seconds to three days. UTC, microseconds since 1970.

import * as clock from "./clock.js";
import { el, put } from "./dom.js";

export const LEAST_US = 2e6;
export const MOST_US = 72 * 3600e6;
const SPANS = [[2, "2 s"], [10, "10 s"], [20, "20 s"], [60, "1 min"], [600, "10 min"], [3600, "1 h"], [6 * 3600, "6 h"], [24 * 3600, "24 h"], [72 * 3600, "72 h"]];
const ZOOM = 2;
const PAN = 0.25; // of the window
const REST_MS = 120; // a wheel turns on: the first turn is asked at once, the rest once it rests
const ECG_US = 10e6;

export class Axis {
  // `show` is called with {first, last}, or null for live.
  constructor(at, gateway, show) {
    [this.at, this.gateway, this.show] = [at, gateway, show];
    this.window = null;
    this.resting = null; // a timer, from the first turn until the wheel has rested
    for (const [seconds, words] of SPANS) {
      const option = el("option", "", words);
      option.value = String(seconds);
      at("axis-span").append(option);
    }
    const first = el("option", "", "the last …");
    first.value = "";
    at("axis-span").prepend(first);
    at("axis-span").value = "";
    at("axis-span").addEventListener("change", (event) => this.span(Number(event.target.value) * 1e6));
    for (const [name, act] of this.#acts()) at(`axis-${name}`).addEventListener("click", act);
    at("past").addEventListener("keydown", (event) => this.#key(event));
    at("past").addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.tick();
  }

  #acts() {
    return [
      ["live", () => this.live()],
      ["earlier", () => this.pan(-PAN * 2)],
      ["later", () => this.pan(PAN * 2)],
      ["in", () => this.zoom(1 / ZOOM)],
      ["out", () => this.zoom(ZOOM)],
    ];
  }

  live() {
    this.#set(null);
  }

  span(us) {
    if (!us) return this.live();
    const middle = this.window ? (this.window.first + this.window.last) / 2 : null;
    const last = middle === null ? clock.centre() : middle + us / 2;
    if (last !== null) this.#place(last - us, us);
  }

  // `where`: the part of the window that stays in place, 0 left to 1 right.
  zoom(by, where = 0.5) {
    const { first, last } = this.window ?? this.#newest();
    const us = Math.min(Math.max((last - first) * by, LEAST_US), MOST_US);
    const kept = this.window ? first + (last - first) * where : last - us * where;
    this.#place(kept - us * where, us);
  }

  pan(part) {
    const { first, last } = this.window ?? this.#newest();
    this.#place(first + (last - first) * part, last - first);
  }

  #newest() {
    const now = clock.centre() ?? 0;
    return { first: now - 10e6, last: now };
  }

  // Nothing lies beyond now: a window never begins later.
  #place(first, us) {
    const now = clock.centre();
    if (now === null) return;
    const start = Math.max(0, Math.min(first, now - us / 2));
    this.#set({ first: Math.round(start), last: Math.round(start + us) });
  }

  #set(window) {
    this.window = window;
    this.tick();
    const waits = this.resting !== null && window !== null;
    clearTimeout(this.resting);
    if (!waits) this.show(window);
    this.resting = setTimeout(() => {
      this.resting = null;
      if (waits) this.show(window);
    }, REST_MS);
  }

  tick() {
    const { window } = this;
    this.at("axis-live").setAttribute("aria-pressed", String(window === null));
    const span = window && (window.last - window.first) / 1e6;
    const listed = SPANS.some(([seconds]) => seconds === span);
    if (document.activeElement !== this.at("axis-span")) this.at("axis-span").value = listed ? String(span) : "";
    put(this.at("axis-window"), window === null ? "Live" : `History, not live: ${words(window)}`);
    const middle = window === null ? "" : `?at=${Math.round((window.first + window.last) / 2 - ECG_US / 2)}`;
    this.at("axis-ecg").href = `/beds/${this.gateway}/ecg12${middle}`;
  }

  #key(event) {
    const acts = {
      ArrowLeft: () => this.pan(-PAN), ArrowRight: () => this.pan(PAN), PageUp: () => this.pan(-1), PageDown: () => this.pan(1),
      "+": () => this.zoom(1 / ZOOM), "=": () => this.zoom(1 / ZOOM), "-": () => this.zoom(ZOOM),
      Home: () => this.span(MOST_US), End: () => this.live(), Escape: () => this.live(),
    };
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(acts, event.key)) return;
    event.preventDefault();
    acts[event.key]();
    if (event.key === "End" || event.key === "Escape") this.at("axis-live").focus();
  }

  // Over a picture the wheel zooms there; beside it the page scrolls as ever.
  #wheel(event) {
    const paper = event.target.closest?.(".paper");
    if (!paper || !this.window || !event.deltaY) return;
    event.preventDefault();
    const box = paper.getBoundingClientRect();
    this.zoom(event.deltaY > 0 ? 1.25 : 0.8, (event.clientX - box.left) / box.width);
  }
}

export function words({ first, last }) {
  const span = last - first;
  const end = clock.day(first) === clock.day(last) ? clock.hms(last) : `${clock.day(last)} ${clock.hms(last)}`;
  return `${clock.day(first)} ${clock.hms(first)} to ${end} UTC (${span < 60e6 ? `${Number((span / 1e6).toPrecision(3))} s` : clock.span(span)})`;
}
