import { api, bytesOf, encodeBytes } from "./api.js";
import { badge, empty, h, plain, replace } from "./dom.js";
import { bar, Chart } from "./charts.js";
import * as show from "./format.js";

const KEPT = 450;

export function overview(context) {
  const tiles = h("dl", { class: "tiles" });
  const facts = h("dl", { class: "facts" });
  const longest = h("ul", { class: "bars" });
  const live = h("span", { class: "live" }, "live");
  const charts = [
    new Chart("Commands a second", [["commands", (one) => one.commands]], show.short, 10),
    new Chart("Latency", [["median", (one) => one.p50_us], ["99 %", (one) => one.p99_us], ["journal", (one) => one.append_p99_us]], show.micros, 100),
    new Chart("Items in queues", [["items", (one) => one.items]], show.short, 10),
    new Chart("Network a second", [["in", (one) => one.bytes_in], ["out", (one) => one.bytes_out]], show.bytes, 1024),
    new Chart("Memory", [["memory", (one) => one.memory_bytes]], show.bytes, 1 << 20),
    new Chart("Data on disk", [["data", (one) => one.data_bytes]], show.bytes, 1 << 20),
  ];
  let samples = [];
  const element = h("div", {},
    h("div", { class: "head" }, h("h1", {}, "Overview"), live),
    tiles,
    h("div", { class: "charts" }, charts.map((chart) => chart.element)),
    h("div", { class: "two" },
      h("section", { class: "panel" }, h("h2", {}, "Longest queues"), longest),
      h("section", { class: "panel pad" }, h("h2", {}, "Server"), h("p", { class: "small" }, "\u00a0"), facts)));

  async function refresh() {
    const since = samples.length ? samples.at(-1).unix_ms : 0;
    const [now, history, queues] = await Promise.all([
      api.get("/overview", {}, context.signal),
      api.get("/history", { since }, context.signal),
      api.get("/queues", { db: context.db, count: 8 }, context.signal),
    ]);
    samples = [...samples, ...history.samples].slice(-KEPT);
    if (history.samples.length) for (const chart of charts) chart.update(samples);
    const latest = now.latest ?? { commands: 0, p99_us: 0 };
    replace(tiles,
      tile("Commands a second", show.short(latest.commands)),
      tile("Latency, 99 %", show.micros(latest.p99_us)),
      tile("Items waiting", show.short(now.queues.items), now.queues.complete ? "" : "counted in part"),
      tile("Oldest item", now.queues.oldest_ms === null ? "–" : show.since(now.queues.oldest_ms, now.now_ms)),
      tile("Clients", show.count(now.clients), now.clients_waiting ? `${show.count(now.clients_waiting)} waiting` : ""),
      tile("Leases", show.count(now.queues.leases)),
      tile("Memory", show.bytes(now.memory_bytes)),
      tile("Data", show.bytes(now.data_bytes), now.disk_free_bytes ? `${show.bytes(now.disk_free_bytes)} free` : ""));
    const top = Math.max(...queues.queues.map((one) => one.length), 1);
    const filled = queues.queues.filter((one) => one.type !== "none");
    replace(longest, filled.length ? filled.map((one) => h("li", {},
      h("a", { href: queueLink(one) }, plain(one.name)),
      h("span", { class: "num small" }, badge(one.type), " ", show.count(one.length)),
      bar(one.length / top))) : empty("No queues yet", "Push something, and it shows up here."));
    replace(facts,
      fact("Version", now.version),
      fact("Running for", show.span(now.uptime_s)),
      fact("Writes", now.writable ? "taken" : h("b", { class: "bad" }, "refused: the disk takes none")),
      fact("Durability", now.durability),
      fact("Data directory", now.directory ?? "none, in memory"),
      fact("Keys", show.count(now.keys)),
      fact("Commands", `${show.count(now.commands)}, ${show.count(now.errors)} failed`),
      fact("Turns", `${show.count(now.turns)} written, ${show.count(now.turns_rolled_back)} rolled back`),
      fact("Expired keys", show.count(now.expired)),
      fact("Connections", `${show.count(now.connections)}, ${show.count(now.rejected)} refused`),
      fact("Journal", `${show.bytes(now.journal_bytes)} since the last of ${show.count(now.checkpoints)} checkpoints`),
      fact("Map", `${show.bytes(now.map_bytes)}${now.reclaiming ? ", giving back space" : ""}`),
      now.listeners.map((one) => fact(one.kind, one.address)));
  }

  return { element, refresh, title: "Overview" };
}

export function queueLink(one) {
  return `#/queue?db=${one.db}&key=${encodeBytes(bytesOf(one.name))}`;
}

function tile(label, value, more = "") {
  return h("div", { class: "panel tile" }, h("dt", {}, label), h("dd", {}, value, more ? h("small", {}, more) : null));
}

function fact(label, value) {
  return [h("dt", {}, label), h("dd", {}, value)];
}
