/* The page of a run: its walk as a film, and log p(y | x) along it. */

function shownRun() {
  const content = readData("content");
  const uri = pictureOf("walk");
  if (content.film && uri) {
    const { size, steps } = content.film;
    const frame = [size[0], size[1] / steps.length];
    document.getElementById("film").append(
      make("h2", {}, "The walk"),
      film({ uri, size, frame, width: `min(100%, ${frame[0]}px)`, label: "The images on the way", told: (i) => `step ${steps[i]}` }),
    );
  }
  if (!content.curves.length) return;
  const series = content.curves.map((one) => ({
    label: one.label, joined: true, points: one.points.map(([x, y]) => ({ x, y, xError: 0, yError: 0, setting: 0, title: "" })),
  }));
  const place = document.getElementById("curves");
  place.append(make("h2", {}, "How far the condition is met"), chart({
    title: "log p(y | x), nats", note: "mean of the chains", series, size: LARGE,
    x: { title: "step", form: ".3g", measured: true, floors: [] }, y: { title: "log p(y | x)", form: ".3g", floors: [] },
  }));
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", shownRun);
else shownRun();
