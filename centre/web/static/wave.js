// One wave on one canvas, swept at 25 mm/s. The grid is the strip's background; the canvas holds the trace alone.

import { el, put, said } from "./dom.js";
import { cause, channelName, filterName, markName, TICKS, unitName } from "./labels.js";
import { PX_PER_MM, isCalibrated, scaleOf } from "./scale.js";

const MM_PER_SECOND = 25;
const PX_PER_US = (MM_PER_SECOND * PX_PER_MM) / 1e6;
const BAR_PX = 18;
const BAND_PX = 17;
const WORDS_MIN_PX = 64;
const LOOK_US = 0.25e6;
const FONT = "600 11px system-ui, sans-serif";

export class Strip {
  constructor(track) {
    this.track = track;
    const ecg = isCalibrated(track.stream);
    this.root = el("article", ecg ? "strip ecg" : "strip");
    const head = el("div", "strip-head");
    this.meta = el("span", "strip-meta");
    this.time = el("span", "strip-time");
    const name = el("h3", "strip-name");
    name.append(said(channelName(track.stream.channel)));
    head.append(name, this.meta, this.time);
    this.gaps = el("p", "strip-gaps");
    this.field = el("div", "field");
    this.paper = el("div", "paper");
    this.canvas = el("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `${channelName(track.stream.channel)}: trace of the last seconds`);
    const gutter = el("div", "gutter");
    this.bar = el("span", "bar");
    this.barText = el("span", "bar-text");
    gutter.append(this.bar, this.barText);
    this.cover = el("p", "cover");
    this.cover.hidden = true;
    this.paper.append(this.canvas);
    this.field.append(gutter, this.paper, this.cover);
    head.append(this.gaps);
    this.root.append(head, this.field);
    this.pen = this.canvas.getContext("2d");
    this.drawn = null; // time up to which the picture is drawn
    this.dirty = true;
    this.scale = null;
    this.looked = 0;
    this.#tellScale();
    new ResizeObserver(() => this.#resize()).observe(this.paper);
  }

  #resize() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.paper.clientWidth, this.paper.clientHeight];
    this.ratio = ratio;
    [this.width, this.height] = [width, height];
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    this.window = width / PX_PER_US;
    this.scale = null;
    this.dirty = true;
  }

  ink() {
    const style = getComputedStyle(this.root);
    const ink = (name) => style.getPropertyValue(name).trim();
    this.colours = { trace: ink("--trace"), veil: ink("--veil"), hatch: ink("--hatch"), band: ink("--band"), word: ink("--word") };
    this.dirty = true;
  }

  page(t) {
    return Math.floor(t / this.window);
  }

  x(t, page) {
    return (t - page * this.window) * PX_PER_US;
  }

  // Draws up to `head` (gateway time, microseconds): the new piece only, or everything where something changed.
  draw(head) {
    if (!this.width || this.track.origin === null) return;
    if (!this.colours) this.ink();
    const turned = this.drawn !== null && this.page(head) !== this.page(this.drawn);
    if (!this.scale || turned || this.#isOutside(head)) this.#rescale(head, turned);
    if (!this.scale) return;
    if (this.dirty || this.drawn === null || head < this.drawn || head - this.drawn > this.window / 2) this.#all(head);
    else this.#between(this.drawn, head);
    this.drawn = head;
    this.dirty = false;
  }

  // The filter is said from the first moment on, the scale once there is something to scale.
  #tellScale() {
    const { stream, rate } = this.track;
    const words = [`${Number(rate.toPrecision(6))} Hz`, this.scale?.text, filterName(stream.filter, stream.channel)];
    put(this.meta, words.filter(Boolean).join(" · "));
  }

  // Looked at four times a second: whether the wave has left the strip that the scale was chosen for.
  #isOutside(head) {
    if (head - this.looked < LOOK_US) return false;
    this.looked = head;
    const { middle, centre, k } = this.scale;
    const shown = (value) => middle - (value - centre) * k;
    return this.track.recent(this.track.indexAt(head), 2).some((value) => shown(value) < 0 || shown(value) > this.height);
  }

