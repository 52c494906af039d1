/* A table sorted by its heads and filtered by words: numbers by data-value, texts by what is shown, none last. */

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const before = head.getAttribute("aria-sort");
    const first = head.dataset.kind === "number" ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    heads.forEach((one) => one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", before === first ? other : first);
    sortRows(table.tBodies[0], column, head.getAttribute("aria-sort") === "descending");
  }));
}

function sortRows(body, column, descending) {
  const rows = [...body.rows].map((row) => ({ row, key: sortKey(row.cells[column]) }));
  const numbers = rows.filter((one) => typeof one.key === "number");
  const texts = rows.filter((one) => typeof one.key === "string");
  const none = rows.filter((one) => one.key === null);
  const way = descending ? -1 : 1;
  numbers.sort((a, b) => way * (a.key - b.key));
  texts.sort((a, b) => way * a.key.localeCompare(b.key, "en", { numeric: true }));
  body.append(...[...numbers, ...texts, ...none].map((one) => one.row));
}

function sortKey(cell) {
  if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
  return cell.classList.contains("none") ? null : cell.textContent;
}

/* A field above the table: rows are shown that have all of its words, figures aside. */
function filtering(table, box) {
  const told = make("span", { class: "note", "aria-live": "polite" });
  const rows = [...table.tBodies[0].rows];
  const texts = new Map(rows.map((row) => [row, [...row.cells].filter((cell) => !cell.matches(".number, .none")).map((cell) => cell.textContent.toLowerCase()).join(" ")]));
  const field = make("input", { type: "search", placeholder: "Filter rows", "aria-label": "Filter rows", oninput: () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) row.hidden = !words.every((word) => texts.get(row).includes(word));
    const left = rows.filter((row) => !row.hidden).length;
    told.textContent = words.length ? `${left} of ${rows.length}` : "";
  } });
  box.before(make("div", { class: "filter screen" }, field, told));
}
