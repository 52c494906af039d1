/* The panel of a cell: its pictures, its walk, what was measured, and how it is made again. */

const panel = make("dialog", { "aria-labelledby": "cell-title" });
let opened = null; // place of the cell

function openCell(place) {
  opened = place;
  const cell = content.cells[place];
  const held = panel.contains(document.activeElement) ? document.activeElement.dataset.hold : undefined;
  panel.replaceChildren(...cellBody(cell, place));
  if (!panel.open) panel.showModal();
  else panel.querySelector(`[data-hold="${held || "close"}"]`).focus();
  panel.scrollTop = 0;
  if (location.hash !== `#${cell.id}`) history.replaceState(null, "", `#${cell.id}`);
}

function setUpPanel() {
  document.body.append(panel);
  panel.addEventListener("close", () => {
    panel.replaceChildren();
    opened = null;
    history.replaceState(null, "", location.pathname + location.search);
  });
  panel.addEventListener("click", (event) => { if (event.target === panel) panel.close(); });
  panel.addEventListener("keydown", (event) => {
    if (event.target.matches("input")) return;
    if (event.key === "ArrowLeft") besides(-1);
    if (event.key === "ArrowRight") besides(1);
  });
}

const settingOf = (place) => content.settings.findIndex((one) => one.cells.includes(place));

/* The next setting, of the same seed if there is one. */
function besides(way) {
  const n = content.settings.length;
  const { cells } = bySetting((settingOf(opened) + way + n) % n);
  const same = cells.find((place) => content.cells[place].seed === content.cells[opened].seed);
  openCell(same === undefined ? cells[0] : same);
}

function cellBody(cell, place) {
  const setting = bySetting(settingOf(place));
  const tabs = setting.cells.map((own) => make("button", { type: "button", role: "tab", "aria-selected": String(own === place),
    "data-hold": own === place ? "seed" : null, onclick: (event) => { event.currentTarget.dataset.hold = "seed"; openCell(own); } }, `seed ${content.cells[own].seed}`));
  return [
    make("div", { class: "bar" },
      make("h2", { id: "cell-title" }, setting.label, make("small", {}, [`seed ${cell.seed}`, cell.id, exactness(cell)].filter(Boolean).join(" · "))),
      make("button", { type: "button", "aria-label": "Setting before", title: "Setting before (←)", "data-hold": "before", onclick: () => besides(-1) }, "←"),
      make("button", { type: "button", "aria-label": "Next setting", title: "Next setting (→)", "data-hold": "next", onclick: () => besides(1) }, "→"),
      make("button", { type: "button", class: "close", "data-hold": "close", autofocus: true, onclick: () => panel.close() }, "Close")),
    make("div", { class: "inside" },
      tabs.length > 1 ? make("div", { class: "chips", role: "tablist", "aria-label": "Seeds" }, ...tabs) : null,
      cell.error ? make("p", { class: "said failed" }, `This cell failed: ${cell.error}`) : null,
      make("div", { class: "two" },
        make("div", {}, picturesOf(cell), commandOf(cell)), walkOf(cell), make("div", {}, figuresOf(cell, setting), factsOf(cell)))),
  ];
}

function exactness(cell) {
  if (!cell.sampler) return "";
  return `${cell.sampler}, ${cell.exact ? "exact" : "not exact"}`;
}

/* A whole number of times its own size where that is small, so that its pixels stay square. */
function enlarged(tile) {
  return Math.max(1, Math.ceil(44 / tile));
}

function picturesOf(cell) {
  const uri = pictureOf(cell.picture);
  if (!uri) return make("div", {}, make("h3", {}, "Pictures"), make("p", { class: "note" }, cell.error ? "None: the cell failed." : "None are kept of this cell."));
  const { size, columns, tile } = sheetOf(cell);
  const times = enlarged(tile[0]);
  const image = make("img", { class: times > 1 ? "sheet pixels" : "sheet", src: uri, width: size[0] * times, height: size[1] * times,
    alt: `${columns} samples of each of ${cell.labels.length} classes` });
  const labels = make("ol", { "aria-label": "Classes" }, ...cell.labels.map((label) => make("li", {}, String(label))));
  const first = columns < cell.n ? `, the first ${columns} of ${cell.n} chains` : "";
  return make("div", {}, make("h3", {}, `Pictures, a row a class${first}`), make("div", { class: "labelled" }, labels, image));
}

