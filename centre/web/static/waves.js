// One wave of each bed side by side, live. No value stands here, and what is old is covered as on the bed's own page.

import * as clock from "./clock.js";
import { ask, el, put, said } from "./dom.js";
import { rank } from "./labels.js";
import { listen } from "./socket.js";
import { Strips } from "./strips.js";

const BEDS_LIMIT = 16;
const LIVE_US = 60e6;
const root = document.getElementById("beds");

// Lead II, else what stands first on the bed's page; of a device that was plugged in again the newest.
function first(streams) {
  const place = (stream) => (stream.channel === "ecg.ii" ? -1 : rank(stream));
  const [best] = streams.filter((stream) => stream.rate[0] > 0).sort((a, b) => place(a) - place(b) || a.stream - b.stream);
  return best ? [streams.findLast((stream) => stream.channel === best.channel && stream.rate[0] > 0)] : [];
}

class Bed {
  constructor({ gateway, bed }) {
    this.path = `/api/beds/${encodeURIComponent(gateway)}`;
    this.root = el("section");
    const [name, link, field] = [el("h2"), el("a"), el("div")];
    link.href = `/beds/${encodeURIComponent(gateway)}`;
    link.append(said(bed || gateway));
    this.problem = el("span", "problem");
    name.append(link, this.problem);
    this.root.append(name, field);
    this.strips = new Strips(field, field);
    [this.epoch, this.live, this.online, this.connected, this.failed] = [null, null, true, false, ""];
    [this.reading, this.again] = [false, false];
    listen(gateway, (word) => this.hear(word), (connected, failed) => this.changed(connected, failed));
  }

  changed(connected, failed) {
    [this.connected, this.failed] = [connected, failed];
    if (connected) this.refresh();
    this.paint();
  }

  // The catalogue, one reading at a time; the wave that doctors look at first is the one that is shown.
  async refresh() {
    this.again = this.reading;
    if (this.reading) return;
    this.reading = true;
    try {
      const answer = await ask(`${this.path}/streams`);
      if (answer.epoch !== this.epoch) this.strips.clear();
      this.epoch = answer.epoch;
      this.strips.know(first(answer.streams));
      this.failed = "";
    } catch (error) {
      this.failed = `The centre does not answer: ${error.message}`;
    }
    this.reading = false;
    if (this.again) this.refresh();
  }

  hear(word) {
    clock.hear(word.now);
    if (word.kind === "presence") this.online = word.bed.online;
    if (word.kind === "update") this.#take(word);
  }

  #take(update) {
    if (update.catalogue || update.waves.some((wave) => this.epoch === null || wave.epoch > this.epoch)) this.refresh();
    if (update.live) this.live = performance.now() * 1000;
    this.strips.hear({ ...update, waves: update.waves.filter((wave) => wave.epoch === this.epoch) });
  }

  paint() {
    const old = this.live === null || performance.now() * 1000 - this.live > LIVE_US;
    const lost = this.connected ? "" : "connection to the centre lost";
    put(this.problem, this.failed || lost || (!this.online ? "gateway offline: state unknown" : old ? "no live data" : ""));
    this.strips.age();
  }
}

async function open() {
  const summary = document.getElementById("summary");
  try {
    const answer = await ask("/api/beds");
    clock.hear(answer.now);
    const beds = answer.beds.slice(0, BEDS_LIMIT).map((bed) => new Bed(bed));
    root.replaceChildren(...beds.map((bed) => bed.root));
    const rest = answer.beds.length - beds.length;
    put(summary, beds.length ? (rest ? `The first ${beds.length} beds; ${rest} more are in the list.` : `${beds.length} beds`) : "No gateway has been heard yet.");
    setInterval(() => {
      clock.show(document.getElementById("clock"));
      for (const bed of beds) bed.paint();
    }, 1000);
  } catch (error) {
    put(summary, `The centre does not answer: ${error.message}`);
    setTimeout(open, 5000);
  }
}

open();
