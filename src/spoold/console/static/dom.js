// Builds elements. Everything that comes from the server goes through text nodes, so nothing in it is ever markup.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function replace(element, ...children) {
  element.replaceChildren(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
}

/** Bytes as people read them: their text, or escapes where they are none. */
export function shown(value) {
  const end = value.cut ? "…" : "";
  if (value.size === 0) return h("span", { class: "faint" }, "(empty)");
  if (value.text !== null) return document.createTextNode(visible(value.text) + end);
  return h("span", { class: "bytes-escaped mono", title: "not UTF-8" }, escaped(value) + end);
}

export function plain(value) {
  return value.text !== null ? visible(value.text) : escaped(value);
}

function visible(text) {
  // Controls and what turns the direction of text would make one name look like another.
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, (sign) =>
    `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function escaped(value) {
  return Array.from(atob(value.base64), (sign) => {
    const code = sign.charCodeAt(0);
    return code >= 32 && code < 127 && sign !== "\\" ? sign : `\\x${code.toString(16).padStart(2, "0")}`;
  }).join("");
}

export function toast(text, bad = false) {
  const box = h("div", { class: bad ? "toast bad" : "toast" }, text);
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), bad ? 8000 : 4000);
}

/** Run an action of the user; what goes wrong is told. Returns whether it went well. */
export async function attempt(work, done = null) {
  try {
    const found = await work();
    if (done) toast(typeof done === "function" ? done(found) : done);
    return true;
  } catch (error) {
    toast(error.message, true);
    return false;
  }
}

/** A dialog with a form. `work` gets the dialog's fields and closes it unless it throws. */
export function ask({ title, text, fields = [], action, danger = false, work }) {
  const error = h("p", { class: "bad", role: "alert" });
  const button = h("button", { type: "submit", class: danger ? "main danger" : "main" }, action);
  const box = h(
    "dialog",
    { "aria-label": title, onclose: () => box.remove() },
    h("form", {
      onsubmit: async (event) => {
        event.preventDefault();
        button.disabled = true;
        error.textContent = "";
        try {
          await work(Object.fromEntries(new FormData(event.target)), box);
          box.close();
        } catch (problem) {
          error.textContent = problem.message;
        } finally {
          button.disabled = false;
        }
      },
    },
    h("h2", {}, title),
    text ? h("p", {}, text) : null,
    fields,
    error,
    h("div", { class: "ends" }, h("button", { type: "button", onclick: () => box.close() }, "Cancel"), button)),
  );
  document.body.append(box);
  box.showModal();
  return box;
}

export function field(label, input) {
  return h("label", { class: "field" }, h("span", {}, label), input);
}

export function select(name, options, value) {
  const box = h("select", { name }, options.map(([key, text]) => h("option", { value: key }, text)));
  box.value = value;
  return box;
}

export function badge(kind) {
  return h("span", { class: `badge ${/^[a-z]+$/.test(kind) ? kind : ""}` }, kind);
}

export function empty(title, text) {
  return h("div", { class: "empty" }, h("strong", {}, title), text);
}
