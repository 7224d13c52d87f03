// The waveform codec's second decoder, written from docs/formats-codec.md alone. Section numbers are that file's.
// Numbers stay below 2^53 for whatever an encoder writes; only the tables of section 7 need more.

const BELL = [...Array(15).fill(294580), 491341, 620360, 739207, 827246, 877147, 908137, 936479, 957618, 969714, 977279,
  984240, 989459, 992456, 994336];
const TAILED = [...Array(9).fill(50000), 430000, ...Array(9).fill(440000), 490000, 500000, 530000, 580000, 640000,
  690000, 750000, 780000, 810000, 830000];
const START = [...Array(32).keys(), 32, 64, 320, 4416, 0], TAIL = [...Array(32).fill(0), 5, 8, 12, 18, 32];
const SYMBOLS = 37, ONE = 1n << 31n;

const fail = (why) => { throw new Error(why); };
const floorShift = (value, bits) => Math.floor(value / 2 ** bits);
const unfold = (folded) => (folded % 2 ? -(folded + 1) / 2 : folded / 2);

// ---- section 2: the bit stream

class Bits {
  constructor(data) {
    this.data = data;
    this.at = 0;
  }

  bit() {
    if (this.at >= 8 * this.data.length) fail("the chunk ends too early");
    const bit = (this.data[this.at >> 3] >> (7 - (this.at & 7))) & 1;
    this.at += 1;
    return bit;
  }

  u(width) {
    let value = 0;
    for (let i = 0; i < width; i += 1) value = 2 * value + this.bit();
    return value;
  }

  s(rice) {
    let ones = 0;
    while (this.bit()) if ((ones += 1) === 24) return unfold(this.u(40));
    return unfold(ones * 2 ** rice + this.u(rice));
  }

  expectEnd() {
    const left = 8 * this.data.length - this.at;
    if (left > 7 || this.u(left)) fail("something follows the last sample");
  }
}

// ---- section 7: the prefix codes

function steps(bell, ratio) {
  const found = [];
  const gentler = (ratio * ratio) >> 31n;
  for (let i = 0, weight = ONE, slope = ratio; i <= 64; i += 1) {
    const share = (weight << 31n) / (ONE + weight);
    found.push(bell ? weight : (share << 31n) / (ONE + weight));
    weight = (weight * (bell ? slope : ratio)) >> 31n;
    slope = (slope * gentler) >> 31n;
  }
  return found;
}

function weights(bell, table) {
  const found = steps(bell, (BigInt((bell ? BELL : TAILED)[table]) * ONE) / 1000000n);
  const likely = Array.from({ length: 64 }, (_, u) => found[table >= 21 ? u : 2 * ((u + 1) >> 1)]);
  const sum = (list) => list.reduce((a, b) => a + b, 0n);
  const floor = sum(likely) / 6000n;
  return [...likely.slice(0, 32), sum(likely.slice(32)), 0n, 0n, 0n, 0n].map((weight) => (weight < floor ? floor : weight));
}

function lengths(weighing) {
  const found = Array(SYMBOLS).fill(0);
  let nodes = weighing.map((weight, id) => ({ weight, id, symbols: [id] }));
  for (let id = SYMBOLS; nodes.length > 1; id += 1) {
    nodes.sort((a, b) => (a.weight === b.weight ? a.id - b.id : a.weight < b.weight ? -1 : 1));
    const [one, other, ...rest] = nodes;
    const symbols = [...one.symbols, ...other.symbols];
    for (const symbol of symbols) found[symbol] += 1;
    nodes = [...rest, { weight: one.weight + other.weight, id, symbols }];
  }
  return found;
}

/** A table as a tree: [left, right], where a leaf is a symbol's number. */
function tree(sizes) {
  const root = [];
  const order = sizes.map((length, symbol) => ({ length, symbol })).sort((a, b) => a.length - b.length || a.symbol - b.symbol);
  let code = 0, last = order[0].length;
  for (const { length, symbol } of order) {
    code *= 2 ** (length - last);
    last = length;
    let node = root;
    for (let bit = length - 1; bit > 0; bit -= 1) node = node[(code >> bit) & 1] ??= [];
    node[code & 1] = symbol;
    code += 1;
  }
  return root;
}

