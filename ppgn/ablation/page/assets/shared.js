/* What all parts of the report know: its content, and settings by their places. */

const content = readData("content");
const bySetting = (i) => content.settings[i];
const firstCell = (i) => content.cells[bySetting(i).cells[0]];
const figureOf = (name) => content.figures.find((one) => one.name === name);
const valueOf = (i, name) => bySetting(i).figures[name] || null;
const hrefOf = (i) => `#${firstCell(i).id}`;
const shownValue = (value) => (value === null ? "own" : typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value));

/* Means of real images for the models of those settings, each once. */
function floorsFor(name, settings) {
  const models = new Set(settings.map((i) => bySetting(i).model));
  const found = [...models].map((model) => (content.floors[model] || {})[name]).filter(Boolean).map(([mean]) => mean);
  return [...new Set(found)];
}

/* How many pictures lie in a row, and the size of one. */
function sheetOf(cell) {
  const size = content.sizes[cell.picture];
  const columns = Math.min(cell.n, 10);
  return { size, columns, tile: [size[0] / columns, size[1] / cell.labels.length] };
}

function choice(label, options, chosen, changed) {
  const select = make("select", { onchange: () => changed(select.value) });
  for (const [value, text] of options) select.append(make("option", { value, selected: value === chosen }, text));
  return make("label", {}, label, select);
}
