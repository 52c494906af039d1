/* Scales: where a number lies, and what colour it has. */

const WIDE = 20; // largest over smallest, from which on a scale is logarithmic

/* Numbers of several sizes; shares are not, however small. */
function isWide(low, high) {
  return low > 0 && high / low >= WIDE && high > 1.5;
}

/* Ticks at round numbers, about so many. */
function roundTicks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough * 0.7);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

function decades(low, high) {
  const ticks = [];
  for (let k = Math.ceil(Math.log10(low) - 1e-9); k <= Math.log10(high) + 1e-9; k += 1) ticks.push(Number((10 ** k).toPrecision(1)));
  return ticks;
}

/* Over what was varied, from..to in pixels: zero and "own" (null) have places of their own, left of a logarithm. */
function settingScale(values, from, to) {
  const numbers = [...new Set(values.filter((value) => value !== null))].sort((a, b) => a - b);
  const positive = numbers.filter((value) => value > 0);
  const log = numbers.every((value) => value >= 0) && positive.length > 1 && positive.at(-1) / positive[0] >= WIDE;
  const apart = (to - from) * 0.13;
  const places = new Map();
  let left = from;
  for (const special of [null, 0]) {
    const own = special === null || log;
    if (own && values.includes(special)) {
      places.set(special, left);
      left += apart;
    }
  }
  const scaled = log ? positive : numbers;
  const by = log ? Math.log10 : (value) => value;
  const [low, high] = [by(scaled[0]), by(scaled.at(-1))];
  const at = (value) => {
    if (places.has(value)) return places.get(value);
    return high === low ? (left + to) / 2 : left + ((by(value) - low) / (high - low)) * (to - left);
  };
  let ticks = numbers.length <= 7 ? scaled : roundTicks(scaled[0], scaled.at(-1), 4);
  if (log && decades(scaled[0], scaled.at(-1)).length >= 2) ticks = decades(scaled[0], scaled.at(-1));
  const labelled = [...places.keys(), ...ticks].map((value) => ({ at: at(value), text: value === null ? "own" : written(value, ".3g") }));
  return { at, log, ticks: thinned(labelled), marks: numbers.map(at), broken: places.size ? left - apart / 2 : null };
}

/* Over what was measured, its errors and floors included. */
function figureScale(values, from, to) {
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const log = isWide(low, high);
  if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - (Math.abs(low) || 1) * 0.1, high + (Math.abs(high) || 1) * 0.1];
  const by = log ? Math.log10 : (value) => value;
  const pad = (by(high) - by(low)) * 0.05;
  const [a, b] = [by(low) - pad, by(high) + pad];
  const at = (value) => from + ((by(value) - a) / (b - a)) * (to - from);
  let ticks = log ? decades(10 ** a, 10 ** b) : roundTicks(a, b, 4);
  if (log && ticks.length < 2) ticks = [low, high];
  return { at, log, ticks: ticks.map((value) => ({ at: at(value), text: written(value, ".3g") })) };
}

/* Labels that do not touch, from the left. */
function thinned(ticks) {
  const kept = [];
  for (const tick of [...ticks].sort((a, b) => a.at - b.at)) {
    const last = kept.at(-1);
    if (!last || tick.at - last.at > (tick.text.length + last.text.length) * 3.2 + 4) kept.push(tick);
  }
  return kept;
}

/* Viridis (Smith and van der Walt 2015), by a polynomial of the sixth degree: dark is low, also to the colour-blind. */
const VIRIDIS = [
  [0.2777273272, 0.0054073445, 0.3340998053], [0.1050930431, 1.4046135299, 1.3845901626],
  [-0.3308618287, 0.2148475595, 0.0950951630], [-4.6342304990, -5.7991009734, -19.3324409563],
  [6.2282699363, 14.1799333668, 56.6905526007], [4.7763849977, -13.7451453777, -65.3530326334],
  [-5.4354558559, 4.6458526122, 26.3124352496],
];

function viridis(share) {
  const t = Math.min(1, Math.max(0, share));
  return [0, 1, 2].map((i) => Math.round(255 * Math.min(1, Math.max(0, VIRIDIS.reduceRight((sum, c) => sum * t + c[i], 0)))));
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/* Black or white, whichever is read better on it: 4.58 to 1 at the least. */
function inkOn(rgb) {
  return luminance(rgb) > 0.1791 ? "#000" : "#fff";
}

function css(rgb) {
  return `rgb(${rgb.join(" ")})`;
}
