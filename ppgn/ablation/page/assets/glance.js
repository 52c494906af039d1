/* At a glance: the best setting of the main figures, and what is traded for what. */

const SIDE = 5; // pictures in a row and in a column of a card's corner

function glance(section) {
  const told = content.figures.filter((one) => one.glance);
  if (content.settings.length < 2) return;
  section.append(make("h2", {}, "At a glance"));
  if (told.length) section.append(make("div", { class: "cards" }, ...told.map(card)));
  tradeOff(section);
  section.hidden = false;
}

function card(figure) {
  const [i, ...near] = figure.best;
  const [floor] = floorsFor(figure.name, [i]);
  const [mean, error] = valueOf(i, figure.name);
  const also = near.length ? `${near.length} more within the errors` : "";
  const real = floor === undefined ? "" : `real images ${written(floor, figure.form)}`;
  const word = { high: "highest", low: "lowest", one: "nearest to 1" }[figure.better];
  return make("div", { class: "card", "data-setting": i },
    make("div", {},
      make("h3", {}, `${figure.title}, ${word}`),
      make("strong", {}, written(mean, figure.form), make("small", {}, error === null ? "" : ` ± ${written(error, errorForm(figure.form))}`)),
      make("p", {}, make("a", { href: hrefOf(i) }, bySetting(i).label)),
      make("p", { class: "note" }, [real, also].filter(Boolean).join(" · "))),
    corner(i));
}

/* The first pictures of a setting, as much as is seen at that size; they come when the page has them. */
function corner(i) {
  const cell = firstCell(i);
  const box = make("i", { "data-corner": i });
  if (!cell.picture || !content.sizes[cell.picture]) return make("span", {});
  const { size, tile } = sheetOf(cell);
  const share = (k) => (100 * size[k]) / (Math.min(SIDE, Math.round(size[k] / tile[k])) * tile[k]);
  box.style.backgroundSize = `${share(0)}% ${share(1)}%`;
  return box;
}

function fillCorners() {
  for (const box of document.querySelectorAll("[data-corner]")) {
    const uri = pictureOf(firstCell(Number(box.dataset.corner)).picture);
    if (uri) box.style.backgroundImage = `url("${uri}")`;
  }
}

function tradeOff(section) {
  const judged = content.figures.filter((one) => one.name !== "seconds");
  if (judged.length < 2) return;
  const has = (name) => judged.some((one) => one.name === name);
  let up = has("judge") ? "judge" : judged[0].name;
  let across = ["coverage", "spread", "distance"].find(has) || judged.find((one) => one.name !== up).name;
  if (across === up) across = judged.find((one) => one.name !== up).name;
  const box = make("div", { class: "trade" });
  const options = judged.map((one) => [one.name, one.title]);
  const shown = () => box.replaceChildren(...tradeOffChart(up, across, box));
  section.append(make("h3", {}, "What is traded for what"),
    make("p", { class: "note" }, "A mark for each setting, with standard errors over its seeds; dashed, real images."),
    make("div", { class: "choose screen" }, choice("Upwards", options, up, (name) => { up = name; shown(); }), choice("Across", options, across, (name) => { across = name; shown(); })),
    box);
  shown();
}

function tradeOffChart(up, across, box) {
  const all = content.settings.map((_, i) => i);
  const series = content.groups.map((one) => ({ label: one.label, joined: false, points: one.settings.flatMap((i) => {
    const [x, y] = [valueOf(i, across), valueOf(i, up)];
    return x && y ? [{ x: x[0], xError: x[1], y: y[0], yError: y[1], setting: i }] : [];
  }) }));
  if (!series.some((one) => one.points.length)) return [make("p", { class: "note" }, "No setting has both figures.")];
  const side = (name) => ({ title: figureOf(name).title, form: figureOf(name).form, measured: true, floors: floorsFor(name, all) });
  const found = [chart({ title: `${figureOf(up).title} over ${figureOf(across).title.toLowerCase()}`, x: side(across), y: side(up), series, key: true, size: innerWidth < 640 ? SIZE : LARGE })];
  if (series.length > 1) found.push(keyOf(series.map((one) => one.label), false, box));
  return found;
}
