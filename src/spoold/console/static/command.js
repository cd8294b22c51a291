import { api } from "./api.js";
import { h, plain } from "./dom.js";
import { micros } from "./format.js";

const asked = [];

export function commandBox(context) {
  let at = asked.length;
  const log = h("div", { class: "log", role: "log", "aria-label": "Replies" }, h("p", { class: "soft" }, "One command a line, as in redis-cli. Each runs on a connection of its own, in the chosen database."));
  const input = h("input", { "aria-label": "Command", placeholder: "LLEN jobs", autocomplete: "off", autocapitalize: "off", spellcheck: "false", onkeydown: recall });
  const form = h("form", { class: "prompt", onsubmit: run }, input, h("button", { class: "main", type: "submit" }, "Run"));
  const element = h("div", {}, h("div", { class: "head" }, h("h1", {}, "Command")), h("div", { class: "panel console" }, log, form));
  setTimeout(() => input.focus({ preventScroll: true }), 0);

  async function run(event) {
    event.preventDefault();
    const line = input.value.trim();
    if (!line) return;
    asked.push(line);
    if (asked.length > 200) asked.shift();
    at = asked.length;
    input.value = "";
    const answer = h("pre");
    const box = h("div", {}, h("p", { class: "asked" }, line), answer);
    log.append(box);
    try {
      const found = await api.post("/command", { line, db: context.db });
      answer.textContent = lines(found.reply).join("\n");
      if (found.reply.type === "error") answer.className = "bad";
      box.append(h("p", { class: "faint small" }, micros(found.usec)));
    } catch (error) {
      answer.textContent = error.message;
      answer.className = "bad";
    }
    box.scrollIntoView({ block: "end" });
    while (log.children.length > 200) log.firstChild.remove();
  }

  function recall(event) {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    at = Math.min(Math.max(at + (event.key === "ArrowUp" ? -1 : 1), 0), asked.length);
    input.value = asked[at] ?? "";
  }

  return { element, title: "Command", still: true };
}

function lines(reply) {
  if (reply.type === "null") return ["(nil)"];
  if (reply.type === "error") return [`(error) ${reply.error}`];
  if (reply.type === "integer") return [`(integer) ${reply.integer}`];
  if (reply.type === "bytes") return [plain(reply.bytes) + (reply.bytes.cut ? ` … (${reply.bytes.size} bytes)` : "")];
  if (!reply.size) return ["(empty)"];
  const found = [];
  reply.items.forEach((item, index) => {
    const label = `${index + 1}) `;
    lines(item).forEach((line, which) => found.push((which ? " ".repeat(label.length) : label) + line));
  });
  if (reply.items.length < reply.size) found.push(`… ${reply.size - reply.items.length} more`);
  return found;
}
