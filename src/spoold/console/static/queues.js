import { api, pattern, textBytes, valueOf } from "./api.js";
import { badge, empty, field, h, replace, select, shown, toast, ask } from "./dom.js";
import { spark } from "./charts.js";
import * as show from "./format.js";
import { queueLink } from "./overview.js";
import { Sheet } from "./sheet.js";

const PAGE = 100;
// What earlier looks saw, so that rates and sparklines outlive a change of the page: name → looks.
const seen = new Map();

export function queues(context) {
  let offset = 0;
  const live = h("span", { class: "live" });
  const search = h("input", { type: "search", placeholder: "Filter by name, * for anything   ( / )", "aria-label": "Filter by name", oninput: () => later() });
  const kind = select("type", [["", "All types"], ["list", "Lists"], ["set", "Sets"], ["zset", "Sorted sets"], ["stream", "Streams"], ["schedule", "Schedules"]], "");
  kind.setAttribute("aria-label", "Type");
  kind.addEventListener("change", () => begin());
  const sheet = new Sheet([
    ["name", "Name", "name"], ["type", "Type", ""], ["length", "Length", "num"], [null, "Trend", "wide"], [null, "In /s", "num wide"],
    [null, "Out /s", "num wide"], ["waiting", "Waiting", "num wide"], ["leases", "Leases", "num wide"], ["age", "Oldest", "num"],
  ], { sort: "length", onSort: () => begin(), label: "Queues" });
  const more = h("div", { class: "more", hidden: true });
  const element = h("div", {},
    h("div", { class: "head" }, h("h1", {}, "Queues"), live, h("div", { class: "push" }, h("button", { type: "button", onclick: () => create() }, "New queue"))),
    h("div", { class: "tools" }, search, kind),
    h("div", { class: "panel" }, sheet.element, more));
  let timer = 0;

  function later() {
    clearTimeout(timer);
    timer = setTimeout(begin, 200);
  }

  function begin() {
    offset = 0;
    context.refresh();
  }

  async function refresh() {
    const found = await api.get("/queues", {
      db: context.db, match: pattern(search.value.trim()), type: kind.value, sort: sheet.sort, order: sheet.order, offset, count: PAGE,
    }, context.signal);
    const now = Date.now();
    live.textContent = `${show.count(found.total)} ${found.total === 1 ? "queue" : "queues"}`;
    sheet.fill(found.queues.map((one) => {
      const looks = note(one, now);
      const [into, out] = rates(looks);
      return [
        h("a", { href: queueLink(one) }, shown(one.name)), badge(one.type === "none" ? "empty" : one.type), show.count(one.length), spark(looks.map((look) => look.length)),
        into, out, one.waiting || "", one.leases || "", one.oldest_ms === null ? h("span", { class: "faint" }, "–") : show.since(one.oldest_ms, now),
      ];
    }), search.value || kind.value ? empty("Nothing matches", "No queue of this database has such a name and type.") : empty("No queues in this database", "A list, set, sorted set or stream shows up here as soon as something is in it."));
    const last = Math.min(offset + PAGE, found.total);
    more.hidden = found.total <= PAGE && found.complete;
    replace(more,
      h("span", {}, `${show.count(Math.min(offset + 1, found.total))}–${show.count(last)} of ${show.count(found.total)}`),
      found.complete ? null : h("span", {}, "There are more keys than one look takes in: a filter narrows it down."),
      h("button", { class: "small", type: "button", disabled: offset === 0, onclick: () => step(-PAGE) }, "Previous"),
      h("button", { class: "small", type: "button", disabled: last >= found.total, onclick: () => step(PAGE) }, "Next"));
  }

  function step(by) {
    offset = Math.max(offset + by, 0);
    context.refresh();
  }

  function create() {
    ask({
      title: "New queue",
      text: "A queue is there as long as something is in it, so it begins with an item.",
      fields: [
        field("Name", h("input", { name: "name", required: true, autocomplete: "off" })),
        field("Type", select("type", [["list", "List: first in, first out"], ["set", "Set: each item once"], ["zset", "Sorted set: by score"]], "list")),
        field("First item", h("textarea", { name: "item" })),
      ],
      action: "Create",
      work: async ({ name, type, item }) => {
        await api.post("/queue/push", { db: context.db, key: valueOf(textBytes(name)), type, items: [valueOf(textBytes(item))] });
        toast(`Added to ${name}`);
        context.refresh();
      },
    });
  }

  return { element, refresh, title: "Queues" };
}

export function note(one, now) {
  const name = `${one.db} ${one.name.base64}`;
  const looks = seen.get(name) ?? [];
  seen.delete(name);
  seen.set(name, looks);
  const last = looks.at(-1);
  if (!last || now - last.at > 900) looks.push({ at: now, length: one.length, added: one.added, taken: one.taken });
  if (looks.length > 60) looks.shift();
  if (seen.size > 2000) seen.delete(seen.keys().next().value);
  return looks;
}

export function rates(looks) {
  if (looks.length < 2) return ["–", "–"];
  const last = looks.at(-1);
  const first = looks[Math.max(looks.length - 6, 0)];
  const seconds = (last.at - first.at) / 1000;
  return ["added", "taken"].map((which) =>
    last[which] === null || first[which] === null || last[which] < first[which] ? "–" : show.short((last[which] - first[which]) / seconds));
}
