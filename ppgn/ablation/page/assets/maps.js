/* Maps over pairs of numbers that were varied together, of the chosen figures. */

const FEW_MAPS = 2; // of a figure: then several figures are shown at first

function maps(section) {
  const figures = content.figures.filter((one) => content.maps.some((view) => view.settings.some((i) => valueOf(i, one.name))));
  if (!figures.length) return;
  const few = content.maps.length <= FEW_MAPS;
  const chosen = figures.map((one, i) => (few ? one.main : i === 0));
  const host = make("div", { class: few ? "few-maps" : null });
  const shown = () => host.replaceChildren(...figures.filter((_, i) => chosen[i]).map(mapsOf));
  section.append(make("h2", {}, "Over pairs of numbers"),
    make("p", { class: "note" }, "Mean over the seeds; each figure has colours of its own. Press a tile for its pictures."),
    chips(figures.map((one) => one.title), (i) => chosen[i], (i) => { chosen[i] = !chosen[i]; shown(); }), host);
  shown();
  section.hidden = false;
}

function mapsOf(figure) {
  const all = content.maps.flatMap((view) => view.settings);
  const scale = colourScale(all.map((i) => valueOf(i, figure.name)).filter(Boolean).map(([mean]) => mean));
  const floors = floorsFor(figure.name, all);
  const way = { high: "higher is better", low: "lower is better", one: "1 is best" }[figure.better];
  const real = floors.length ? `real images ${floors.map((value) => written(value, figure.form)).join(", ")}` : "";
  const drawn = content.maps.map((view) => {
    const tiles = view.settings.map((i) => mapTile(i, view, figure));
    return (view.grid ? heatMap : dotMap)({ title: view.label, x: view.x, y: view.y, tiles, scale });
  });
  return make("div", {}, make("h3", {}, figure.title), ramp(scale, figure.form, [way, real].filter(Boolean).join(" · ")), make("div", { class: "maps" }, ...drawn));
}

function mapTile(i, view, figure) {
  const found = valueOf(i, figure.name);
  const failed = bySetting(i).cells.every((place) => content.cells[place].error);
  const { [view.x]: x, [view.y]: y } = bySetting(i).values;
  return { x, y, value: found ? found[0] : null, text: found ? written(found[0], figure.form) : failed ? "failed" : "–", setting: i, href: hrefOf(i) };
}
