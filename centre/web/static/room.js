// How long a gateway can store what the centre does not hold. Unknown is said as unknown, never as nothing.

const HOUR_US = 3600e6;
const GOOD_US = 24 * HOUR_US;
const SHOWN_LIMIT_HOURS = 1000;
const CLASSES = { key: "keys", vital: "readings", wave: "waves" };

export function hours(us) {
  const whole = us / HOUR_US;
  if (whole >= SHOWN_LIMIT_HOURS) return `over ${SHOWN_LIMIT_HOURS} h`;
  return whole >= 10 ? `${Math.floor(whole)} h` : `${Math.floor(whole * 10) / 10} h`;
}

// What is left of a room: an offline gateway has been filling it since it said so.
function left(room, online, now) {
  return room.seconds * 1e6 - (online ? 0 : Math.max(0, now - room.utc));
}

// [kind, shape, words] of the class that runs out first.
export function roomOf({ rooms, online }, now) {
  const known = rooms.filter((room) => room.seconds !== null);
  if (!known.length) return ["idle", "○", "room at the gateway unknown"];
  const least = Math.min(...known.map((room) => left(room, online, now)));
  if (least <= 0) return ["bad", "▲", "room at the gateway may be used up: the oldest may be lost there"];
  const [kind, shape] = least >= GOOD_US ? ["good", "●"] : ["watch", "◐"];
  return [kind, shape, online ? `room for ${hours(least)}` : `stored there, room for about ${hours(least)} more`];
}

// The same by class, with how old the word is.
export function roomWords({ rooms, online }, now) {
  if (!rooms.length) return "not said yet";
  const words = rooms.map((room) => {
    const us = left(room, online, now);
    const time = room.seconds === null ? "unknown" : us <= 0 ? "may be used up" : hours(us);
    return `${CLASSES[room.word]} ${time}${room.waiting ? ` (${room.waiting} wait)` : ""}`;
  });
  const age = Math.max(0, Math.round((now - Math.max(...rooms.map((room) => room.utc))) / 60e6));
  return `${words.join(", ")}; said ${age} min ago`;
}
