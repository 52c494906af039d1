/* Small multiples: every chosen figure over every number that was varied. */

function curves(section) {
  if (!content.curves.length) return;
  const chosen = content.figures.map((one) => one.main);
  const host = make("div", {});
  const shown = () => host.replaceChildren(...content.curves.flatMap((view) => curveRow(view, content.figures.filter((_, i) => chosen[i]))));
  section.append(make("h2", {}, "Over each number that was varied"),
    make("p", { class: "note" }, "Mean ± standard error over the seeds; dashed, real images. Point at a mark for its pictures, press it for the whole cell."),
    chips(content.figures.map((one) => one.title), (i) => chosen[i], (i) => { chosen[i] = !chosen[i]; shown(); }), host);
  shown();
  section.hidden = false;
}

function curveRow(view, figures) {
  const host = make("div", {});
  const labels = view.lines.map((line) => line.label);
  const all = view.lines.flatMap((line) => line.points);
  const direct = directLabels(view.lines);
  const charts = figures.map((figure) => {
    const series = view.lines.map((line) => ({ ...line, points: line.points.flatMap((i) => {
      const found = valueOf(i, figure.name);
      return found ? [{ x: bySetting(i).values[view.axis], y: found[0], yError: found[1], setting: i }] : [];
    }) }));
    if (!series.some((one) => one.points.some((p) => p.x !== null))) return null;
    return chart({ title: figure.title, series, ordered: view.ordered, x: { title: view.axis, measured: false, values: all.map((i) => bySetting(i).values[view.axis]) },
      y: { title: figure.title, form: figure.form, floors: floorsFor(figure.name, all) } });
  }).filter(Boolean);
  if (!charts.length) return [];
  if (labels.length > 1 && !direct) host.append(keyOf(labels, view.ordered, host));
  else lighting(host);
  host.append(make("div", { class: "multiples" }, ...charts));
  return [make("h3", {}, view.label ? `${view.axis}, ${view.label}` : view.axis), host];
}
