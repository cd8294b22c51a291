import { api, bytesOf, pattern, valueOf } from "./api.js";
import { ask, badge, empty, h, plain, replace, select, shown, toast } from "./dom.js";
import * as show from "./format.js";
import { queueLink } from "./overview.js";
import { Sheet } from "./sheet.js";

export function keys(context) {
  let cursor = "0";
  const live = h("span", { class: "live" });
  const search = h("input", { type: "search", placeholder: "Filter by name, * for anything   ( / )", "aria-label": "Filter by name", oninput: () => later() });
  const kind = select("type", [["", "All types"], ["string", "Strings"], ["list", "Lists"], ["set", "Sets"], ["zset", "Sorted sets"], ["hash", "Hashes"], ["stream", "Streams"], ["schedule", "Schedules"]], "");
  kind.setAttribute("aria-label", "Type");
  kind.addEventListener("change", () => page("0"));
  const sheet = new Sheet([[null, "Name", "name"], [null, "Type", ""], [null, "Size", "num"], [null, "Falls due in", "num wide"], [null, "", "acts wide"]], { label: "Keys" });
  const more = h("div", { class: "more" });
  const element = h("div", {},
    h("div", { class: "head" }, h("h1", {}, "Keys"), live),
    h("div", { class: "tools" }, search, kind),
    h("div", { class: "panel" }, sheet.element, more));
  let timer = 0;

  function later() {
    clearTimeout(timer);
    timer = setTimeout(() => page("0"), 250);
  }

  function page(to) {
    cursor = to;
    context.refresh();
  }

  async function refresh() {
    const found = await api.get("/keys", { db: context.db, match: pattern(search.value.trim()), type: kind.value, cursor, count: 50 }, context.signal);
    live.textContent = `${show.count(found.total)} keys in database ${context.db}`;
    sheet.fill(found.keys.map((one) => [
      h("a", { href: queueLink({ db: context.db, name: one.name }) }, shown(one.name)), badge(one.type), one.type === "string" ? show.bytes(one.length) : show.count(one.length),
      one.ttl_ms === null ? h("span", { class: "faint" }, "never") : show.span(one.ttl_ms / 1000),
      h("button", { class: "small danger", type: "button", "aria-label": `Delete ${plain(one.name)}`, onclick: () => remove(one) }, "Delete"),
    ]), empty("No keys here", "Nothing in this database has such a name and type, or it is on a later page."));
    replace(more,
      h("button", { class: "small", type: "button", disabled: cursor === "0", onclick: () => page("0") }, "First page"),
      h("button", { class: "small", type: "button", disabled: found.cursor === "0", onclick: () => page(found.cursor) }, "Next page"));
  }

  function remove(one) {
    ask({
      title: "Delete this key?", text: `${plain(one.name)} and all it holds is deleted, and cannot be brought back.`, danger: true, action: "Delete",
      work: async () => {
        await api.post("/key/delete", { db: context.db, key: valueOf(bytesOf(one.name)) });
        toast("Deleted");
        context.refresh();
      },
    });
  }

  return { element, refresh, still: true, title: "Keys" };
}
