// Time on pages is the centre's: what it said last, carried on by the browser's monotonic clock.
// All instants are microseconds since 1970, all spans microseconds, unless a name says otherwise.

let said = null;
let heard_ms = 0;

export function hear(now) {
  said = now;
  heard_ms = performance.now();
}

export function centre() {
  return said === null ? null : said + (performance.now() - heard_ms) * 1000;
}

const two = (number) => String(number).padStart(2, "0");

export function hm(utc) {
  const date = new Date(utc / 1000);
  return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
}

export function hms(utc) {
  return `${hm(utc)}:${two(new Date(utc / 1000).getUTCSeconds())}`;
}

export function day(utc) {
  return new Date(utc / 1000).toISOString().slice(0, 10);
}

// The day is only said where it is not today's.
export function moment(utc) {
  const now = centre();
  return now !== null && day(utc) === day(now) ? hms(utc) : `${day(utc)} ${hms(utc)}`;
}

export function span(us) {
  const seconds = Math.max(0, us) / 1e6;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
  return `${Math.floor(seconds / 86400)} days`;
}

export function bound(error) {
  if (error === null) return "± unknown";
  if (error < 1e6) return `± ${Math.max(1, Math.ceil(error / 1000))} ms`;
  if (error < 60e6) return `± ${Math.ceil(error / 1e6)} s`;
  return `± ${Math.ceil(error / 60e6)} min`;
}

export const GRADES = {
  A: "time within 50 ms",
  B: "time within 1 s",
  C: "time within 60 s",
  D: "time known only roughly",
  X: "time not known",
};

// "12:03:05 UTC ± 12 ms"; where no clock vouches for an instant, between which it was; else that it is unknown.
export function dated(when) {
  if (when.utc !== null) return `${moment(when.utc)} UTC ${bound(when.error)}`;
  if (when.latest === null || when.latest === undefined) return "time not known";
  return `time not known, between ${moment(when.earliest)} and ${moment(when.latest)} UTC`;
}

// When a reading was taken: by the device's clock as it said, and as UTC where that is proven.
export function takenOf(reading) {
  const { taken } = reading;
  if (!taken) return `${dated(reading)} · ${reading.grade}`;
  const said = `the device says ${taken.said.replace("T", " ")}`;
  if (taken.utc === null) return `time unknown, ${said}; told ${dated(reading)} · X`;
  return `${dated(taken)} · ${taken.grade} (${said})`;
}

// How well a gateway's own time is known, as a chip.
export function chipOf(bed) {
  const words = `time ${bed.grade}${bed.error === null ? "" : ` ${bound(bed.error)}`}${bed.source ? `, ${bed.source}` : ""}`;
  return bed.grade === "A" || bed.grade === "B" ? ["good", "●", words] : ["watch", "◐", words];
}

export function show(element) {
  const now = centre();
  const text = now === null ? "clock not heard yet" : `${day(now)} ${hms(now)} UTC`;
  if (element.textContent !== text) element.textContent = text;
}
