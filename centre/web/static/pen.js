// Hatching and words on a canvas; `ink` gives the colour of a name.

const FONT = "600 11px system-ui, sans-serif";
const WORDS_MIN_PX = 64;
const BAND_PX = 17;

export function words(pen, ink, text, left, y) {
  pen.font = FONT;
  pen.textBaseline = "middle";
  pen.fillStyle = ink("band");
  pen.fillRect(left, y - BAND_PX / 2, pen.measureText(text).width + 12, BAND_PX);
  pen.fillStyle = ink("word");
  pen.fillText(text, left + 6, y);
}

export function hatch(pen, ink, x0, x1, height, text) {
  pen.save();
  pen.beginPath();
  pen.rect(x0, 0, x1 - x0, height);
  pen.clip();
  pen.strokeStyle = ink("hatch");
  pen.lineWidth = 1;
  pen.beginPath();
  for (let x = Math.floor((x0 - height) / 9) * 9; x < x1; x += 9) {
    pen.moveTo(x, height);
    pen.lineTo(x + height, 0);
  }
  pen.stroke();
  if (x1 - x0 >= WORDS_MIN_PX) words(pen, ink, `no data: ${text}`, x0, height / 2);
  pen.restore();
}