function walkOf(cell) {
  const uri = pictureOf(cell.walk);
  if (!uri || !content.sizes[cell.walk]) return null;
  const size = content.sizes[cell.walk];
  const chains = Math.min(cell.labels.length, 10);
  const frame = [size[0], cell.picture && content.sizes[cell.picture] ? sheetOf(cell).tile[1] : size[0] / chains];
  const steps = cell.settings.steps;
  const told = (i, frames) => (cell.walk_steps ? `step ${cell.walk_steps[i]}` : i === 0 ? "start" : i === frames - 1 ? `end${steps ? `, step ${steps}` : ""}` : `${i} of ${frames - 1}`);
  const moving = film({ uri, size, frame, width: `min(100%, ${Math.max(560, size[0])}px)`, label: `The walks of ${chains} chains`, told });
  const whole = make("img", { class: "sheet", src: uri, width: size[0], height: size[1], alt: "All frames of the walk, from the top" });
  return make("div", {}, make("h3", {}, "The walk, a chain a class"), moving, make("details", { open: size[1] <= 640 }, make("summary", {}, "All frames, from the top down"), whole));
}

function figuresOf(cell, setting) {
  const real = content.floors[setting.model] || {};
  const head = make("tr", {}, ...["", "this seed", "all seeds", "real images"].map((text) => make("th", { scope: "col" }, text)));
  const lines = content.figures.map(({ name, title, form, about }) => {
    const own = name === "seconds" ? cell.seconds : (cell.figures || {})[name];
    const first = make("th", { scope: "row", title: about || null }, title);
    const mean = setting.figures[name];
    return make("tr", {}, first, make("td", {}, written(own, form)), make("td", {}, mean ? withError(mean, form) : "–"), make("td", {}, real[name] ? written(real[name][0], form) : "–"));
  });
  const reasons = cell.reasons || {};
  const missing = [...new Set(Object.values(reasons))].map((why) => {
    const names = Object.keys(reasons).filter((name) => reasons[name] === why).map((name) => (figureOf(name) || { title: name }).title);
    return make("p", { class: "said" }, `No ${names.join(", ")}: ${why}`);
  });
  const warned = (cell.warnings || []).map((text) => make("p", { class: "said" }, `Warned: ${text}`));
  return make("div", {}, make("h3", {}, "Measured"), make("table", { class: "measured" }, make("thead", {}, head), make("tbody", {}, ...lines)), ...missing, ...warned);
}

function factsOf(cell) {
  const facts = [...Object.entries(cell.settings), ["seed", cell.seed], ["chains a class", cell.n], ["classes", cell.labels.join(", ")], ["sampler", exactness(cell) || null],
    ["seconds", cell.seconds === null || cell.seconds === undefined ? null : written(cell.seconds, ".1f")], ["device", cell.device], ["real images", cell.data],
    ...Object.entries(cell.versions || {}), ...Object.entries(cell.networks || {}).map(([part, digits]) => [`sha256 of ${part}`, digits]), ["id", cell.id]];
  const told = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return make("div", {}, make("h3", {}, "Settings, versions and hashes"),
    make("dl", { class: "terms" }, ...told.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, make("code", {}, shownValue(value)))])));
}

function commandOf(cell) {
  if (!cell.command) return null;
  const text = make("pre", { class: "command", tabindex: 0 }, cell.command);
  const button = make("button", { type: "button", class: "copy", onclick: async () => {
    getSelection().selectAllChildren(text);
    try {
      await navigator.clipboard.writeText(cell.command);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Selected: press Ctrl-C";
    }
  } }, "Copy");
  return make("div", {}, make("h3", {}, "This cell again"), text, button);
}
