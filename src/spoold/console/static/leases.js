import { api, bytesOf, valueOf } from "./api.js";
import { ask, attempt, empty, h, plain, replace, shown } from "./dom.js";
import * as show from "./format.js";
import { queueLink } from "./overview.js";
import { Sheet } from "./sheet.js";

/** Leases of one queue, or of all. */
export function leaseTable(context, queue = () => null) {
  let cursor = "0";
  const sheet = new Sheet([[null, "Queue", "name"], [null, "Owner", "wide"], [null, "Attempt", "num"], [null, "Ends", "num wide"], [null, "Size", "num wide"], [null, "", "acts"]], { label: "Leases" });
  const more = h("div", { class: "more", hidden: true });

  async function refresh() {
    const found = await api.get("/leases", { db: context.db, queue: queue(), cursor }, context.signal);
    sheet.fill(found.leases.map((one) => [
      h("a", { href: queueLink({ db: context.db, name: one.queue }) }, shown(one.queue)), shown(one.owner), one.attempts,
      one.deadline_ms ? `in ${show.span((one.deadline_ms - Date.now()) / 1000)}` : one.bound ? "with its connection" : "never", show.bytes(one.bytes),
      h("span", {},
        h("button", { class: "small", type: "button", "aria-label": `Retry ${one.id}`, onclick: () => settle(one, "retry") }, "Retry"), " ",
        h("button", { class: "small danger", type: "button", "aria-label": `Drop ${one.id}`, onclick: () => drop(one) }, "Drop")),
    ]), empty("Nothing is out", "Items that were taken, and are neither confirmed nor given back, show up here."));
    more.hidden = found.cursor === "0" && cursor === "0";
    replace(more,
      h("button", { class: "small", type: "button", disabled: cursor === "0", onclick: () => page("0") }, "First page"),
      h("button", { class: "small", type: "button", disabled: found.cursor === "0", onclick: () => page(found.cursor) }, "Next page"));
  }

  function page(to) {
    cursor = to;
    context.refresh();
  }

  async function settle(one, action) {
    await attempt(() => api.post("/leases/settle", { db: context.db, key: valueOf(bytesOf(one.queue)), lease: one.id, action }), action === "retry" ? "Back at the head of its queue" : "Dropped");
    context.refresh();
  }

  function drop(one) {
    ask({ title: "Drop this item?", text: `It was taken from ${plain(one.queue)} and is deleted for good, as if its holder had confirmed it.`, danger: true, action: "Drop", work: () => settle(one, "drop") });
  }

  return { element: h("div", {}, sheet.element, more), refresh };
}

export function leases(context) {
  const table = leaseTable(context);
  const element = h("div", {},
    h("div", { class: "head" }, h("h1", {}, "Leases")),
    h("p", { class: "soft" }, "Items that someone has taken and not yet settled. Retry puts an item back at the head of its queue at once; whoever holds it finds its lease ended. Attempt tells how often it was handed out: nothing is set aside for failing often, so look for high ones."),
    h("p", {}, "\u00a0"),
    h("div", { class: "panel" }, table.element));
  return { element, refresh: table.refresh, title: "Leases" };
}
