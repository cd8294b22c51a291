// One item, in the form that suits it: JSON with its structure, a pickle's outline, text, or bytes.

import { bytesOf } from "./api.js";
import { badge, h, plain, replace } from "./dom.js";
import * as show from "./format.js";

const NAMES = { json: "JSON", pickle: "Pickle", zlib: "Inflated", text: "Text", hex: "Hex" };

export function itemView(value, label = "", actions = []) {
  const pre = h("pre");
  const forms = formsOf(value);
  const buttons = forms.map((form) => h("button", { type: "button", onclick: () => choose(form) }, NAMES[form]));
  function choose(form) {
    forms.forEach((one, at) => buttons[at].setAttribute("aria-pressed", String(one === form)));
    replace(pre, draw(value, form));
  }
  choose(forms[0]);
  return h("div", { class: "item" },
    h("header", {}, label ? h("b", { class: "mono" }, label) : null, badge(value.kind), show.bytes(value.size), value.cut ? "only the beginning is shown" : "",
      h("span", { class: "views" }, buttons, actions)),
    value.size ? pre : h("p", { class: "faint" }, "(empty)"));
}

function formsOf(value) {
  const forms = [];
  if (value.kind === "json" && !value.cut) forms.push("json");
  if (value.kind === "pickle" && value.outline !== null) forms.push("pickle");
  if (value.kind === "zlib" && value.outline !== null) forms.push("zlib");
  if (value.text !== null) forms.push("text");
  if (value.kind === "binary") forms.unshift("hex");
  else forms.push("hex");
  return forms;
}

function draw(value, form) {
  if (form === "json") return prettyJson(value.text);
  if (form === "pickle" || form === "zlib") return plain({ ...value, text: value.outline });
  if (form === "text") return plain(value);
  return hex(bytesOf(value));
}

function hex(bytes) {
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, 4096); at += 16) {
    const row = Array.from(bytes.slice(at, at + 16));
    const codes = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ").padEnd(47);
    const signs = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${codes}  ${signs}`);
  }
  if (bytes.length > 4096) lines.push("…");
  return lines.join("\n");
}

/** JSON token by token: numbers and text stay as they were written. */
function prettyJson(text) {
  const parts = [];
  let depth = 0;
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g) ?? [];
  const line = () => `\n${"  ".repeat(Math.min(depth, 40))}`;
  tokens.forEach((token, at) => {
    const next = tokens[at + 1];
    if (token === "{" || token === "[") {
      depth += 1;
      parts.push(token, next === "}" || next === "]" ? "" : line());
    } else if (token === "}" || token === "]") {
      depth -= 1;
      const before = tokens[at - 1];
      parts.push(before === "{" || before === "[" ? "" : line(), token);
    } else if (token === ",") parts.push(",", line());
    else if (token === ":") parts.push(": ");
    else if (token.startsWith('"')) parts.push(h("span", { class: next === ":" ? "j-key" : "j-text" }, plain({ text: token })));
    else parts.push(h("span", { class: /^[-\d]/.test(token) ? "j-num" : "j-word" }, token));
  });
  return parts;
}
