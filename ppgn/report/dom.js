/* Elements from names, attributes and texts: nothing that was read is ever taken for markup. */

function make(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function draw(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function readData(id) {
  const found = document.getElementById(id);
  return found === null ? null : JSON.parse(found.textContent);
}

/* A number as Python's format writes it: "f" with so many decimals, "g" with so many digits. */
function written(value, form) {
  if (value === null || value === undefined) return "–";
  const digits = Number(form.slice(1, -1));
  if (form.endsWith("f")) return value.toFixed(digits);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(digits - 1).replace(/\.?0+e/, "e");
  if (size >= 10 ** digits) return value.toFixed(0);
  return String(Number(value.toPrecision(digits)));
}

/* mean ± error; a single value has no error. */
function withError([mean, error], form) {
  return written(mean, form) + (error === null ? "" : ` ± ${written(error, errorForm(form))}`);
}

/* An error is told to two digits, or to as many decimals as its mean. */
function errorForm(form) {
  return form.endsWith("g") ? ".2g" : form;
}

function chips(names, pressed, chosen) {
  const box = make("div", { class: "chips", role: "group" });
  names.forEach((name, i) => {
    box.append(make("button", { type: "button", "aria-pressed": String(pressed(i)), onclick: (event) => {
      chosen(i);
      box.querySelectorAll("button").forEach((button, j) => button.setAttribute("aria-pressed", String(pressed(j))));
      event.currentTarget.focus();
    } }, name));
  });
  return box;
}
