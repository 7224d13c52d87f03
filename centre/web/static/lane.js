// One signal in a window of the past, on one canvas: least to greatest of each column, or single samples.

import * as clock from "./clock.js";
import { el, put, said } from "./dom.js";
import { cause, channelName, filterName, markName, reason, TICKS, unitName } from "./labels.js";
import { hatch, words } from "./pen.js";

const PAD = 0.1;
const BAND_PX = 17;
const LINE_PX = 1.3;
const NOTHING = "nothing held: off, or not received";
const LATER = "not yet";
const GRADES = "ABCDX";

export class Lane {
  constructor(stream) {
    this.stream = stream;
    this.root = el("article", stream.rate[0] > 0 ? "strip lane" : "strip lane numeric");
    const name = el("h3", "strip-name");
    name.append(said(channelName(stream.channel)));
    [this.meta, this.time, this.gaps] = [el("span", "strip-meta"), el("span", "strip-time"), el("p", "strip-gaps")];
    const [head, field] = [el("div", "strip-head"), el("div", "field")];
    head.append(name, this.meta, this.time, this.gaps);
    [this.top, this.low, this.paper, this.canvas] = [el("span"), el("span"), el("div", "paper"), el("canvas")];
    const gutter = el("div", "gutter ends");
    gutter.append(this.top, this.low);
    this.canvas.setAttribute("role", "img");
    this.paper.append(this.canvas);
    field.append(gutter, this.paper);
    this.root.append(head, field);
    this.pen = this.canvas.getContext("2d");
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.paper);
  }

  end() {
    this.observer.disconnect();
    this.root.remove();
  }

  // `parts`: {wave, epoch} or {numeric, epoch} of the answer `window`.
  take(window, parts) {
    [this.window, this.parts, this.sharp] = [window, parts, new Map()];
    const waves = parts.filter((part) => part.wave).map((part) => part.wave);
    const filters = new Set(waves.map((wave) => filterName(wave.wave.filter, wave.wave.channel)));
    put(this.meta, [unitName(this.stream.unit) || "no unit", ...filters].filter(Boolean).join(" · "));
    const dated = parts.flatMap((part) => part.wave?.pieces ?? [part.epoch]);
    const error = Math.max(...dated.map((one) => one.error));
    const grade = GRADES[Math.max(...dated.map((one) => GRADES.indexOf(one.grade)))];
    put(this.time, `${clock.bound(error)} · grade ${grade}`);
    this.time.title = clock.GRADES[grade];
    this.holes = this.#holes(waves);
    const causes = new Set(this.holes.map((hole) => hole.words));
    put(this.gaps, causes.size ? `Gaps in view: ${[...causes].join("; ")}.` : "");
    this.draw();
  }

  // What must be sharpened: pieces with the stream that they are of.
  pieces() {
    return this.parts.flatMap(({ wave, epoch }) =>
      wave ? wave.pieces.map((piece) => ({ ...piece, key: piece, epoch: epoch.epoch, stream: wave.wave.stream })) : [],
    );
  }

  sharpen({ key }, answer) {
    this.sharp.set(key, answer);
    this.draw();
  }

  // Holes that are said, and whatever no piece and no hole covers: {left, right, words}.
  #holes(waves) {
    if (!waves.length) return this.#absences();
    const holes = waves.flatMap((wave) => wave.holes.map((hole) => ({ ...hole, words: cause(hole.cause) })));
    const covered = [...waves.flatMap((wave) => wave.pieces), ...holes].sort((a, b) => a.left - b.left);
    const now = ((clock.centre() - this.window.first) / (this.window.last - this.window.first)) * this.window.columns;
    let position = 0;
    const empty = (left, right) => {
      const later = Math.max(left, Math.min(right, now));
      if (later - left >= 1) holes.push({ left, right: later, words: NOTHING });
      if (right - later >= 1) holes.push({ left: later, right, words: LATER });
    };
    for (const one of covered) {
      if (one.left > position) empty(position, one.left);
      position = Math.max(position, one.right);
    }
    empty(position, this.window.columns);
    return holes;
  }

  // Of readings: columns in which the device said that it has none, and no other reading stands; neighbours as one.
  #absences() {
    const holes = [];
    for (const { numeric } of this.parts) {
      const there = new Set(numeric.columns);
      for (const { column, why } of numeric.absent) {
        const words = why ? reason(why) : "no value";
        const before = holes.at(-1);
        if (there.has(column)) continue;
        if (before?.right === column && before.words === words) before.right += 1;
        else holes.push({ left: column, right: column + 1, words });
      }
    }
    return holes;
  }

  #values() {
    const value = (wave) => (sample) => ((sample - wave.offset[0] / wave.offset[1]) * wave.gain[0]) / wave.gain[1];
    return this.parts.flatMap(({ wave, numeric }) => {
      if (numeric) return [numeric.columns.map((at, i) => [at + 0.5, numeric.least[i], numeric.greatest[i]])];
      return wave.pieces.flatMap((piece) => this.#lines(piece, value(wave.wave)));
    });
  }

  // Lines of a piece: [[column, least, greatest], ...] each; a column without a sample ends one.
  #lines(piece, value) {
    if (this.sharp.has(piece)) return this.#single(piece, value);
    const step = (piece.right - piece.left) / piece.least.length;
    const lines = [[]];
    piece.least.forEach((least, i) => {
      if (least === null) lines.push([]);
      else lines.at(-1).push([piece.left + (i + 0.5) * step, ...[value(least), value(piece.greatest[i])].sort((a, b) => a - b)]);
    });
    return lines;
  }

  #column(piece, index) {
    const utc = piece.begun + ((index - piece.first) / Math.max(1, piece.last - 1 - piece.first)) * (piece.ended - piece.begun);
    return ((utc - this.window.first) / (this.window.last - this.window.first)) * this.window.columns;
  }

  #single(piece, value) {
    const lines = [];
    let following = null;
    for (const run of this.sharp.get(piece).runs) {
      if (run.first !== following) lines.push([]);
      run.samples.forEach((sample, i) => lines.at(-1).push([this.#column(piece, run.first + i), value(sample), value(sample)]));
      following = run.first + run.samples.length;
    }
    return lines;
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.paper.clientWidth, this.paper.clientHeight];
    if (!width || !this.window) return;
    [this.canvas.width, this.canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const { pen } = this;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(this.root);
    this.ink = (name) => style.getPropertyValue(`--${name}`).trim();
    const lines = this.#values();
    const x = (column) => (column / this.window.columns) * width;
    this.#trace(lines, x, height);
    for (const hole of this.holes) hatch(pen, this.ink, x(hole.left), Math.max(x(hole.left) + 2, x(hole.right)), height, hole.words);
    for (const [piece, answer] of this.sharp) for (const run of answer.runs) for (const mark of run.marks) this.#mark(piece, run, mark, x, height);
  }

  #trace(lines, x, height) {
    const { pen } = this;
    let [low, high] = [Infinity, -Infinity];
    for (const line of lines) for (const [, least, greatest] of line) [low, high] = [Math.min(low, least), Math.max(high, greatest)];
    const there = low <= high;
    put(this.top, there ? String(Number(high.toPrecision(4))) : "");
    put(this.low, there ? String(Number(low.toPrecision(4))) : "");
    const range = there ? `from ${this.low.textContent} to ${this.top.textContent} ${unitName(this.stream.unit)}` : "no value";
    this.canvas.setAttribute("aria-label", `${channelName(this.stream.channel)}, history: ${range}. ${this.gaps.textContent}`);
    if (!there) return;
    const k = (height * (1 - 2 * PAD)) / (high - low || 1);
    const y = (value) => height * (1 - PAD) - (value - low) * k - (high === low ? height * (0.5 - PAD) : 0);
    const isApart = this.stream.rate[0] === 0; // readings are not joined: what lies between them was not said
    pen.fillStyle = pen.strokeStyle = this.ink("trace");
    pen.lineWidth = LINE_PX;
    pen.lineJoin = "bevel";
    for (const line of lines) {
      const points = line.map(([column, least, greatest]) => [x(column), y(greatest), y(least)]);
      if (isApart || isDense(points)) bars(pen, points, !isApart);
      else polyline(pen, points);
    }
  }

  #mark(piece, run, mark, x, height) {
    const { pen } = this;
    const [x0, x1] = [run.first + mark.at, run.first + mark.at + mark.count].map((index) => x(this.#column(piece, index)));
    if (TICKS.has(mark.kind)) {
      pen.fillStyle = this.ink("band");
      if (mark.kind === "pace") pen.fillRect(x0 - 0.5, 0, 1, 12);
      else pen.fillRect(x0 - 2, height - 5, 4, 4);
      return;
    }
    pen.fillStyle = this.ink("veil");
    pen.fillRect(x0, 0, x1 - x0, height);
    pen.fillStyle = this.ink("band");
    pen.fillRect(x0, 0, x1 - x0, BAND_PX);
    words(pen, this.ink, markName(mark.kind), Math.max(0, x0), BAND_PX / 2);
  }
}

// More than a point a pixel: a path of so many corners would take a hundred times as long as rectangles do.
function isDense(points) {
  return points.length > 2 && points.at(-1)[0] - points[0][0] < points.length;
}

// Each pixel that has points from its least to its greatest; `joined`: as far as its neighbour, as a line would be.
function bars(pen, points, joined) {
  let [at, top, low] = [null, 0, 0];
  const end = () => pen.fillRect(at, top - LINE_PX / 2, joined ? 1 : LINE_PX, Math.max(low - top, 0) + LINE_PX);
  for (const [x, high, least] of points) {
    const pixel = Math.floor(x);
    if (pixel === at) [top, low] = [Math.min(top, high), Math.max(low, least)];
    else {
      if (at !== null) end();
      const near = joined && at === pixel - 1;
      [at, top, low] = [pixel, near ? Math.min(high, low) : high, near ? Math.max(least, top) : least];
    }
  }
  if (at !== null) end();
}

function polyline(pen, points) {
  pen.beginPath();
  points.forEach(([x, high, least], i) => {
    if (i === 0) pen.moveTo(x, least);
    else pen.lineTo(x, least);
    if (high !== least) pen.lineTo(x, high);
  });
  if (points.length === 1) pen.lineTo(points[0][0] + LINE_PX, points[0][2]);
  pen.stroke();
}