  // One picture has one scale: a new one begins with a new sweep, or draws everything again.
  #rescale(head, turned) {
    const values = this.track.recent(this.track.indexAt(head), Math.min(this.window / 1e6, 10));
    if (!values.length) return;
    this.looked = head;
    const before = this.scale && this.scale.barText + this.scale.k + this.scale.centre;
    this.scale = scaleOf(this.track.stream, values, this.height, unitName(this.track.stream.unit));
    if (!turned || before !== this.scale.barText + this.scale.k + this.scale.centre) this.dirty = true;
    this.#tellScale();
    put(this.barText, this.scale.barText);
    this.bar.style.height = `${this.scale.bar * this.scale.k}px`;
  }

  #all(head) {
    this.pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const from = Math.max(head - this.window + BAR_PX / PX_PER_US, this.track.timeAt(this.track.runs[0]?.first ?? 0));
    this.#between(from, head);
  }

  #between(from, to) {
    if (from >= to) return;
    for (let page = this.page(from); page <= this.page(to); page += 1) {
      const start = Math.max(from, page * this.window);
      const stop = Math.min(to, (page + 1) * this.window);
      this.#piece(start, stop, page);
    }
  }

  // Whole device pixels, so that pieces meet without a seam.
  #piece(from, to, page) {
    const { pen, ratio } = this;
    const [x0, x1] = [Math.floor(this.x(from, page) * ratio), Math.floor(this.x(to, page) * ratio)];
    pen.clearRect(x0, 0, x1 - x0 + BAR_PX * ratio, this.canvas.height);
    if (x1 <= x0) return;
    pen.save();
    pen.beginPath();
    pen.rect(x0, 0, x1 - x0, this.canvas.height);
    pen.clip();
    pen.scale(ratio, ratio);
    const first = Math.floor(this.track.indexAt(from)) - 3;
    const last = Math.ceil(this.track.indexAt(to)) + 3;
    const parts = this.track.cover(first, last);
    this.#trace(parts.filter((part) => part.values), first, last, page);
    for (const part of parts) if (!part.values) this.#hole(part, page);
    for (const mark of this.track.marks) if (mark.first < last && mark.last > first) this.#mark(mark, page);
    pen.restore();
  }

  // One line through samples that follow each other; a missing sample ends it.
  #trace(runs, first, last, page) {
    const { pen, scale, track } = this;
    pen.beginPath();
    pen.lineWidth = 1.5;
    pen.lineJoin = "round";
    pen.strokeStyle = this.colours.trace;
    let before = null;
    for (const run of runs) {
      const stop = Math.min(run.last, last);
      for (let i = Math.max(run.first, first); i < stop; i += 1) {
        const x = this.x(track.timeAt(i), page);
        const y = scale.middle - (run.values[i - run.first] - scale.centre) * scale.k;
        if (i - 1 === before) pen.lineTo(x, y);
        else pen.moveTo(x, y);
        before = i;
      }
    }
    pen.stroke();
  }

  #range(part, page) {
    const x0 = Math.max(this.x(this.track.timeAt(part.first), page), 0);
    const x1 = part.last === Infinity ? this.width : this.x(this.track.timeAt(part.last), page);
    return [x0, Math.min(x1, this.width)];
  }

  #hole(part, page) {
    const { pen, height } = this;
    const [x0, x1] = this.#range(part, page);
    pen.save();
    pen.beginPath();
    pen.rect(x0, 0, x1 - x0, height);
    pen.clip();
    pen.strokeStyle = this.colours.hatch;
    pen.lineWidth = 1;
    pen.beginPath();
    for (let x = Math.floor((x0 - height) / 9) * 9; x < x1; x += 9) {
      pen.moveTo(x, height);
      pen.lineTo(x + height, 0);
    }
    pen.stroke();
    if (x1 - x0 >= WORDS_MIN_PX) {
      const text = part.cause === "waiting" ? "no data yet" : `no data: ${cause(part.cause)}`;
      const lines = this.#wrap(text, x1 - x0 - 12);
      lines.forEach((line, i) => this.#words(line, x0, height / 2 + (i - (lines.length - 1) / 2) * BAND_PX));
    }
    pen.restore();
  }

  #wrap(text, width) {
    const lines = [];
    this.pen.font = FONT;
    for (const word of text.split(" ")) {
      const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
      if (lines.length && this.pen.measureText(longer).width <= width) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    return lines;
  }

  #words(text, left, y) {
    const { pen } = this;
    pen.font = FONT;
    pen.textBaseline = "middle";
    pen.fillStyle = this.colours.band;
    pen.fillRect(left, y - BAND_PX / 2, pen.measureText(text).width + 12, BAND_PX);
    pen.fillStyle = this.colours.word;
    pen.fillText(text, left + 6, y);
  }

  // The same in words, for who cannot see the hatching or finds no room for words in it.
  tellGaps() {
    if (!this.track.runs.length || this.drawn === null) return;
    const [first, last] = [this.drawn - this.window, this.drawn].map((t) => Math.floor(this.track.indexAt(t)));
    const begun = Math.max(first, this.track.runs[0].first);
    const causes = this.track.cover(begun, Math.min(last, this.track.end)).filter((part) => part.cause);
    const words = new Set(causes.map((part) => cause(part.cause)));
    put(this.gaps, words.size ? `Gaps in view: ${[...words].join("; ")}.` : "");
  }

  #mark(mark, page) {
    const { pen } = this;
    const [x0, x1] = this.#range(mark, page);
    pen.fillStyle = this.colours.word;
    if (TICKS.has(mark.kind)) {
      if (mark.kind === "pace") pen.fillRect(x0 - 0.5, 0, 1, 12);
      else pen.fillRect(x0 - 2, this.height - 5, 4, 4);
      return;
    }
    pen.save();
    pen.beginPath();
    pen.rect(x0, 0, x1 - x0, this.height);
    pen.clip();
    pen.fillStyle = this.colours.veil;
    pen.fillRect(x0, 0, x1 - x0, this.height);
    pen.fillStyle = this.colours.band;
    pen.fillRect(x0, 0, x1 - x0, BAND_PX);
    for (let x = x0; x < x1; x += 420) this.#words(markName(mark.kind), x, BAND_PX / 2);
    pen.restore();
  }
}