const trees = new Map();
function treeOf(bell, table) {
  const key = 100 * bell + table;
  if (!trees.has(key)) trees.set(key, tree(lengths(weights(bell, table))));
  return trees.get(key);
}

// ---- section 6: rows of residuals

function residual(bits, bell, level) {
  const dropped = Math.max(0, (level - 25) >> 2);
  let node = treeOf(bell, level - 4 * dropped);
  while (typeof node === "object") node = node[bits.bit()] ?? fail("no such code");
  return START[node] * 2 ** dropped + bits.u(Math.min(TAIL[node] + dropped, 32));
}

function levelOf(sum) {
  if (sum === 0) return 0;
  const length = sum.toString(2).length;
  return 4 * length + Math.floor((sum * 4) / 2 ** (length - 1)) - 7;
}

function followingRow(bits, level, n) {
  const before = floorShift((4 | ((level + 7) & 3)) * 2 ** ((level + 7) >> 2), 9);
  const sizes = Array(16).fill(before), row = [];
  let sum = 32 * before; // the last 16, and the last 4 four times more
  for (let t = 0; t < n; t += 1) {
    const folded = residual(bits, false, levelOf(sum));
    if (folded >= 2 ** 32) fail("a residual does not fit 32 bits");
    row.push(unfold(folded));
    sizes.push(Math.abs(row[t]));
    sum += 5 * sizes[t + 16] - sizes[t] - 4 * sizes[t + 12];
  }
  return row;
}

function rowsOf(bits, channels, n) {
  let mode = 0, level = 29;
  return Array.from({ length: channels }, () => {
    if (bits.u(1)) {
      mode = bits.u(2);
      if (mode) level += bits.s(1);
      if (mode === 3 || level < 0 || level > 145) fail(`no row is coded in mode ${mode} at level ${level}`);
    }
    if (mode === 0) return Array(n).fill(0);
    if (mode === 1) return Array.from({ length: n }, () => unfold(residual(bits, true, level)));
    return followingRow(bits, level, n);
  });
}

// ---- section 5: prediction

const BANK = [Array(16).fill(16), [171, 119, 68, 17, -34, -85], [288, 123, 5, -68, -96, -78, -14, 96], [768, -768, 256]];
const SPANS = [[1, 1], [2, 2], [3, 3], [4, 4], [5, 8], [9, 16], [17, 32], [33, 64]];

function readWays(bits, channels) {
  const rice = bits.u(5), rows = [];
  for (let row = 0; row < channels; row += 1) {
    const way = row === 0 || bits.u(1) ? bits.u(3) : rows[row - 1].way;
    const seeds = [bits.s(rice)];
    while (way < 4 && seeds.length < way) seeds.push(bits.s(5));
    rows.push({ way, seeds });
  }
  if (rows.some(({ way }) => way > 5) || rows.filter(({ way }) => way === 4).length > 3) fail("rows cannot be predicted so");
  return rows;
}

function readTaps(bits) {
  const precision = bits.u(4), rice = bits.u(5);
  const taps = SPANS.map(() => bits.s(rice));
  if (precision < 6 || precision > 13 || taps.some((tap) => Math.abs(tap) > 2 ** 17)) fail("taps cannot be so");
  return { precision, taps };
}

const small = (value) => (Math.abs(value) < 2 ** 24 ? value : fail("a row leaves its range"));
const sum = (count, term) => {
  let total = 0;
  for (let i = 0; i < count; i += 1) total += term(i);
  return total;
};

const differences = (e, { way, seeds }) => {
  for (let i = 1; i < seeds.length && i < e.length; i += 1) e[i] += seeds[i];
  for (let order = way; order > 0; order -= 1) for (let i = order; i < e.length; i += 1) e[i] += e[i - 1];
};

const nimble = (e) => {
  const missed = BANK.map(() => []);
  for (let t = 0; t < e.length; t += 1) {
    const guesses = BANK.map((bank) => floorShift(sum(Math.min(bank.length, t), (i) => bank[i] * e[t - 1 - i]) + 128, 8));
    const totals = missed.map((errors) => errors.slice(-8).reduce((a, b) => a + b, 0));
    e[t] = small(e[t] + guesses[totals.indexOf(Math.min(...totals))]);
    guesses.forEach((guess, i) => missed[i].push(Math.abs(e[t] - guess)));
  }
};

