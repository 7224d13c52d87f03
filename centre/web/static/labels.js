// Names for people. A channel or a unit that is not listed here is shown as the device's own word.

const CHANNELS = {
  "ecg.hr": "Heart rate (ECG)", "ecg.pvc_rate": "PVC rate", "ecg.i": "ECG I", "ecg.ii": "ECG II", "ecg.iii": "ECG III",
  "ecg.avr": "ECG aVR", "ecg.avl": "ECG aVL", "ecg.avf": "ECG aVF", "ecg.unspecified": "ECG, lead not stated",
  "spo2": "SpO₂", "spo2.pr": "Pulse rate (SpO₂)", "spo2.perf_index": "Perfusion index", "pleth": "Plethysmogram",
  "pulse.generic": "Pulse rate", "nibp.sys": "NIBP systolic", "nibp.dia": "NIBP diastolic", "nibp.map": "NIBP mean",
  "nibp.pr": "Pulse rate (NIBP)", "resp.rr": "Respiration rate", "resp.rr_impedance": "Respiration rate (impedance)",
  "resp.impedance": "Respiration (impedance)", "resp.wave": "Respiration, origin not stated", "co2.et": "End-tidal CO₂",
  "co2.insp": "Inspired CO₂", "co2.wave": "CO₂", "ibp.abp": "Arterial pressure", "ibp.art": "Arterial pressure",
  "ibp.p1": "Invasive pressure 1", "ibp.p2": "Invasive pressure 2",
  "ibp.cvp": "Central venous pressure", "ibp.pap": "Pulmonary artery pressure", "temp.unspecified": "Temperature",
  "temp.body": "Body temperature", "temp.core": "Core temperature", "temp.skin": "Skin temperature",
  "temp.tympanic": "Tympanic temperature", "temp.ear": "Ear temperature", "temp.oral": "Oral temperature",
  "temp.axilla": "Axillary temperature", "temp.rectal": "Rectal temperature", "body.weight": "Weight",
  "ibp.p1_sys": "P1 systolic", "ibp.p1_dia": "P1 diastolic", "ibp.p1_map": "P1 mean", "ibp.p2_sys": "P2 systolic",
  "ibp.p2_dia": "P2 diastolic", "ibp.p2_map": "P2 mean",
  "gluc.cap_wb": "Glucose, capillary blood", "gluc.cap_plasma": "Glucose, capillary plasma",
};

const WAVES = [/^ecg\.[iv]/, /^ecg/, /^pleth/, /^ibp/, /^resp/, /^co2/];
const NUMBERS = [/^ecg\.hr/, /^spo2$/, /^spo2\.pr/, /^nibp/, /^resp/, /^temp/, /^ibp/, /^co2/, /^(?!ecg|spo2)/, /^spo2/];
export const APART = 90; // from this rank on a signal has no name that doctors share

// Where a stream stands among its kind: what is looked at first comes first.
export function rank({ channel, rate }) {
  if (channel.includes(":") || channel === "spo2.bar" || channel === "spo2.signal") return APART;
  const order = rate[0] > 0 ? WAVES : NUMBERS;
  const found = order.findIndex((pattern) => pattern.test(channel));
  return found < 0 ? order.length : found;
}

export function channelName(channel) {
  const lead = /^ecg\.v([1-6])$/.exec(channel);
  if (lead) return `ECG V${lead[1]}`;
  const segment = /^ecg\.st_(\w+)$/.exec(channel);
  if (segment) return `ST ${segment[1].replace("av", "aV").replace(/^[iv]+\d?$|[rlf]$/, (lead) => lead.toUpperCase())}`;
  return Object.hasOwn(CHANNELS, channel) ? CHANNELS[channel] : channel;
}

const UNITS = { "mm[Hg]": "mmHg", "cm[H2O]": "cmH₂O", "Cel": "°C", "[degF]": "°F", "uV": "µV", "1": "", "Ohm": "Ω" };

export function unitName(unit) {
  return Object.hasOwn(UNITS, unit) ? UNITS[unit] : unit;
}

const REASONS = {
  "no-sensor": "no sensor", "sensor-off": "sensor off the patient", "searching": "searching for a signal",
  "low-signal": "low signal", "invalid": "marked invalid by the device", "questionable": "questionable",
  "unavailable": "no value", "not-supported": "not supported", "calibrating": "calibrating", "test": "test mode",
  "demo": "demo mode", "over-range": "over range", "under-range": "under range", "not-updated": "not updated",
};

export function reason(why) {
  return Object.hasOwn(REASONS, why) ? REASONS[why] : why;
}

const CAUSES = {
  "power": "gateway had no power", "device": "device was silent", "parse": "damaged on the line",
  "overflow": "buffer overflow", "storage": "storage failed", "policy": "left out by policy",
  "device-lost": "the device's count jumped", "device-silent": "device was silent",
  "device-restarted": "device was started again", "not-received": "not received, may still come",
};

export function cause(word) {
  return Object.hasOwn(CAUSES, word) ? CAUSES[word] : word;
}

const MARKS = {
  "lead-off": "LEAD OFF", "sensor-off": "SENSOR OFF", "invalid": "INVALID", "saturated": "SATURATED",
  "calibrating": "CALIBRATING", "test": "TEST", "demo": "DEMO",
};

export function markName(kind) {
  return Object.hasOwn(MARKS, kind) ? MARKS[kind] : kind.toUpperCase();
}

export const TICKS = new Set(["beat", "pace"]);

export function filterName(filter, channel) {
  if (/^monitor/i.test(filter)) return "monitor band: not for ST";
  if (filter) return `filter: ${filter}`;
  return channel.startsWith("ecg.") ? "filter not stated" : "";
}

export function integrityName(integrity) {
  const names = { none: "line unprotected", sum: "line protected by a sum", crc: "line protected by a CRC" };
  return Object.hasOwn(names, integrity) ? names[integrity] : integrity;
}

const METHODS = {
  location: "by place", scan: "by wristband scan", device: "by the device's own page", adt: "by admission data",
};

// [kind, shape, words] of a bed's binding.
export function binding(bed) {
  if (!bed.pseudonym || bed.method === "none") return ["idle", "○", "no patient bound"];
  const by = Object.hasOwn(METHODS, bed.method) ? METHODS[bed.method] : bed.method;
  if (bed.status === "validated") return ["good", "●", `patient bound ${by}, validated`];
  if (bed.status === "corrected") return ["good", "●", `patient bound ${by}, corrected`];
  if (bed.status === "conflict") return ["bad", "▲", "patient in conflict: do not rely on it"];
  if (bed.status === "wrong") return ["bad", "▲", "patient marked wrong"];
  return ["watch", "◐", `patient bound ${by}, not validated`];
}

export const patient = (bed) => (bed.pseudonym ? `patient ${bed.pseudonym.slice(0, 8)}` : "");
