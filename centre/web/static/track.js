// The newest minutes of one wave, by sample index. What is not there stays a hole: nothing is ever bridged.

const KEPT_SECONDS = 120;
const ARRIVALS_LIMIT = 32;

export class Track {
  constructor(stream) {
    this.stream = stream;
    this.rate = stream.rate[0] / stream.rate[1];
    this.gain = stream.gain[0] / stream.gain[1];
    this.offset = stream.offset[0] / stream.offset[1];
    this.runs = []; // {first, last, values} in order, without overlap
    this.marks = []; // {first, last, kind}
    this.holes = []; // declared: {first, last, cause}; last is Infinity where nobody knows
    this.end = 0;
    this.origin = null; // gateway time of index 0, microseconds
    this.arrivals = [];
  }

  // Takes a run {first, samples, marks, t}; gives the index from which on the picture has changed, or null.
  add(run) {
    const last = run.first + run.samples.length;
    const pieces = this.#absent(run.first, last);
    if (last <= this.end - KEPT_SECONDS * this.rate || !pieces.length) return null;
    this.#fit(run.t, last);
    const values = Float64Array.from(run.samples, (sample) => (sample - this.offset) * this.gain);
    for (const piece of pieces) {
      this.runs.push({ ...piece, values: values.subarray(piece.first - run.first, piece.last - run.first) });
    }
    this.runs.sort((a, b) => a.first - b.first);
    for (const mark of run.marks) this.#mark(run.first + mark.at, mark.count, mark.kind);
    this.end = Math.max(this.end, last);
    this.#forget(this.end - KEPT_SECONDS * this.rate);
    return run.first;
  }

  declare(hole) {
    this.holes.push({ first: hole.first, last: hole.last ?? Infinity, cause: hole.cause });
    if (this.holes.length > 500) this.holes.shift();
  }

  // An arrival is never early, only late: the earliest of the last half minute dates the samples.
  #fit(t, last) {
    this.arrivals.push(t - ((last - 1) / this.rate) * 1e6);
    if (this.arrivals.length > ARRIVALS_LIMIT) this.arrivals.shift();
    this.origin = Math.min(...this.arrivals);
  }

  #absent(first, last) {
    const pieces = [];
    let position = first;
    for (const run of this.runs) {
      if (run.last <= position || run.first >= last) continue;
      if (run.first > position) pieces.push({ first: position, last: run.first });
      position = run.last;
    }
    if (position < last) pieces.push({ first: position, last });
    return pieces;
  }

  #mark(first, count, kind) {
    const before = this.marks.findLast((mark) => mark.kind === kind && mark.last === first);
    if (before && count > 1) before.last = first + count;
    else this.marks.push({ first, last: first + count, kind });
  }

  #forget(index) {
    this.runs = this.runs.filter((run) => run.last > index);
    this.marks = this.marks.filter((mark) => mark.last > index);
    this.holes = this.holes.filter((hole) => hole.last > index);
  }

  indexAt(t) {
    return ((t - this.origin) / 1e6) * this.rate;
  }

  timeAt(index) {
    return this.origin + (index / this.rate) * 1e6;
  }

  // Everything from `first` to `last` exactly once, in order: {first, last, values} or {first, last, cause}.
  cover(first, last) {
    const parts = [];
    let position = first;
    for (const run of this.runs) {
      if (run.last <= position || run.first >= last) continue;
      if (run.first > position) parts.push(...this.#causes(position, run.first));
      parts.push(run);
      position = run.last;
    }
    if (position < last) parts.push(...this.#causes(position, last));
    return parts;
  }

  // Holes keep their true beginning, however little of them is asked for, so that their words stay in place.
  #causes(first, last) {
    const start = this.runs.findLast((run) => run.last <= first)?.last ?? Math.max(0, first);
    const next = this.runs.find((run) => run.first >= last)?.first ?? Infinity;
    const hole = this.holes.find((declared) => declared.first < last && declared.last > first);
    if (hole) return [{ first: Math.max(start, hole.first), last: Math.min(next, hole.last), cause: hole.cause }];
    if (start >= this.end) return [{ first: this.end, last: Infinity, cause: "waiting" }];
    return [{ first: start, last: next, cause: "not-received" }];
  }

  // Values of the newest `seconds` before index `last`, thinned to about a thousand.
  recent(last, seconds) {
    const first = last - seconds * this.rate;
    const step = Math.max(1, Math.floor((seconds * this.rate) / 1000));
    const values = [];
    for (const run of this.runs) {
      const stop = Math.min(run.last, last);
      for (let i = Math.max(run.first, Math.ceil(first)); i < stop; i += step) values.push(run.values[i - run.first]);
    }
    return values;
  }
}