const fitted = (e, { precision, taps }) => {
  for (let t = 0; t < e.length; t += 1) {
    const seen = ([from, to]) => sum(to - from + 1, (i) => e[t - from - i] ?? 0);
    e[t] = small(e[t] + floorShift(sum(8, (i) => taps[i] * seen(SPANS[i])) + 2 ** (precision - 1), precision));
  }
};

function unpredict(rows, ways, taps) {
  rows.forEach((e, row) => {
    if (ways[row].way < 4) differences(e, ways[row]);
    else if (ways[row].way === 4) nimble(e);
    else fitted(e, taps);
    for (let i = 0; i < e.length; i += 1) e[i] += ways[row].seeds[0];
  });
}

// ---- section 4: mix

function readMix(bits, channels) {
  const mode = bits.u(2), limit = (weight) => (Math.abs(weight) <= 2048 ? weight : fail("a weight is too large"));
  if (mode === 3 || (mode && channels > 16)) fail(`rows cannot be mixed in way ${mode}`);
  if (mode === 1) {
    const chain = Array.from({ length: channels }, () => []);
    for (let row = 1; row < channels; row += 1)
      for (let before = 0; before < row; before += 1) chain[row].push(bits.u(1) ? limit(bits.s(2)) : 0);
    return { mode, chain };
  }
  if (mode === 0) return { mode };
  const main = bits.u(4), rest = [...Array(channels).keys()].filter((row) => row !== main);
  if (main >= channels) fail("there is no such row to turn to");
  return { mode, main, rest, shares: rest.map(() => limit(bits.s(7))) };
}

function unmix(rows, { mode, chain, main, rest, shares }) {
  if (mode === 1)
    for (let row = 1; row < rows.length; row += 1)
      rows[row] = rows[row].map((value, t) => value + floorShift(sum(row, (i) => chain[row][i] * rows[i][t]) + 8, 4));
  if (mode !== 2) return;
  const left = Math.max(0, 2 ** 18 - shares.reduce((a, share) => a + share * share, 0));
  const gather = shares.map((share) => Math.floor((share * 512) / (512 + Math.floor(Math.sqrt(left)))));
  for (let t = 0; t < rows[0].length; t += 1) {
    const gathered = () => floorShift(sum(rest.length, (i) => gather[i] * rows[rest[i]][t]) + 256, 9);
    rows[main][t] -= gathered();
    rest.forEach((row, i) => { rows[row][t] += floorShift(shares[i] * rows[main][t] + 256, 9); });
    rows[main][t] -= gathered();
  }
}

// ---- sections 1 and 3

function plain(data, channels, n, bytes) {
  if (data.length !== channels * n * bytes) fail("a plain chunk of the wrong length");
  return Array.from({ length: channels }, (_, row) => Array.from({ length: n }, (_, t) => data.readIntLE((row * n + t) * bytes, bytes)));
}

/** The samples of one chunk: `channels` arrays of `n` numbers. Throws where the bytes are not such a chunk. */
export function decodeChunk(data, channels, n) {
  if (!(channels >= 1 && channels <= 64 && n >= 1 && n <= 65535)) fail(`no chunk has ${channels} channels of ${n} samples`);
  if (data.length < 1 || data[0] >> 4 !== 1 || (data[0] & 15) > 3) fail("not a chunk of version 1");
  const kind = data[0] & 15, rest = data.subarray(1);
  if (kind < 2) return plain(rest, channels, n, kind ? 4 : 2);
  const bits = new Bits(rest), step = kind === 3 ? bits.s(6) : 1;
  if (kind === 3 && !(step >= 2 && step < 2 ** 33)) fail(`no chunk has the step ${step}`);
  const offsets = Array.from({ length: channels }, () => (kind === 3 ? bits.u(step.toString(2).length) : 0));
  const mix = readMix(bits, channels), ways = readWays(bits, channels);
  const taps = ways.some(({ way }) => way === 5) ? readTaps(bits) : null;
  const rows = rowsOf(bits, channels, n);
  bits.expectEnd();
  unpredict(rows, ways, taps);
  unmix(rows, mix);
  const samples = rows.map((row, channel) => row.map((value) => value * step + offsets[channel]));
  if (samples.some((row) => row.some((value) => value !== (value | 0)))) fail("a sample does not fit 32 bits");
  return samples;
}
