// All beds, read every two seconds; never with values, so that nobody watches patients here.

import * as clock from "./clock.js";
import { ask, chip, el, put, refill, said } from "./dom.js";
import { binding, patient } from "./labels.js";
import { roomOf } from "./room.js";

const READ_MS = 2000;
const FRESH_US = 15e6;
const list = document.getElementById("beds");
const summary = document.getElementById("summary");
let beds = [];
let failed = "";
const cards = new Map();

function ageOf(bed) {
  if (bed.heard === null) return ["idle", "○", "no data yet"];
  const age = clock.centre() - bed.heard;
  const words = `data ${clock.span(age)} ago`;
  return age <= FRESH_US ? ["good", "●", words] : ["watch", "◐", `${words}, since ${clock.moment(bed.heard)} UTC`];
}

function linkOf(bed) {
  return bed.online ? ["good", "●", "online"] : ["bad", "✕", "offline: state of the bed unknown"];
}

function ledgerOf(bed) {
  if (bed.lost) return ["bad", "▲", `${bed.lost} lost, ${bed.missing} missing`];
  if (bed.missing) return ["watch", "◐", `${bed.missing} missing`];
  return ["good", "●", "nothing missing"];
}

// Cards are kept and only their words change: a click or the keyboard's focus never falls on a card that is gone.
function newCard(gateway) {
  const item = el("li", "card");
  const link = el("a", "open");
  link.href = `/beds/${encodeURIComponent(gateway)}`;
  const [bed, site, who] = [said("", "bed"), said(""), said("")];
  const [place, owner, chips] = [el("p", "place"), el("p", "who"), el("ul", "chips")];
  link.append(bed);
  place.append(site, document.createTextNode(" · gateway "), said(gateway));
  owner.append(who);
  item.append(link, place, owner, chips);
  return { item, bed, site, who, chips };
}

function cardOf(bed) {
  if (!cards.has(bed.gateway)) cards.set(bed.gateway, newCard(bed.gateway));
  const card = cards.get(bed.gateway);
  put(card.bed, bed.bed || "Bed not named");
  put(card.site, bed.site);
  put(card.who, patient(bed) || "no patient");
  const facts = [linkOf(bed), ageOf(bed), clock.chipOf(bed), binding(bed), ledgerOf(bed), roomOf(bed, clock.centre())];
  refill(card.chips, facts.map((fact) => chip(...fact)));
  return card.item;
}

function paint() {
  clock.show(document.getElementById("clock"));
  if (clock.centre() === null) return put(summary, failed || "Reading …");
  const offline = beds.filter((bed) => !bed.online).length;
  const counted = `${beds.length} ${beds.length === 1 ? "bed" : "beds"}, ${offline} offline`;
  put(summary, failed || (beds.length ? counted : "No gateway has been heard yet."));
  summary.classList.toggle("failed", failed !== "");
  list.classList.toggle("old", failed !== "");
  const items = beds.map(cardOf);
  const same = items.length === list.children.length && items.every((item, i) => item === list.children[i]);
  if (!same) list.replaceChildren(...items);
}

async function read() {
  try {
    const answer = await ask("/api/beds");
    clock.hear(answer.now);
    beds = answer.beds;
    failed = "";
  } catch (error) {
    failed = `The centre does not answer. What is shown may be old. (${error.message})`;
  }
  paint();
  setTimeout(read, READ_MS);
}

setInterval(paint, 1000);
read();
