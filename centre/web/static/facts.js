// What is known about devices and completeness, in words.

import * as clock from "./clock.js";
import { el, refill, said } from "./dom.js";
import { channelName, filterName, integrityName, unitName } from "./labels.js";
import { roomWords } from "./room.js";

function pair(term, ...words) {
  const [name, value] = [el("dt", "", term), el("dd")];
  value.append(...words);
  return [name, value];
}

function channelWords(stream) {
  const rate = stream.rate[0] / stream.rate[1];
  const facts = [channelName(stream.channel)];
  if (rate > 0) facts.push(`${Number(rate.toPrecision(6))} Hz`, stream.bits ? `${stream.bits} bit` : "");
  facts.push(unitName(stream.unit), rate > 0 ? filterName(stream.filter, stream.channel) : "");
  return facts.filter(Boolean).join(", ");
}

function device(streams) {
  const [one] = streams;
  const root = el("article", "device");
  const name = el("h3");
  name.append(said([one.maker, one.model].filter(Boolean).join(" ") || "Device did not say its name"));
  const list = el("dl", "pairs");
  const channels = el("ul", "channels");
  for (const stream of streams) {
    const item = el("li");
    item.append(said(channelWords(stream)));
    channels.append(item);
  }
  list.append(
    ...pair("Driver", said(one.driver)),
    ...pair("Serial number", said(one.serial || "not said")),
    ...pair("Port", said(one.port)),
    ...pair("Integrity", said(integrityName(one.integrity))),
    ...pair("Channels", channels),
  );
  root.append(name, list);
  return root;
}

export function devices(root, streams) {
  const sessions = new Map();
  for (const stream of streams) sessions.set(stream.session, [...(sessions.get(stream.session) ?? []), stream]);
  const found = [...sessions.values()].map(device);
  refill(root, found.length ? found : [el("p", "empty", "No device has been heard in this epoch.")]);
}

export function ledger(root, bed) {
  const count = (number, words) => `${number} ${number === 1 ? "envelope" : "envelopes"}${words}`;
  refill(root, [
    ...pair("Missing", count(bed.missing, bed.missing ? ", may still come" : "")),
    ...pair("Lost", count(bed.lost, bed.lost ? ", declared by the gateway" : "")),
    ...pair("Room at the gateway", said(roomWords(bed, clock.centre()))),
    ...pair("Came twice", count(bed.duplicates, bed.duplicates ? ", stored once" : "")),
    ...(bed.refuted ? pair("Not as signed", count(bed.refuted, ", among them one or more that the manifest refutes")) : []),
    ...(bed.conflicts ? pair("Kept apart", count(bed.conflicts, ", under names that others have")) : []),
    ...pair("Gateway", said(bed.gateway), document.createTextNode(`, epoch ${bed.epoch}`)),
  ]);
}
