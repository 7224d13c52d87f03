// How a wave's values become millimetres. ECG is drawn at 10 mm/mV; everything else fits its strip and says how.

export const PX_PER_MM = 96 / 25.4; // CSS defines both
const MV = { "mV": 1, "uV": 0.001, "V": 1000 };
const ECG_MM_PER_MV = 10;
const CENTRE_STEP_MV = 0.5;
const PAD = 0.12;

export function isCalibrated(stream) {
  return stream.channel.startsWith("ecg.") && Object.hasOwn(MV, stream.unit);
}

// The strip's position (not the samples) follows the wave in half millivolts.
function ecg(stream, values, height) {
  const mv = MV[stream.unit];
  const sorted = Float64Array.from(values).sort();
  const median = sorted.length ? sorted[sorted.length >> 1] * mv : 0;
  const centre = Math.round(median / CENTRE_STEP_MV) * CENTRE_STEP_MV;
  const k = ECG_MM_PER_MV * PX_PER_MM * mv;
  const moved = centre === 0 ? "" : `, middle at ${centre} mV`;
  return { middle: height * 0.56, centre: centre / mv, k, bar: 1 / mv, barText: "1 mV", text: `10 mm/mV${moved}` };
}

function nice(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return [5, 2, 1].find((step) => step * power <= size) * power;
}

function fitted(values, height, unit) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (!Number.isFinite(high - low)) [low, high] = [-1, 1];
  if (high === low) [low, high] = [low - 1, high + 1];
  const k = (height * (1 - 2 * PAD)) / (high - low);
  const bar = nice((high - low) * 0.5);
  const shown = `${Number(bar.toPrecision(3))}${unit ? ` ${unit}` : ""}`;
  return { middle: height / 2, centre: (low + high) / 2, k, bar, barText: shown, text: unit ? "fitted" : "fitted, no unit" };
}

// {middle, centre, k}: y = middle - (value - centre) * k in CSS px; bar: a length in the wave's unit, with its words.
export function scaleOf(stream, values, height, unit) {
  return isCalibrated(stream) ? ecg(stream, values, height) : fitted(values, height, unit);
}
