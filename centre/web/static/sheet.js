// Millimetre paper with three rows of four leads and a rhythm strip, in millimetres of the screen.

import { cause, markName } from "./labels.js";
import { hatch, words } from "./pen.js";

const [WIDTH_MM, ROW_MM, ROWS, LEFT_MM] = [260, 35, 4, 10];
const [MM_PER_SECOND, MM_PER_MV] = [25, 10];
const COLUMN_US = 2.5e6;
const COLOURS = { trace: "#12222a", hatch: "#6f7d84", band: "#263840", word: "#ffffff", thin: "#fae3e1", thick: "#efbdb9" };
const ink = (name) => COLOURS[name];

// `leads`: twelve of /ecg; `mm`: CSS pixels of a millimetre on this screen.
export function draw(canvas, leads, mm) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [WIDTH_MM * mm, ROW_MM * ROWS * mm];
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  [canvas.style.width, canvas.style.height] = [`${width}px`, `${height}px`];
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  grid(pen, mm);
  if (!leads.length) return;
  leads.forEach((lead, i) => strip(pen, mm, lead, i % 3, Math.floor(i / 3) * COLUMN_US, COLUMN_US));
  strip(pen, mm, leads[1], ROWS - 1, 0, 4 * COLUMN_US);
}

function grid(pen, mm) {
  const height = ROW_MM * ROWS;
  for (const [colour, step, width] of [["thin", 1, 0.6], ["thick", 5, 1]]) {
    pen.strokeStyle = ink(colour);
    pen.lineWidth = width;
    pen.beginPath();
    for (let x = 0; x <= WIDTH_MM; x += step) pen.moveTo(x * mm, 0), pen.lineTo(x * mm, height * mm);
    for (let y = 0; y <= height; y += step) pen.moveTo(0, y * mm), pen.lineTo(WIDTH_MM * mm, y * mm);
    pen.stroke();
  }
}

function pulse(pen, mm, middle) {
  const points = [[0.5, 0], [2.5, 0], [2.5, -10], [7.5, -10], [7.5, 0], [9.5, 0]];
  pen.beginPath();
  for (const [x, y] of points) pen.lineTo(x * mm, (middle + y) * mm);
  pen.stroke();
}

function strip(pen, mm, lead, row, begin, length) {
  const middle = (row + 0.5) * ROW_MM;
  const x = (us) => (LEFT_MM + (us / 1e6) * MM_PER_SECOND) * mm;
  pen.strokeStyle = ink("trace");
  pen.lineWidth = 1.3;
  pen.lineJoin = "round";
  if (begin === 0) pulse(pen, mm, middle);
  pen.save();
  pen.beginPath();
  pen.rect(x(begin), 0, x(begin + length) - x(begin), ROW_MM * ROWS * mm);
  pen.clip();
  for (const run of lead.runs) trace(pen, run, begin, begin + length, x, (value) => (middle - (value - lead.centre) * MM_PER_MV) * mm);
  parts(pen, mm, lead, row, { begin, end: begin + length, x });
  pen.restore();
  words(pen, ink, lead.sent ? lead.name : `${lead.name}: not sent by the device`, x(begin) + 4, (row * ROW_MM + 3) * mm);
}

function trace(pen, run, begin, end, x, y) {
  const first = Math.max(0, Math.floor((begin - run.at) / run.step));
  const last = Math.min(run.values.length, Math.floor((end - run.at) / run.step) + 2);
  pen.beginPath();
  for (let i = first; i < last; i += 1) pen.lineTo(x(run.at + i * run.step), y(run.values[i]));
  pen.stroke();
}

function parts(pen, mm, lead, row, { begin, end, x }) {
  const top = row * ROW_MM * mm;
  for (const hole of lead.holes) {
    const [left, right] = [Math.max(x(begin), x(hole.begin)), Math.min(x(end), x(hole.end))];
    if (right <= left) continue;
    pen.save();
    pen.translate(0, top);
    hatch(pen, ink, left, right, ROW_MM * mm, cause(hole.words));
    pen.restore();
  }
  for (const mark of lead.marks) {
    const [left, right] = [Math.max(x(begin), x(mark.begin)), Math.min(x(end), x(mark.end))];
    if (right <= left) continue;
    pen.fillStyle = ink("band");
    if (mark.words === "pace") pen.fillRect(left, top + 6 * mm, 1, 4 * mm);
    else if (mark.words === "beat") pen.fillRect(left - 2, top + (ROW_MM - 2) * mm, 4, 4);
    else {
      pen.fillRect(left, top + (ROW_MM - 4) * mm, right - left, 2);
      words(pen, ink, markName(mark.words), left, top + (ROW_MM - 2) * mm);
    }
  }
}
