// A second reader of wardlink's formats, written from docs/formats.md and docs/formats-codec.md alone.
// It opens the file of `wardlink spool export` with an x25519 key and prints one JSON object a line.
//
//     node docs/examples/read.mjs <gateway id> <x25519-secret:...> <file>
//
// Needs node 18 or later and nothing else. Exits 1, saying why, at the first thing that is not as documented.
import { createDecipheriv, createHash, createHmac, createPrivateKey, createPublicKey, diffieHellman, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { argv, exit } from "node:process";
import { pathToFileURL } from "node:url";
import { decodeChunk } from "./codec.mjs";

const KINDS = ["catalogue", "anchor", "numeric", "alarm", "status", "device-time", "stream-gap", "envelope-gap",
  "association", "session", "patient-id", "line", "room", "boot", "audit-head"];
const CLASSES = ["key", "vital", "wave"];
const HEADER_BYTES = 12, TAG_BYTES = 16, SIGNATURE_BYTES = 64, LIMIT_BYTES = 1 << 20, DEPTH_LIMIT = 12;

const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
const fail = (why) => { throw new Error(why); };
const ascii = (text) => Buffer.from(text, "latin1");
function number(value, bytes) {
  const out = Buffer.alloc(bytes);
  out.writeUIntBE(value, 0, bytes);
  return out;
}

// ---- CBOR (RFC 8949): what bundles, statements, receipts and commands use

export function cbor(data) {
  let at = 0;
  const take = (size) => {
    if (at + size > data.length) fail("the CBOR ends too early");
    at += size;
    return data.subarray(at - size, at);
  };
  const argument = (low) => {
    if (low < 24) return low;
    if (low === 24) return take(1)[0];
    if (low === 25) return take(2).readUInt16BE();
    if (low === 26) return take(4).readUInt32BE();
    if (low !== 27) return fail("CBOR of indefinite length");
    const large = take(8).readBigUInt64BE();
    return large <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(large) : large;
  };
  const list = (count, depth) => {
    if (count > data.length) fail("a CBOR array longer than its data");
    return Array.from({ length: count }, () => item(depth + 1));
  };
  const item = (depth) => {
    if (depth > DEPTH_LIMIT) fail("CBOR is nested too deep");
    const first = take(1)[0], major = first >> 5;
    if (first === 0xf6) return null;
    if (major === 7) fail(`CBOR simple value ${first & 31}`);
    const value = argument(first & 31);
    if (major === 0) return value;
    if (major === 1) return typeof value === "bigint" ? -1n - value : -1 - value;
    if (major === 2) return Buffer.from(take(value));
    if (major === 3) return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(take(value));
    if (major === 4) return list(value, depth);
    if (major === 6) return tagged(value, item(depth + 1));
    return fail("a CBOR map");
  };
  const whole = item(0);
  if (at !== data.length) fail("something follows the CBOR");
  return whole;
}

function tagged(tag, content) {
  if (tag === 4 && Array.isArray(content) && content.length === 2) return decimal(...content);
  return fail(`CBOR tag ${tag}`);
}

/** The digits of a decimal fraction: [-1, 970] is "97.0". */
function decimal(exponent, mantissa) {
  const sign = mantissa < 0 ? "-" : "", digits = String(mantissa).replace("-", "");
  if (!(Math.abs(exponent) <= 200)) fail("a decimal that is no reading");
  if (exponent >= 0) return sign + digits + "0".repeat(exponent);
  const padded = digits.padStart(1 - exponent, "0");
  return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}

// ---- keys and ids (section 2)

const key25519 = (prefix, raw) => ({ key: Buffer.concat([Buffer.from(prefix, "hex"), raw]), format: "der" });
const publicKey = (oid, raw) => createPublicKey({ ...key25519(`302a30050603${oid}032100`, raw), type: "spki" });
const privateKey = (oid, raw) => createPrivateKey({ ...key25519(`302e02010030050603${oid}04220420`, raw), type: "pkcs8" });
const ED25519 = "2b6570", X25519 = "2b656e";

export function recipient(text) {
  if (/^xwing-secret:/.test(text)) fail("an X-Wing key needs ML-KEM, which is not used here: give an x25519 key");
  const [, encoded] = /^x25519-secret:([A-Za-z0-9_-]{43})=?\s*$/.exec(text) ?? fail("not an x25519-secret: key");
  const secret = privateKey(X25519, Buffer.from(encoded, "base64url"));
  const raw = createPublicKey(secret).export({ type: "spki", format: "der" }).subarray(-32);
  return { secret, raw, id: sha256(ascii("wardlink recipient"), ascii("x25519"), raw).subarray(0, 8) };
}

export function gatewayId(raw) {
  const letters = "abcdefghijklmnopqrstuvwxyz234567";
  const bits = [...sha256(ascii("wardlink gateway"), raw)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return Array.from({ length: 20 }, (_, i) => letters[parseInt(bits.slice(5 * i, 5 * i + 5), 2)]).join("");
}

// ---- commands (section 8)

/** What the centre with this raw Ed25519 key commands this gateway. Of format 1, which names no start, nothing is read. */
export function command(centre, gateway, data) {
  const body = data.subarray(0, -SIGNATURE_BYTES), whole = Buffer.concat([ascii(`wardlink command 2${gateway}`), body]);
  if (!verify(null, whole, publicKey(ED25519, centre), data.subarray(-SIGNATURE_BYTES))) fail("the signature is not the centre's");
  const [issued, expires, epoch, start, nonce, said, ...more] = cbor(body);
  if (more.length || start.length !== 8 || nonce.length !== 8) fail("a command that is none");
  return { issued, expires, epoch, start: start.toString("hex"), nonce: nonce.toString("hex"), said };
}

// ---- HPKE base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305

const hmac = (key, ...parts) => createHmac("sha256", key).update(Buffer.concat(parts)).digest();
const EMPTY = Buffer.alloc(0);

function labeled(suite) {
  const extract = (salt, label, secret) =>
    hmac(salt.length ? salt : Buffer.alloc(32), ascii("HPKE-v1"), suite, ascii(label), secret);
  const expand = (key, label, info, size) => { // size is at most 32 here: one round
    const asked = Buffer.concat([number(size, 2), ascii("HPKE-v1"), suite, ascii(label), info, number(1, 1)]);
    return hmac(key, asked).subarray(0, size);
  };
  return { extract, expand };
}

export function hpkeOpen(own, sealed, info) {
  const enc = sealed.subarray(0, 32);
  const kem = labeled(Buffer.concat([ascii("KEM"), number(0x0020, 2)]));
  const dh = diffieHellman({ privateKey: own.secret, publicKey: publicKey(X25519, enc) });
  const shared = kem.expand(kem.extract(EMPTY, "eae_prk", dh), "shared_secret", Buffer.concat([enc, own.raw]), 32);
  const hpke = labeled(Buffer.concat([ascii("HPKE"), number(0x0020, 2), number(0x0001, 2), number(0x0003, 2)]));
  const context = Buffer.concat([number(0, 1), hpke.extract(EMPTY, "psk_id_hash", EMPTY), hpke.extract(EMPTY, "info_hash", info)]);
  const secret = hpke.extract(shared, "secret", EMPTY);
  const nonce = hpke.expand(secret, "base_nonce", context, 12);
  return aeadOpen(hpke.expand(secret, "key", context, 32), nonce, sealed.subarray(32), EMPTY);
}

function aeadOpen(key, nonce, sealed, associated) {
  const open = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_BYTES });
  open.setAAD(associated, { plaintextLength: sealed.length - TAG_BYTES });
  open.setAuthTag(sealed.subarray(-TAG_BYTES));
  return Buffer.concat([open.update(sealed.subarray(0, -TAG_BYTES)), open.final()]);
}

