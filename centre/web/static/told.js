// Tables of what is dated: notices of the device, and what was measured once. The past, said as the past.

import * as clock from "./clock.js";
import { el, put, row, said } from "./dom.js";
import { channelName, reason, unitName } from "./labels.js";

const ROWS_LIMIT = 60;
const ONCE = /^(nibp|temp|gluc|body|spiro)\.|^hba1c$/;

// Keeps the newest rows, each once, newest first.
class Book {
  constructor(keyOf) {
    this.keyOf = keyOf;
    this.rows = new Map();
  }

  add(entries) {
    for (const entry of entries) this.rows.set(this.keyOf(entry), entry);
    const newest = [...this.rows.entries()].sort((a, b) => b[1].t - a[1].t).slice(0, ROWS_LIMIT);
    this.rows = new Map(newest);
  }

  values() {
    return [...this.rows.values()];
  }
}

export class Notices {
  constructor(body, state) {
    this.body = body;
    this.state = state;
    this.clear();
  }

  clear() {
    this.book = new Book((n) => `${n.epoch} ${n.session} ${n.t} ${n.kind} ${n.code} ${n.phase} ${n.channel}`);
    this.body.replaceChildren();
  }

  hear(notices) {
    if (!notices.length) return;
    this.book.add(notices);
    this.body.replaceChildren(...this.book.values().map((notice) => this.#row(notice)));
  }

  #row(notice) {
    const words = el("span");
    words.append(said(notice.text || notice.code || "(no words)"));
    if (notice.channel) words.append(document.createTextNode(" · "), said(channelName(notice.channel)));
    const kind = `${notice.kind === "alarm" ? "device alarm" : notice.kind} ${notice.phase}`;
    const line = row(clock.dated(notice), said(kind), words, said(notice.priority || "–"));
    line.className = notice.kind === "alarm" ? `alarm ${notice.phase === "off" ? "over" : ""}` : "";
    return line;
  }

  // Silence is never said to be good news.
  tell(isLive) {
    const none = this.book.rows.size === 0;
    const text = !isLive
      ? "Alarm state unknown: no live data."
      : none
        ? "Nothing heard. This does not mean that the device has no alarm."
        : "Relayed as the device said it, without sound. Watch the device itself for alarms.";
    put(this.state, text);
  }
}

export class Dated {
  constructor(body) {
    this.body = body;
    this.streams = new Map();
    this.clear();
  }

  clear() {
    this.book = new Book((reading) => `${reading.epoch} ${reading.stream} ${reading.t} ${reading.taken?.said ?? ""}`);
    this.streams.clear();
    this.body.replaceChildren(this.#none());
  }

  know(streams) {
    for (const stream of streams) if (stream.rate[0] === 0) this.streams.set(stream.stream, stream);
  }

  hear(readings) {
    const mine = readings.filter((reading) => this.#isMine(reading) && reading.value !== null);
    if (!mine.length) return;
    this.book.add(mine);
    this.body.replaceChildren(...this.book.values().map((reading) => this.#row(reading)));
  }

  #row(reading) {
    const stream = this.streams.get(reading.stream);
    const value = el("bdi", "", `${reading.value} ${unitName(stream.unit)}`);
    value.dir = "ltr";
    const cell = el("span");
    cell.append(value);
    if (reading.why) cell.append(document.createTextNode(` (${reason(reading.why)})`));
    return row(clock.takenOf(reading), said(channelName(stream.channel)), cell);
  }

  // What is measured once, and what comes from a device's memory.
  #isMine(reading) {
    const stream = this.streams.get(reading.stream);
    return stream !== undefined && (reading.taken !== null || ONCE.test(stream.channel));
  }

  #none() {
    const line = row("–", "nothing measured yet", "");
    line.className = "over";
    return line;
  }
}
