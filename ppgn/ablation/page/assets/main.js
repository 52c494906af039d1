/* The start of all: parts are drawn, and whatever has a setting shows it when pointed at, and opens when pressed. */

const peek = make("div", { class: "peek", hidden: true });

function showPeek(event) {
  const host = event.target.closest ? event.target.closest("[data-setting]") : null;
  if (!host || panel.open || event.pointerType === "touch") return;
  const i = Number(host.dataset.setting);
  const cell = firstCell(i);
  const uri = pictureOf(cell.picture);
  const told = content.figures.filter((one) => one.main && valueOf(i, one.name)).slice(0, 4).map((one) => `${one.title} ${withError(valueOf(i, one.name), one.form)}`);
  peek.replaceChildren(...(uri ? [make("img", { src: uri, alt: "", width: Math.min(260, sheetOf(cell).size[0]) })] : []),
    make("strong", {}, bySetting(i).label), make("div", { class: "note" }, told.join(" · ") || (cell.error ? "failed" : "")));
  peek.hidden = false;
  movePeek(event);
}

/* Beside the pointer, within the window. */
function movePeek(event) {
  if (peek.hidden) return;
  const { width, height } = peek.getBoundingClientRect();
  const left = event.clientX + 18 + width < innerWidth ? event.clientX + 18 : Math.max(4, event.clientX - width - 18);
  peek.style.left = `${left}px`;
  peek.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - height - 4))}px`;
}

function hidePeek() {
  peek.hidden = true;
}

function openPressed(event) {
  const host = event.target.closest("[data-setting]");
  if (!host || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  hidePeek();
  openCell(bySetting(Number(host.dataset.setting)).cells[0]);
}

function openNamed() {
  const name = decodeURIComponent(location.hash.slice(1));
  const place = content.cells.findIndex((cell) => cell.id === name);
  if (place >= 0 && place !== opened) openCell(place);
}

function begin() {
  document.body.append(peek);
  setUpPanel();
  const table = document.getElementById("means");
  sortable(table);
  filtering(table, table.parentElement);
  glance(document.getElementById("glance"));
  curves(document.getElementById("curves"));
  maps(document.getElementById("maps"));
  document.addEventListener("click", openPressed);
  document.addEventListener("pointerover", showPeek);
  document.addEventListener("pointermove", movePeek);
  document.addEventListener("pointerout", hidePeek);
  addEventListener("hashchange", openNamed);
  document.addEventListener("DOMContentLoaded", () => { fillCorners(); openNamed(); });
}

begin();
