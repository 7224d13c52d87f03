// Checks read.mjs against tests/vectors/envelope.json: ids of keys, the grant, envelopes, a manifest, ends of epochs,
// a command.
//
//     node docs/examples/check.mjs tests/vectors/envelope.json
//
// One line for each thing that is as it should be; exits 1, saying why, at the first that is not.
import { readFileSync } from "node:fs";
import { argv, exit } from "node:process";
import { Reader, cbor, command, gatewayId, recipient } from "./read.mjs";

const hex = (text) => Buffer.from(text, "hex");
function same(what, one, other) {
  if (JSON.stringify(one) !== JSON.stringify(other)) throw new Error(`${what}: ${JSON.stringify(one)} is not ${JSON.stringify(other)}`);
  console.log(`ok ${what}`);
}

function check(v) {
  const raw = (text) => Buffer.from(text.split(":")[1], "base64url");
  same("gateway id", gatewayId(raw(v.verifier)), v.gateway);
  const [thin, hybrid] = ["x25519", "xwing"].map((kind) => v.recipients.find(({ public: text }) => text.startsWith(kind)));
  const own = recipient(thin.secret);
  same("x25519 key", own.raw.toString("base64url"), thin.public.split(":")[1]);
  same("x25519 key id", own.id.toString("hex"), thin.kid);

  const reader = new Reader(v.gateway, thin.secret);
  const [grant] = reader.read(hex(v.grant));
  same("grant for us", [grant.kind, grant.ours, grant.nonce], ["grant", true, "0001020304050607"]);
  same("data key", reader.dataKeys.get(`${grant.epoch}/${grant.hour}`).toString("hex"), v.data_key);
  const shares = cbor(hex(v.grant).subarray(12, -64))[1][3].map(([id, sealed]) => [id.toString("hex"), sealed.length]);
  same("a share for each kind", shares.sort(), [[thin.kid, 32 + 48], [hybrid.kid, 1120 + 48]].sort());
  console.log("skipped xwing: opening it needs ML-KEM-768, which this reader does not use");

  for (const name of ["vital", "wave"]) {
    const data = hex(v[`${name}_envelope`]);
    const head = { cls: data[1], hour: data.readUInt16BE(2), epoch: data.readUInt32BE(4), seq: data.readUInt32BE(8) };
    same(`${name} envelope`, reader.open(head, data).toString("hex"), v[`${name}_bundle`]);
  }
  reader.read(hex(v.vital_envelope));
  try {
    reader.read(hex(v.wave_envelope));
  } catch (error) {
    if (!(error instanceof Error)) throw error; // the blocks of this vector are no chunks of the codec; its digest is kept
  }
  const [manifest] = reader.read(hex(v.manifest));
  same("manifest follows", manifest.follows, true);
  same("manifest proves", manifest.sealed.map((one) => [one.cls, reader.proves(manifest.epoch, one)]), [[1, true], [2, true]]);
  const [ended] = reader.read(hex(v.ended));
  same("ends of epochs", ended.tails, [[5, 1, 900], [6, 2, 21]]);
  same("a recovered tail", ended.recovered.map(({ epoch, sealed: [one] }) => [epoch, one.cls, one.first, one.count]), [[6, 2, 12, 9]]);
  const told = command(raw(v.centre_verifier), v.gateway, hex(v.command));
  const [issued, expires, epoch, , , said] = v.command_means;
  same("a command", [told.issued, told.expires, told.epoch, told.said], [issued, expires, epoch, said]);
  same("the start that it names", told.start, grant.nonce);
  const altered = hex(v.manifest);
  altered[70] ^= 1;
  let why = "";
  try { reader.read(altered); } catch (error) { why = error.message; }
  same("an altered manifest is refused", why !== "", true);
}

try {
  check(JSON.parse(readFileSync(argv[2], "utf8")));
} catch (error) {
  console.error(`error: ${error.message}`);
  exit(1);
}
