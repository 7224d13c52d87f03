// How old something live is, and what may still be shown of it (REQUIREMENTS NUR-14).

import * as clock from "./clock.js";

const GREY_LIMIT_US = 30e6;
const GONE_US = 60e6;

// `when`: {utc, error}; `arrived`: browser microseconds; `period`: how often one is expected to be seen.
// The age is never less than the time since arrival. Where the gateway's clock is only roughly known, the part of the
// age that its error may explain is not held against it.
export function freshness(when, arrived, period) {
  const waited = performance.now() * 1000 - arrived;
  const slack = when.error !== null && when.error <= 1e6 ? 0 : when.error ?? Infinity;
  const dated = when.utc === null ? 0 : clock.centre() - when.utc - slack;
  const age = Math.max(waited, dated, 0);
  const since = when.utc === null ? `for ${clock.span(age)} (time not known)` : `since ${sinceOf(when)}`;
  const words = `no live data ${since}`;
  if (age > GONE_US) return { state: "gone", age, words };
  return { state: age > Math.min(2 * period, GREY_LIMIT_US) ? "stale" : "fresh", age, words };
}

function sinceOf(when) {
  const now = clock.centre();
  const date = clock.day(when.utc) === clock.day(now) ? "" : `${clock.day(when.utc)} `;
  return `${date}${clock.hm(when.utc)} (UTC ${clock.bound(when.error)})`;
}
