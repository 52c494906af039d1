/* A chart: marks with error bars, joined by lines or not, over a setting or over another figure. */

const SHAPES = [
  "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0", "M-3.6,-3.6h7.2v7.2h-7.2z", "M0,-4.8L4.6,3.4H-4.6z", "M0,-5L5,0L0,5L-5,0z",
  "M0,4.8L4.6,-3.4H-4.6z", "M-1.6,-4.8h3.2v3.2h3.2v3.2h-3.2v3.2h-3.2v-3.2h-3.2v-3.2h3.2z", "M-4.6,-1.8h9.2v3.6h-9.2z",
];
const SIZE = { width: 330, height: 210, left: 40, right: 12, top: 8, bottom: 32 };
const LARGE = { ...SIZE, width: 700, height: 340, left: 44 };
const LONGEST = 15; // letters of a label beside its line

/* Class and colour of the i-th of n series; ordered ones go from low to high. */
function seriesLook(i, n, ordered) {
  if (!ordered && n <= 7) return { class: `series s${i}`, color: null };
  return { class: "series", color: `color-mix(in oklab, var(--low), var(--high) ${Math.round((100 * i) / Math.max(1, n - 1))}%)` };
}

function seriesElement(make_, name, i, n, ordered, ...children) {
  const look = seriesLook(i, n, ordered);
  const found = make_(name, { class: look.class, "data-series": i }, ...children);
  if (look.color) found.style.color = look.color;
  return found;
}

function mark(i) {
  return draw("path", { class: "mark", d: SHAPES[i % SHAPES.length] });
}

function directLabels(series) {
  return series.length > 1 && series.length <= 7 && series.every((one) => one.label.length <= LONGEST);
}

/* series: [{label, joined, points: [{x, y, xError, yError, setting, title}]}], x and y numbers, x null for "own".
   x, y: {title, form, measured, floors: numbers}; of a setting all its values, so that charts side by side agree. */
function chart({ title, note, x, y, series, ordered = false, key = false, size = SIZE }) {
  const points = series.flatMap((one) => one.points);
  const direct = !key && directLabels(series);
  const right = direct ? Math.max(...series.map((one) => one.label.length)) * 6.1 + 16 : size.right;
  const ends = { x: [size.left, size.width - right], y: [size.height - size.bottom, size.top] };
  const spanned = (name, floors) => points.flatMap((p) => [p[name] - (p[`${name}Error`] || 0), p[name] + (p[`${name}Error`] || 0)]).concat(floors);
  const across = x.measured ? figureScale(spanned("x", x.floors), ...ends.x) : settingScale(x.values, ...ends.x);
  across.wide = size === LARGE;
  const up = figureScale(positiveIf(spanned("y", y.floors), points, "y"), ...ends.y);
  const plot = draw("svg", { class: "plot", viewBox: `0 0 ${size.width} ${size.height}`, role: "img", "aria-label": title });
  plot.append(...axes(across, up, ends, x));
  plot.append(...floorsOf(across, up, ends, x, y));
  series.forEach((one, i) => plot.append(seriesElement(draw, "g", i, series.length, ordered, ...drawnSeries(one, i, across, up, ends))));
  if (direct) plot.append(...namedSeries(series, across, up, ends, ordered));
  return make("figure", {}, make("figcaption", {}, title, make("small", {}, `${up.log ? ", log" : ""}${note ? ` · ${note}` : ""}`)), plot);
}

/* An error bar to zero or below would keep a wide figure off a logarithm: it ends at the smallest mean. */
function positiveIf(values, points, name) {
  const means = points.map((p) => p[name]);
  const least = Math.min(...means);
  return isWide(least, Math.max(...means)) ? values.map((value) => Math.max(value, least / 2)) : values;
}

