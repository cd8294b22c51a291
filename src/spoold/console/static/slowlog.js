import { api } from "./api.js";
import { attempt, empty, h, plain } from "./dom.js";
import * as show from "./format.js";
import { Sheet } from "./sheet.js";

export function slowlog(context) {
  const sheet = new Sheet([[null, "Command", "name"], [null, "Took", "num"], [null, "When", "num wide"], [null, "Client", "wide"]], { label: "Slow commands" });
  const element = h("div", {},
    h("div", { class: "head" }, h("h1", {}, "Slow log"), h("div", { class: "push" }, h("button", { type: "button", onclick: () => clear() }, "Clear"))),
    h("div", { class: "panel" }, sheet.element));

  async function refresh() {
    const found = await api.get("/slowlog", { count: 128 }, context.signal);
    sheet.fill(found.entries.map((one) => [h("code", {}, one.words.map(plain).join(" ")), show.micros(one.usec), show.moment(one.unix_s * 1000), one.name || one.address]),
      empty("No slow commands", "What takes longer than slowlog-log-slower-than shows up here."));
  }

  async function clear() {
    await attempt(() => api.post("/slowlog/clear"), "Cleared");
    context.refresh();
  }

  return { element, refresh, title: "Slow log" };
}
