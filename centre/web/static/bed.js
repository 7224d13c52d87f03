// One bed: listens to its socket and gives each part of the page what it needs to know.

import { Axis } from "./axis.js";
import * as clock from "./clock.js";
import { ask, chip, put, refill } from "./dom.js";
import { devices, ledger } from "./facts.js";
import { binding, patient } from "./labels.js";
import { Tiles } from "./numerics.js";
import { Past } from "./past.js";
import { roomOf } from "./room.js";
import { listen } from "./socket.js";
import { Strips } from "./strips.js";
import { Dated, Notices } from "./told.js";

const PAST_LIMIT_ROWS = 1000;
const EARLY_LIMIT_UPDATES = 60;
const LIVE_US = 60e6;
const at = (id) => document.getElementById(id);
const gateway = location.pathname.split("/")[2] ?? ""; // [a-z0-9-]: nothing to decode
const path = `/api/beds/${encodeURIComponent(gateway)}`;

const axis = new Axis(at, gateway, showWindow);
const past = new Past(at, path, axis);
const strips = new Strips(at("waves"), at("waves-apart"));
const tiles = new Tiles(at("tiles"), at("tiles-apart"));
const notices = new Notices(at("notices"), at("notices-state"));
const dated = new Dated(at("dated"));
const state = { bed: null, epoch: null, connected: false, problem: "", dropped: 0, live: null, early: [] };

// A device is its serial number, wherever it is plugged in; where it says none that tells it from its twins, its socket.
const isOne = (serial) => serial.length >= 4 && new Set(serial).size > 1 && /[0-9]/.test(serial);
const device = (stream) => (isOne(stream.serial) ? ["serial", stream.serial] : ["port", stream.port]);

// A device that was plugged in again, or changed its scale, has a new stream for the same channel: that one is shown.
function newest(streams) {
  const last = new Map();
  for (const stream of streams) last.set(JSON.stringify([stream.driver, ...device(stream), stream.channel]), stream);
  return [...last.values()];
}

async function readCatalogue() {
  const answer = await ask(`${path}/streams`);
  clock.hear(answer.now);
  if (answer.epoch !== state.epoch) for (const part of [strips, tiles, notices, dated]) part.clear();
  state.epoch = answer.epoch;
  for (const part of [strips, tiles]) part.know(newest(answer.streams));
  dated.know(answer.streams);
  devices(at("devices"), answer.streams);
}

// What was said before this page was opened goes to the dated tables only, never to tiles or traces.
async function readPast() {
  if (state.epoch === null) return;
  const asked = `epoch=${state.epoch}&limit=${PAST_LIMIT_ROWS}`;
  const [said, measured] = await Promise.all([ask(`${path}/notices?${asked}`), ask(`${path}/numerics?${asked}`)]);
  if (said.epoch !== state.epoch) return;
  notices.hear(said.notices);
  dated.hear(measured.numerics);
}

// Live, or a window of the past: never both in one picture.
function showWindow(window) {
  at("live").hidden = window !== null;
  at("past").hidden = window === null;
  at("waves-note").hidden = window !== null;
  past.show(window);
}

let reading = null;
let again = false;

// One reading of the catalogue at a time; what arrives meanwhile waits in `early`. What is asked for during a reading
// may be newer than what that one saw: it is read again.
function refresh() {
  if (reading) {
    again = true;
    return;
  }
  again = false;
  reading = readCatalogue()
    .then(readPast)
    .then(() => (state.problem = ""))
    .catch((error) => (state.problem = `The centre does not answer: ${error.message}`))
    .finally(() => {
      reading = null;
      if (again) return refresh();
      for (const update of state.early.splice(0)) take(update);
    });
}

function hearUpdate(update) {
  const epochs = [...update.waves, ...update.numerics, ...update.notices].map((said) => said.epoch);
  const newer = epochs.some((epoch) => state.epoch === null || epoch > state.epoch);
  if (!reading && !newer && !update.catalogue) return take(update);
  if (state.early.length >= EARLY_LIMIT_UPDATES) state.early.shift();
  state.early.push(update);
  if (newer || update.catalogue) refresh();
}

function take(update) {
  const mine = (said) => said.epoch === state.epoch;
  const kept = { ...update, waves: update.waves.filter(mine), numerics: update.numerics.filter(mine) };
  if (update.live) state.live = performance.now() * 1000;
  strips.hear(kept);
  tiles.hear(kept);
  dated.hear(kept.numerics);
  notices.hear(update.notices.filter(mine));
}

function hear(said) {
  clock.hear(said.now);
  if (said.kind === "update") hearUpdate(said);
  if (said.kind === "presence") state.bed = said.bed;
  if (said.kind === "dropped") state.dropped = said.updates;
  paint();
}

function warningOf() {
  if (state.problem) return state.problem;
  if (!state.connected) return "Connection to the centre lost. Nothing on this page is live.";
  if (state.bed && !state.bed.online) return "The gateway is offline: the state of this bed is unknown.";
  if (!isLive()) return "No live data is arriving. The state of this bed is unknown.";
  return state.dropped ? `This browser was too slow: ${state.dropped} updates were left out here. The centre has them.` : "";
}

function isLive() {
  return state.connected && state.live !== null && performance.now() * 1000 - state.live <= LIVE_US;
}

function chips(bed) {
  const age = bed.heard === null ? null : clock.centre() - bed.heard;
  return [
    bed.online ? chip("good", "●", "online") : chip("bad", "✕", "offline"),
    age === null ? chip("idle", "○", "no data yet") : chip(age < 15e6 ? "good" : "watch", age < 15e6 ? "●" : "◐", `data ${clock.span(age)} ago`),
    chip(...clock.chipOf(bed)),
    chip(...binding(bed)),
    chip(...roomOf(bed, clock.centre())),
    ...(patient(bed) ? [chip("idle", "◇", patient(bed))] : []),
  ];
}

function paint() {
  clock.show(at("clock"));
  axis.tick();
  const warning = warningOf();
  put(at("warning"), warning);
  at("warning").hidden = warning === "";
  strips.age();
  tiles.paint();
  notices.tell(isLive());
  const { bed } = state;
  if (!bed) return;
  const name = bed.bed || "Bed not named";
  put(at("bed"), name);
  put(at("site"), `${bed.site} · gateway ${bed.gateway}`);
  document.title = `${name} · wardlink centre`;
  refill(at("facts"), chips(bed));
  ledger(at("ledger"), bed);
}

function changed(connected, problem) {
  state.connected = connected;
  state.problem = problem;
  state.dropped = 0;
  if (connected) refresh();
  paint();
}

listen(gateway, hear, changed);
setInterval(paint, 1000);