function axes(across, up, ends, x) {
  const [left, right] = ends.x;
  const [bottom, top] = ends.y;
  const found = up.ticks.flatMap((tick) => [
    draw("line", { class: "axis", x1: left, x2: right, y1: tick.at, y2: tick.at }),
    draw("text", { x: left - 6, y: tick.at + 4, "text-anchor": "end" }, tick.text),
  ]);
  found.push(draw("line", { class: "base", x1: left, x2: right, y1: bottom, y2: bottom }));
  for (const at of across.marks || []) found.push(draw("line", { class: "base", x1: at, x2: at, y1: bottom, y2: bottom + 3 }));
  for (const tick of across.ticks) found.push(draw("text", { x: tick.at, y: bottom + 14, "text-anchor": "middle" }, tick.text));
  if (across.broken) found.push(draw("path", { class: "base", d: `M${across.broken - 4},${bottom + 4}l4,-8m1,8l4,-8` }));
  found.push(draw("text", { x: (left + right) / 2, y: bottom + 28, "text-anchor": "middle" }, `${x.title}${across.log ? ", log" : ""}`));
  return found;
}

function floorsOf(across, up, ends, x, y) {
  const found = y.floors.map((value) => draw("line", { class: "floor", x1: ends.x[0], x2: ends.x[1], y1: up.at(value), y2: up.at(value) }));
  if (x.measured) for (const value of x.floors) found.push(draw("line", { class: "floor", x1: across.at(value), x2: across.at(value), y1: ends.y[0], y2: ends.y[1] }));
  if (across.wide && y.floors.length) for (const value of y.floors) found.push(draw("text", { class: "floor-label", x: ends.x[0] + 6, y: up.at(value) + 13 }, "real images"));
  return found;
}

function drawnSeries(one, i, across, up, ends) {
  const known = one.points.filter((p) => p.x !== null);
  const line = known.map((p, j) => `${j ? "L" : "M"}${across.at(p.x).toFixed(1)},${up.at(p.y).toFixed(1)}`).join("");
  const clamped = (value) => Math.max(ends.y[1], Math.min(ends.y[0], value));
  const low = (p) => (up.log && p.y <= p.yError ? ends.y[0] : clamped(up.at(p.y - p.yError)));
  const found = one.joined && known.length > 1 ? [draw("path", { class: "line", d: line })] : [];
  for (const p of one.points) {
    const [cx, cy] = [across.at(p.x), up.at(p.y)];
    if (p.yError) found.push(draw("line", { class: "bar", x1: cx, x2: cx, y1: low(p), y2: clamped(up.at(p.y + p.yError)) }));
    if (p.xError && !(across.log && p.x <= p.xError)) found.push(draw("line", { class: "bar", x1: across.at(p.x - p.xError), x2: across.at(p.x + p.xError), y1: cy, y2: cy }));
    found.push(draw("g", { transform: `translate(${cx.toFixed(1)},${cy.toFixed(1)})` }, mark(i), draw("circle", { class: "hit", r: 10, "data-setting": p.setting })));
  }
  return found;
}

/* Each label at the end of its own line, pushed down from those above. */
function namedSeries(series, across, up, ends, ordered) {
  const placed = series
    .map((one, i) => ({ i, label: one.label, last: one.points.at(-1) }))
    .filter((one) => one.last)
    .map((one) => ({ ...one, y: up.at(one.last.y) + 4, x: ends.x[1] + 8 }))
    .sort((a, b) => a.y - b.y);
  placed.forEach((one, j) => { if (j && one.y < placed[j - 1].y + 12) one.y = placed[j - 1].y + 12; });
  const over = placed.length ? Math.max(0, placed.at(-1).y - ends.y[0] - 4) : 0;
  return placed.map((one) => seriesElement(draw, "g", one.i, series.length, ordered, draw("text", { class: "direct", x: one.x, y: one.y - over }, one.label)));
}

/* The marks and what they stand for; pointing at one dims the others. */
function keyOf(labels, ordered, host) {
  const list = make("ul", { class: "key" });
  labels.forEach((label, i) => list.append(seriesElement(make, "li", i, labels.length, ordered, draw("svg", { viewBox: "-7 -7 14 14" }, mark(i)), make("span", {}, label))));
  lighting(host);
  return list;
}

function lighting(host) {
  const lit = (event) => {
    const own = event.type === "pointerout" ? null : event.target.closest("[data-series]");
    host.classList.toggle("dimmed", own !== null);
    host.querySelectorAll("[data-series]").forEach((one) => one.classList.toggle("lit", own !== null && one.dataset.series === own.dataset.series));
  };
  host.addEventListener("pointerover", lit);
  host.addEventListener("pointerout", lit);
}
