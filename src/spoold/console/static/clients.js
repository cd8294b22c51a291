import { api } from "./api.js";
import { ask, badge, empty, h, toast } from "./dom.js";
import * as show from "./format.js";
import { Sheet } from "./sheet.js";

export function clients(context) {
  const live = h("span", { class: "live" });
  const sheet = new Sheet([[null, "Client", "name"], [null, "User", "wide"], [null, "Last command", ""], [null, "Database", "num wide"], [null, "Connected", "num wide"], [null, "Idle", "num wide"], [null, "", "acts"]], { label: "Clients" });
  const element = h("div", {}, h("div", { class: "head" }, h("h1", {}, "Clients"), live), h("div", { class: "panel" }, sheet.element));

  async function refresh() {
    const found = await api.get("/clients", {}, context.signal);
    live.textContent = `${show.count(found.total)} connected`;
    sheet.fill(found.clients.map((one) => [
      h("span", {}, one.name || one.address, one.name ? h("span", { class: "faint small" }, `  ${one.address}`) : null, one.flags.includes("b") ? [" ", badge("waiting")] : null, one.channels + one.patterns ? [" ", badge("subscribed")] : null),
      one.user, h("code", {}, one.command), one.db, show.span(one.age_s), show.span(one.idle_s),
      h("button", { class: "small danger", type: "button", "aria-label": `Close ${one.id}`, onclick: () => close(one) }, "Close"),
    ]), empty("No one is connected", "The console's own requests are not listed."));
  }

  function close(one) {
    ask({
      title: "Close this connection?", text: `${one.name || one.address}: its clients usually connect again.`, danger: true, action: "Close it",
      work: async () => {
        await api.post("/clients/close", { id: one.id });
        toast("Closed");
        context.refresh();
      },
    });
  }

  return { element, refresh, title: "Clients" };
}
