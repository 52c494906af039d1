/* A map of tiles: a number for each pair of settings, its mean in the tile. */

/* Share of the way from the lowest to the highest, in logarithms where they lie far apart. */
function colourScale(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const log = isWide(low, high);
  const by = log ? Math.log10 : (value) => value;
  const share = (value) => (high === low ? 0.5 : (by(value) - by(low)) / (by(high) - by(low)));
  return { low, high, log, colour: (value) => viridis(share(value)) };
}

/* tiles: [{x, y, value, text, setting, href}]; value null: there is none, and text says so. */
function heatMap({ title, x, y, tiles, scale }) {
  const [columns, rows] = [x, y].map((name, i) => [...new Set(tiles.map((tile) => (i ? tile.y : tile.x)))].sort((a, b) => a - b));
  const head = make("tr", {}, make("th", { class: "corner" }, y), ...columns.map((value) => make("th", { scope: "col" }, written(value, ".3g"))));
  const over = make("tr", {}, make("td", { class: "bare" }), make("th", { colspan: columns.length }, x));
  const body = rows.reverse().map((own) => make("tr", {}, make("th", { scope: "row" }, written(own, ".3g")),
    ...columns.map((value) => tileCell(tiles.find((tile) => tile.x === value && tile.y === own), scale))));
  const table = make("table", { class: "heat" }, make("thead", {}, over, head), make("tbody", {}, ...body));
  return make("figure", {}, title ? make("figcaption", {}, title) : null, make("div", { class: "heat-box" }, table));
}

function tileCell(tile, scale) {
  if (!tile) return make("td", {});
  const cell = make("td", { "data-setting": tile.setting }, make("a", { href: tile.href }, tile.text));
  if (tile.value !== null) {
    const rgb = scale.colour(tile.value);
    cell.style.backgroundColor = css(rgb);
    cell.style.color = inkOn(rgb);
  }
  return cell;
}

/* Settings scattered over the plane, coloured by the figure. */
function dotMap({ title, x, y, tiles, scale }) {
  const ends = { x: [SIZE.left + 8, SIZE.width - SIZE.right], y: [SIZE.height - SIZE.bottom - 8, SIZE.top + 6] };
  const [across, up] = [settingScale(tiles.map((t) => t.x), ...ends.x), settingScale(tiles.map((t) => t.y), ...ends.y)];
  const plot = draw("svg", { class: "plot", viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, role: "img", "aria-label": title || `${y} over ${x}` });
  const bottom = SIZE.height - SIZE.bottom;
  for (const tick of across.ticks) plot.append(draw("text", { x: tick.at, y: bottom + 14, "text-anchor": "middle" }, tick.text));
  for (const tick of up.ticks) plot.append(draw("text", { x: SIZE.left - 6, y: tick.at + 4, "text-anchor": "end" }, tick.text));
  plot.append(draw("path", { class: "base", d: `M${SIZE.left},${SIZE.top}V${bottom}H${SIZE.width - SIZE.right}` }));
  plot.append(draw("text", { x: (SIZE.left + SIZE.width) / 2, y: bottom + 28, "text-anchor": "middle" }, `${x}${across.log ? ", log" : ""}`));
  for (const tile of tiles.filter((one) => one.value !== null)) {
    const dot = draw("circle", { class: "base hit", cx: across.at(tile.x), cy: up.at(tile.y), r: 8, "data-setting": tile.setting });
    dot.style.fill = css(scale.colour(tile.value));
    dot.style.fillOpacity = "1";
    plot.append(dot);
  }
  return make("figure", {}, make("figcaption", {}, title || "", make("small", {}, ` ${y}${up.log ? ", log" : ""}, upwards`)), plot);
}

function ramp(scale, form, note) {
  const bar = make("i", {});
  bar.style.background = `linear-gradient(to right, ${Array.from({ length: 13 }, (_, i) => css(viridis(i / 12))).join(", ")})`;
  return make("div", { class: "ramp" }, ...[written(scale.low, form), bar, written(scale.high, form), `${scale.log ? "(log) " : ""}${note}`].map((part) => make("span", {}, part)));
}
