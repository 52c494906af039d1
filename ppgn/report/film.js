/* Pictures that stand in the page once, and films of frames that lie under one another in one picture. */

const EACH = 220; // milliseconds of a frame; the last stays five times as long
let storedPictures = null;

/* The data: URI of a picture, null if the page has it not (yet). */
function pictureOf(name) {
  if (storedPictures === null) storedPictures = readData("pictures");
  return (storedPictures && name && storedPictures[name]) || null;
}

/* A film is shown at its own speed, or, where less motion is asked for, waits for a press or the slider. */
function film({ uri, size, frame, width, label, told }) {
  const frames = Math.round(size[1] / frame[1]);
  const stage = make("div", { class: "stage", role: "img", "aria-label": label });
  Object.assign(stage.style, { width: typeof width === "number" ? `${width}px` : width, aspectRatio: `${frame[0]} / ${frame[1]}`, backgroundImage: `url("${uri}")`, backgroundSize: `100% ${frames * 100}%` });
  if (frame[1] < 64) stage.classList.add("pixels");
  const slider = make("input", { type: "range", min: 0, max: frames - 1, step: 1, value: frames - 1, "aria-label": "Step of the walk" });
  const output = make("output", {});
  const button = make("button", { type: "button" });
  let timer = null;
  const show = (i) => {
    stage.style.backgroundPosition = `0 ${frames > 1 ? (100 * i) / (frames - 1) : 0}%`;
    stage.dataset.frame = i;
    slider.value = i;
    output.textContent = told(i, frames);
  };
  const next = () => {
    if (!stage.isConnected) return;
    const i = (Number(slider.value) + 1) % frames;
    show(i);
    timer = setTimeout(next, i === frames - 1 ? 5 * EACH : EACH);
  };
  const play = (on) => {
    clearTimeout(timer);
    timer = on ? setTimeout(next, EACH) : null;
    button.textContent = on ? "Pause" : "Play";
  };
  button.addEventListener("click", () => play(timer === null));
  slider.addEventListener("input", () => { play(false); show(Number(slider.value)); });
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  show(still ? frames - 1 : 0);
  play(!still && frames > 1);
  return make("div", { class: "film" }, stage, make("div", { class: "controls" }, button, slider, output));
}
