import { api } from "./api.js";
import { ask, empty, field, h, toast } from "./dom.js";
import { Sheet } from "./sheet.js";

export function configuration(context) {
  let found = [];
  const search = h("input", { type: "search", placeholder: "Filter   ( / )", "aria-label": "Filter", oninput: () => draw() });
  const sheet = new Sheet([[null, "Parameter", "name"], [null, "Value", ""], [null, "", "acts"]], { label: "Parameters" });
  const element = h("div", {},
    h("div", { class: "head" }, h("h1", {}, "Configuration")),
    h("p", { class: "soft" }, "Changes hold until the server ends. What should last goes into its configuration file."),
    h("p", {}, "\u00a0"),
    h("div", { class: "tools" }, search),
    h("div", { class: "panel" }, sheet.element));

  async function refresh() {
    found = (await api.get("/configuration", {}, context.signal)).parameters;
    draw();
  }

  function draw() {
    const word = search.value.trim().toLowerCase();
    sheet.fill(found.filter((one) => one.name.includes(word)).map((one) => [
      h("code", {}, one.name), one.secret ? h("span", { class: "faint" }, "not shown") : h("code", {}, one.value || h("span", { class: "faint" }, "empty")),
      h("button", { class: "small", type: "button", "aria-label": `Change ${one.name}`, onclick: () => change(one) }, "Change"),
    ]), empty("Nothing matches", "There is no such parameter."));
  }

  function change(one) {
    ask({
      title: one.name, action: "Change",
      fields: [field("Value", h("input", { name: "value", value: one.value ?? "", type: one.secret ? "password" : "text", autocomplete: "off", spellcheck: "false" }))],
      work: async ({ value }) => {
        await api.post("/configuration", { name: one.name, value });
        toast(`${one.name} changed`);
        context.refresh();
      },
    });
  }

  return { element, refresh, still: true, title: "Configuration" };
}