// ---- envelopes, statements, bundles (sections 3 to 7)

export class Reader {
  constructor(gateway, secret) {
    this.gateway = gateway;
    this.own = recipient(secret);
    this.dataKeys = new Map();
    this.digests = new Map();
    this.manifest = new Map(); // epoch: digest of its last manifest
  }

  /** What one envelope says, as objects. */
  read(data) {
    if (data.length < HEADER_BYTES + TAG_BYTES || data.length > LIMIT_BYTES) fail(`${data.length} bytes is no envelope`);
    const head = { cls: data[1], hour: data.readUInt16BE(2), epoch: data.readUInt32BE(4), seq: data.readUInt32BE(8) };
    if (data[0] !== 1 || head.cls > 2) fail(`version ${data[0]}, class ${head.cls}`);
    this.digests.set(`${head.epoch}/${head.cls}/${head.seq}`, sha256(data));
    const place = { class: CLASSES[head.cls], epoch: head.epoch, hour: head.hour, seq: head.seq };
    if (head.cls === 0) return [{ ...place, ...this.statement(head, data) }];
    const plain = this.open(head, data);
    return (head.cls === 1 ? vital(plain) : wave(plain)).map((said) => ({ ...place, ...said }));
  }

  open(head, data) {
    const key = this.dataKeys.get(`${head.epoch}/${head.hour}`) ?? fail(`no grant for epoch ${head.epoch} hour ${head.hour}`);
    const nonce = Buffer.concat([number(head.cls, 1), Buffer.alloc(7), number(head.seq, 4)]);
    const header = data.subarray(0, HEADER_BYTES);
    return aeadOpen(key, nonce, data.subarray(HEADER_BYTES), Buffer.concat([ascii("wardlink envelope 1"), ascii(this.gateway), header]));
  }

  statement(head, data) {
    const [signed, signature] = [data.subarray(0, -SIGNATURE_BYTES), data.subarray(-SIGNATURE_BYTES)];
    const [raw, said] = cbor(signed.subarray(HEADER_BYTES));
    if (gatewayId(raw) !== this.gateway) fail(`signed by ${gatewayId(raw)}`);
    const whole = Buffer.concat([ascii("wardlink statement 1"), ascii(this.gateway), signed]);
    if (!verify(null, whole, publicKey(ED25519, raw), signature)) fail("the signature is not the gateway's");
    if (said[0] === 1) return this.grant(head, said);
    if (said[0] === 2) return this.sealed(head, said, sha256(data));
    return said[0] === 3 ? this.ended(said) : fail(`statement ${said[0]}`);
  }

