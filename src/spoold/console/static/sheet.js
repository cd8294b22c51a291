// A table whose columns can be sorted by.

import { h, replace } from "./dom.js";

export class Sheet {
  /** columns: [key or null, label, class]. onSort: told the key and "up" or "down". */
  constructor(columns, { sort = null, order = "down", onSort = () => {}, label = "" } = {}) {
    this.sort = sort;
    this.order = order;
    this.columns = columns;
    this.onSort = onSort;
    this.head = h("tr");
    this.body = h("tbody");
    this.element = h("div", { class: "sheet" }, h("table", { "aria-label": label }, h("thead", {}, this.head), this.body));
    this.drawHead();
  }

  drawHead() {
    const focused = document.activeElement?.dataset?.sort;
    replace(this.head, this.columns.map(([key, label, kind]) => {
      const way = key !== null && key === this.sort ? (this.order === "down" ? "descending" : "ascending") : null;
      return h("th", { class: kind, scope: "col", "aria-sort": way }, key === null ? label : h("button", { type: "button", "data-sort": key, onclick: () => this.choose(key) }, label));
    }));
    if (focused) this.head.querySelector(`[data-sort="${CSS.escape(focused)}"]`)?.focus();
  }

  choose(key) {
    this.order = this.sort === key && this.order === "down" ? "up" : key === "name" && this.sort !== key ? "up" : "down";
    this.sort = key;
    this.drawHead();
    this.onSort(key, this.order);
  }

  /** rows: lists of cells, each a node, a text or null. */
  fill(rows, nothing) {
    // Whoever has the keyboard in a row keeps it: rows are known by the links and buttons in them.
    const held = this.body.contains(document.activeElement) ? mark(document.activeElement) : null;
    replace(this.body, rows.length ? rows.map((cells) => h("tr", {}, cells.map((cell, at) => h("td", { class: this.columns[at][2] }, cell)))) : h("tr", {}, h("td", { colspan: this.columns.length }, nothing)));
    if (held) [...this.body.querySelectorAll("a, button")].find((one) => mark(one) === held)?.focus();
  }
}

function mark(element) {
  return `${element.getAttribute("href") ?? ""} ${element.getAttribute("aria-label") ?? element.textContent}`;
}
