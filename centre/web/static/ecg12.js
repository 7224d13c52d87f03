// Twelve leads of ten seconds, true to scale on this screen once somebody held a card to it.

import * as clock from "./clock.js";
import { ask, el, put, said } from "./dom.js";
import { cause, markName } from "./labels.js";
import { draw } from "./sheet.js";

const CSS_PX_PER_MM = 96 / 25.4;
const CARD_MM = 85.6; // ISO/IEC 7810 ID-1
const KEY = "wardlink-px-per-mm";
const SPAN_US = 10e6;
const at = (id) => document.getElementById(id);
const gateway = location.pathname.split("/")[2] ?? "";
const path = `/api/beds/${encodeURIComponent(gateway)}`;
const state = { first: Number(new URLSearchParams(location.search).get("at")) || null, answer: null, problem: "" };

function kept() {
  const number = Number(localStorage.getItem(KEY));
  return number > 1 && number < 20 ? number : null;
}

function pxPerMm() {
  return kept() ?? CSS_PX_PER_MM;
}

async function newest() {
  const { beds, now } = await ask("/api/beds");
  clock.hear(now);
  const bed = beds.find((one) => one.gateway === gateway);
  return (bed?.heard ?? now) - SPAN_US;
}

async function read() {
  state.answer = null;
  put(at("state"), "Reading …");
  paint();
  try {
    state.first ??= await newest();
    const first = state.first;
    const answer = await ask(`${path}/ecg?at=${first}`);
    if (first !== state.first) return;
    clock.hear(answer.now);
    [state.answer, state.problem] = [answer, ""];
  } catch (error) {
    state.problem = error.message;
  }
  paint();
}

function facts(answer) {
  const rows = [
    ["Time", `${clock.day(answer.first)} ${clock.hms(answer.first)} UTC, ten seconds from here · ${clock.bound(answer.error)} · grade ${answer.grade}, ${clock.GRADES[answer.grade]}`],
    ["Patient", answer.patient], ["Bed", answer.bed], ["Device", answer.device], ["Band", answer.band],
  ];
  return rows.flatMap(([term, words]) => {
    const value = el("dd", term === "Band" ? "band" : "");
    value.append(said(words));
    return [el("dt", "", term), value];
  });
}

// The same in words: which leads are there, and what is missing of them.
function leadWords(lead) {
  if (!lead.sent) return `${lead.name}: not sent by the device, and not derived here`;
  const holes = lead.holes.map((hole) => `no data from ${(hole.begin / 1e6).toFixed(1)} to ${(hole.end / 1e6).toFixed(1)} s, ${cause(hole.words)}`);
  const marks = new Set(lead.marks.map((mark) => markName(mark.words)));
  const moved = lead.centre ? `middle of its strip at ${lead.centre} mV` : "";
  return `${lead.name}: ${[...new Set(holes), ...marks, moved].filter(Boolean).join("; ") || "complete"}`;
}

function paint() {
  const { answer } = state;
  const words = answer ? "History, not live. 25 mm/s, 10 mm/mV." : state.problem;
  if (words) put(at("state"), words);
  at("facts").replaceChildren(...(answer ? facts(answer) : []));
  at("leads").replaceChildren(...(answer ? answer.leads.map((lead) => el("li", "", leadWords(lead))) : []));
  at("paper").href = `${path}/export/ecg12.pdf?at=${state.first ?? 0}`;
  at("back").href = `/beds/${gateway}`;
  at("card").style.width = `${CARD_MM * pxPerMm()}px`;
  at("ruler").value = String(pxPerMm() / CSS_PX_PER_MM);
  put(at("ruler-words"), kept() ? "This screen was measured by somebody, in this browser." : "Nobody has measured this screen: millimetres are the browser's guess.");
  draw(at("sheet"), answer?.leads ?? [], pxPerMm());
}

function move(us) {
  if (state.first === null) return;
  state.first += us;
  history.replaceState(null, "", `?at=${state.first}`);
  read();
}

at("earlier").addEventListener("click", () => move(-SPAN_US));
at("later").addEventListener("click", () => move(SPAN_US));
at("ruler").addEventListener("input", (event) => {
  localStorage.setItem(KEY, String(Number(event.target.value) * CSS_PX_PER_MM));
  paint();
});
at("ruler").min = "0.5";
read();
