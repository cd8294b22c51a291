import { api, decodePercent, textBytes, valueOf } from "./api.js";
import { ask, badge, empty, field, h, replace, select, shown, toast, plain } from "./dom.js";
import { Chart } from "./charts.js";
import * as show from "./format.js";
import { itemView } from "./item.js";
import { leaseTable } from "./leases.js";
import { note, rates } from "./queues.js";

const MOVE = 1000;

export function queue(context, given) {
  const name = decodePercent(given.key ?? "");
  const where = () => ({ db: context.db, key: name });
  const body = () => ({ db: context.db, key: valueOf(name) });
  const title = new TextDecoder().decode(name);
  const kind = h("span");
  const tiles = h("dl", { class: "tiles six" });
  const items = h("div", { class: "panel", "aria-label": "Items" });
  const peekTitle = h("h2", {}, "Next items");
  const chart = new Chart("Length", [["length", (one) => one.items]], show.short, 5);
  const leased = leaseTable(context, () => name);
  const leaseBox = h("section", { class: "panel", hidden: true }, h("h2", {}, "Leases"), leased.element);
  const howMany = select("count", [["10", "10 items"], ["25", "25 items"], ["100", "100 items"]], "10");
  howMany.setAttribute("aria-label", "How many items");
  howMany.addEventListener("change", () => draw());
  const pushButton = h("button", { class: "main", type: "button", onclick: () => push() }, "Push");
  const element = h("div", {},
    h("p", { class: "small" }, h("a", { href: "#/queues" }, "← Queues")),
    h("div", { class: "head" }, h("h1", {}, title ? shown({ text: safeText(name), base64: valueOf(name).base64, size: name.length, cut: false }) : "(no name)"), kind,
      h("div", { class: "push" }, pushButton,
        h("button", { type: "button", onclick: () => move() }, "Move"),
        h("button", { type: "button", class: "danger", onclick: () => purge() }, "Purge"))),
    tiles,
    h("div", { class: "charts" }, chart.element),
    leaseBox,
    h("div", { class: "head" }, peekTitle, h("div", { class: "push" }, howMany, h("button", { type: "button", onclick: () => draw() }, "Look again"))),
    items);
  const samples = [];
  let current = null;

  async function refresh() {
    const one = await api.get("/queue", where(), context.signal);
    const now = Date.now();
    const looks = note(one, now);
    const [into, out] = rates(looks);
    replace(kind, badge(one.type));
    replace(tiles,
      tile("Length", show.count(one.length)), tile("In a second", into), tile("Out a second", out), tile("Waiting clients", show.count(one.waiting)),
      tile("Leases", show.count(one.leases)), tile("Oldest", one.oldest_ms === null ? "–" : show.since(one.oldest_ms, now)),
      one.ttl_ms === null ? null : tile("Falls due in", show.span(one.ttl_ms / 1000)));
    samples.push({ unix_ms: now, items: one.length });
    if (samples.length > 300) samples.shift();
    chart.update(samples.length > 1 ? samples : looks.map((look) => ({ unix_ms: look.at, items: look.length })));
    leaseBox.hidden = !one.leases;
    if (one.leases) await leased.refresh();
    // Items stay as they are while someone reads them; only a queue that was empty, or has become so, is looked at anew.
    if (current === null || (current.length === 0) !== (one.length === 0) || current.type !== one.type) await draw();
    current = one;
  }

  async function draw() {
    const found = await api.get("/queue/items", { ...where(), count: howMany.value }, context.signal);
    peekTitle.textContent = found.length > found.items.length ? `Next ${found.items.length} of ${show.count(found.length)} items` : "Items";
    replace(items, found.items.length ? found.items.map((parts, at) => entry(found.type, parts, at)) : empty("Nothing in it", "What is pushed next shows up here."));
  }

  function push() {
    const type = current?.type ?? "list";
    const fields = [field("Item", h("textarea", { name: "item", "aria-label": "Item" })), h("label", { class: "field small" }, h("span", {}, h("input", { type: "checkbox", name: "lines", value: "yes" }), " Each line is an item"))];
    if (type === "none") fields.push(field("Type", select("type", [["list", "List"], ["set", "Set"], ["zset", "Sorted set"]], "list")));
    if (type === "list" || type === "none") fields.push(field("Where", select("end", [["tail", "To be taken last"], ["head", "To be taken next"]], "tail")));
    if (type === "zset" || type === "none") fields.push(field("Score (sorted sets)", h("input", { name: "score", type: "number", step: "any", value: "0" })));
    ask({
      title: "Push", fields, action: "Push",
      work: async (told) => {
        const texts = told.lines ? told.item.split(/\r?\n/).filter(Boolean) : [told.item];
        const found = await api.post("/queue/push", {
          ...body(), items: texts.map((text) => valueOf(textBytes(text))), ...(told.type ? { type: told.type } : {}), ...(told.end ? { end: told.end } : {}), ...(told.score ? { score: Number(told.score) } : {}),
        });
        toast(`Pushed: ${show.count(found.length)} items now`);
        await draw();
        context.refresh();
      },
    });
  }

  function move() {
    ask({
      title: "Move items", text: "From the head of this queue to the end of another of the same type.", action: "Move",
      fields: [
        field("To", h("input", { name: "to", required: true, autocomplete: "off" })),
        field("How many", h("input", { name: "count", type: "number", min: 1, value: current?.length ?? 1, required: true })),
      ],
      work: async ({ to, count }) => {
        let left = Number(count);
        let moved = 0;
        while (left > 0) {
          const found = await api.post("/queue/move", { ...body(), to: valueOf(textBytes(to)), count: Math.min(left, MOVE) });
          moved += found.moved;
          left -= found.moved;
          if (!found.moved) break;
        }
        toast(`Moved ${show.count(moved)} to ${to}`);
        await draw();
        context.refresh();
      },
    });
  }

  function purge() {
    const word = safeText(name) ?? plain({ ...valueShown(name) });
    ask({
      title: "Purge this queue?", danger: true, action: "Delete everything in it",
      text: `All ${show.count(current?.length ?? 0)} items are deleted, and cannot be brought back. Type the queue's name to go on.`,
      fields: [field(`Name: ${word}`, h("input", { name: "name", required: true, autocomplete: "off", spellcheck: "false" }))],
      work: async (told) => {
        if (told.name !== word) throw new Error("That is not the name of this queue.");
        await api.post("/queue/purge", body());
        toast("Purged");
        await draw();
        context.refresh();
      },
    });
  }

  return { element, refresh, title: title || "Queue" };
}

function entry(type, parts, at) {
  if (type === "zset") return itemView(parts[0], `score ${plain(parts[1])}`);
  if (type === "schedule") return itemView(parts[1], show.moment(Number(parts[0].text) / 1000));
  if (type === "hash") return itemView(parts[1], plain(parts[0]));
  if (type === "stream") {
    const fields = [];
    for (let which = 1; which < parts.length; which += 2) fields.push(itemView(parts[which + 1], plain(parts[which])));
    return h("div", {}, h("div", { class: "pad small" }, h("b", { class: "mono" }, plain(parts[0]))), fields);
  }
  return itemView(parts[0], type === "string" ? "" : `#${at + 1}`);
}

function tile(label, value) {
  return h("div", { class: "panel tile" }, h("dt", {}, label), h("dd", {}, value));
}

function safeText(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function valueShown(bytes) {
  return { base64: valueOf(bytes).base64, text: safeText(bytes), size: bytes.length, cut: false };
}