  grant(head, [, nonce, previous, shares]) {
    const share = shares.find(([id]) => id.equals(this.own.id));
    const info = [ascii("wardlink grant 1"), ascii(this.gateway), number(head.epoch, 4), number(head.hour, 2), this.own.id];
    if (share) this.dataKeys.set(`${head.epoch}/${head.hour}`, hpkeOpen(this.own, share[1], Buffer.concat(info)));
    return { kind: "grant", nonce: nonce.toString("hex"), previous: previous.toString("hex"), ours: Boolean(share) };
  }

  /** `follows`: it names the manifest before it. The digests of what it lists are checked by `proves`. */
  sealed(head, [, previous, listed], digest) {
    const follows = (this.manifest.get(head.epoch) ?? Buffer.alloc(32)).equals(previous);
    this.manifest.set(head.epoch, digest);
    return { kind: "manifest", follows, sealed: listed.map(stretch) };
  }

  /** `recovered`: manifests of the tails of earlier epochs; `follows` as above, null where no manifest of it was read. */
  ended([, tails, recovered = []]) {
    const told = recovered.map(([epoch, previous, listed]) =>
      ({ epoch, follows: this.manifest.get(epoch)?.equals(previous) ?? null, sealed: listed.map(stretch) }));
    return { kind: "ended", tails, recovered: told };
  }

  /** Whether a manifest's digest is that of the envelopes read; null where not all of them were. */
  proves(epoch, { cls, first, count, sum }) {
    const leaves = Array.from({ length: count }, (_, i) => this.digests.get(`${epoch}/${cls}/${first + i}`));
    return leaves.every(Boolean) ? sha256(...leaves).toString("hex") === sum : null;
  }
}

const stretch = ([cls, first, count, sum]) => ({ cls, first, count, sum: sum.toString("hex") });

function vital(plain) {
  const [start, records] = cbor(plain);
  const said = (field) => (field instanceof Uint8Array ? Buffer.from(field).toString("hex") : field);
  return records.map(([kind, t, ...fields]) =>
    ({ kind: KINDS[kind] ?? fail(`record ${kind}`), t: start + t, fields: fields.map(said) }));
}

function wave(plain) {
  const [start, blocks] = cbor(plain);
  return blocks.map(([t, stream, rows, first, count, coded, marks = []]) =>
    ({ kind: "block", t: start + t, stream, first, marks, samples: decodeChunk(coded, rows, count) }));
}

// ---- the file of `wardlink spool export` (section 12)

const HEAD = 1, ENVELOPE = 2, END = 3, RECORD_BYTES = 13;

/** The envelopes of a whole file; the digest at its end covers all that stands before, so no checksum is needed. */
export function* envelopes(data, gateway) {
  for (let at = 0; ;) {
    if (at + RECORD_BYTES > data.length) fail("the file ends too early");
    if (data.toString("latin1", at, at + 4) !== "WLex") fail(`no record at byte ${at}`);
    const kind = data[at + 4], next = at + RECORD_BYTES + data.readUInt32BE(at + 5);
    if (next > data.length) fail("the file ends too early");
    const content = data.subarray(at + RECORD_BYTES, next);
    if (kind === HEAD && cbor(content)[1] !== gateway) fail(`the backlog of ${cbor(content)[1]}`);
    if (kind === ENVELOPE) yield content;
    if (kind === END) {
      if (next !== data.length || !cbor(content)[3].equals(sha256(data.subarray(0, at)))) fail("not what was exported");
      return;
    }
    at = next;
  }
}

function main([gateway, secret, file]) {
  if (!file) fail("usage: node read.mjs <gateway id> <x25519-secret:...> <file>");
  const reader = new Reader(gateway, secret), last = [];
  const tell = (said) => console.log(JSON.stringify(said, (_, value) => (typeof value === "bigint" ? value.toString() : value)));
  for (const data of envelopes(readFileSync(file), gateway)) {
    for (const said of reader.read(data)) {
      if (said.kind === "manifest" || said.kind === "ended") last.push(said);
      else tell(said);
    }
  }
  const judged = (epoch, sealed) => sealed.map((one) => ({ ...one, proven: reader.proves(epoch, one) }));
  for (const said of last) {
    if (said.kind === "manifest") tell({ ...said, sealed: judged(said.epoch, said.sealed) });
    else tell({ ...said, recovered: said.recovered.map((one) => ({ ...one, sealed: judged(one.epoch, one.sealed) })) });
  }
}

if (import.meta.url === pathToFileURL(argv[1] ?? "").href) {
  try {
    main(argv.slice(2));
  } catch (error) {
    console.error(`error: ${error.message}`);
    exit(1);
  }
}
