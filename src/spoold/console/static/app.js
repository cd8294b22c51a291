// The frame: who is logged in, which page is shown, and when it is brought up to date.

import { api } from "./api.js";
import { h, replace, s } from "./dom.js";
import { clients } from "./clients.js";
import { commandBox } from "./command.js";
import { configuration } from "./configuration.js";
import { keys } from "./keys.js";
import { leases } from "./leases.js";
import { login } from "./login.js";
import { overview } from "./overview.js";
import { queue } from "./queue.js";
import { queues } from "./queues.js";
import { slowlog } from "./slowlog.js";

const PAGES = [
  ["", "Overview", overview, "M3 13h8V3H3zM13 21h8V11h-8zM13 3v4h8V3zM3 21h8v-4H3z"],
  ["queues", "Queues", queues, "M4 6h16M4 12h16M4 18h10"],
  ["leases", "Leases", leases, "M12 7v5l3 2M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18z"],
  ["keys", "Keys", keys, "M14 10a4 4 0 1 0-3.5 4L13 16.500h3V19h3v-3.200z"],
  ["clients", "Clients", clients, "M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM2.500 20c0-3.500 3-6 6.500-6s6.500 2.500 6.500 6M16 4.500a3.500 3.500 0 0 1 0 6M18 14.500c2.200.8 3.500 3 3.500 5.500"],
  ["slowlog", "Slow log", slowlog, "M4 18a9 9 0 1 1 16 0M12 14l4-5"],
  ["configuration", "Configuration", configuration, "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4"],
  ["command", "Command", commandBox, "M5 8l4 4-4 4M12 17h7"],
];
const EVERY_MS = 2000;
const THEMES = ["auto", "light", "dark"];

const frame = document.getElementById("frame");
const door = document.getElementById("door");
const main = document.getElementById("main");
const nav = document.getElementById("nav");
const alarm = document.getElementById("alarm");
const dbBox = document.getElementById("db");
const state = { db: 0, page: null, number: 0, timer: 0, abort: null, loggedIn: false };

/** What a page may use of the frame. */
const context = {
  get db() { return state.db; },
  get signal() { return state.abort?.signal; },
  refresh: () => refresh(),
};

function go() {
  clearTimeout(state.timer);
  state.abort?.abort();
  state.abort = new AbortController();
  state.number += 1;
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const given = Object.fromEntries(query.split("&").filter(Boolean).map((pair) => pair.split("=")));
  const known = PAGES.find(([name]) => name === path);
  const make = path === "queue" ? queue : known ? known[2] : overview;
  const current = path === "queue" ? "queues" : known ? path : "";
  for (const link of nav.children) {
    if (link.dataset.page === current) {
      link.setAttribute("aria-current", "page");
      nav.scrollLeft = link.offsetLeft - (nav.clientWidth - link.offsetWidth) / 2;
    } else link.removeAttribute("aria-current");
  }
  if (given.db) setDatabase(Number(given.db) || 0);
  state.page = make(context, given);
  replace(main, state.page.element);
  document.title = `${state.page.title ?? known?.[1] ?? "Overview"} · spoold`;
  window.scrollTo(0, 0);
  refresh();
}

async function refresh() {
  clearTimeout(state.timer);
  const number = state.number;
  const started = performance.now();
  if (!document.hidden && state.page?.refresh) {
    try {
      await state.page.refresh();
      if (number !== state.number) return;
      tell("");
    } catch (error) {
      if (error.name === "AbortError" || number !== state.number) return;
      if (error.status === 401) return;
      tell(error.status === 0 ? "The server does not answer. Trying again …" : error.message);
    }
  }
  if (number !== state.number || state.page?.still) return;
  // A server with very many queues is not asked more often than it can answer at leisure.
  const pause = Math.max(EVERY_MS, 10 * (performance.now() - started));
  clearTimeout(state.timer);
  state.timer = setTimeout(refresh, pause);
}

function tell(text) {
  alarm.hidden = !text;
  alarm.textContent = text;
}

function setDatabase(db) {
  state.db = db;
  dbBox.value = String(db);
}

function showDoor() {
  state.number += 1;
  clearTimeout(state.timer);
  state.abort?.abort();
  state.loggedIn = false;
  frame.hidden = true;
  door.hidden = false;
  document.title = "Log in · spoold";
  replace(door, login(enter));
  door.querySelector("input[type=password]").focus();
}

async function enter() {
  let session;
  try {
    session = await api.get("/session");
  } catch (error) {
    replace(door, h("p", { class: "soft" }, error.message));
    door.hidden = false;
    setTimeout(enter, EVERY_MS);
    return;
  }
  if (session.user === null) {
    showDoor();
    return;
  }
  state.loggedIn = true;
  document.getElementById("logout").hidden = !session.password_needed;
  door.hidden = true;
  frame.hidden = false;
  go();
}

function paint(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  document.getElementById("theme").textContent = { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" }[theme];
}

function keep(name, value) {
  try {
    if (value === undefined) return localStorage.getItem(name);
    localStorage.setItem(name, value);
  } catch {
    // No storage: the choice lasts as long as the page.
  }
  return value;
}

let theme = THEMES.includes(keep("spoold-theme")) ? keep("spoold-theme") : "auto";
paint(theme);
document.getElementById("theme").addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  keep("spoold-theme", theme);
  paint(theme);
});
document.getElementById("logout").addEventListener("click", async () => {
  await api.post("/session/end").catch(() => {});
  showDoor();
});
for (let db = 0; db < 16; db++) dbBox.append(h("option", { value: db }, String(db)));
dbBox.setAttribute("aria-label", "Database");
dbBox.addEventListener("change", () => {
  setDatabase(Number(dbBox.value));
  if (location.hash.startsWith("#/queue?")) location.hash = "#/queues";
  else go();
});
for (const [name, label, , path] of PAGES) {
  nav.append(h("a", { href: `#/${name}`, "data-page": name }, s("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: path })), label));
}
window.addEventListener("hashchange", () => state.loggedIn && go());
document.addEventListener("visibilitychange", () => !document.hidden && state.loggedIn && refresh());
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
  const search = main.querySelector("input[type=search], .prompt input");
  if (search) {
    event.preventDefault();
    search.focus();
  }
});
api.onLogin = () => state.loggedIn && showDoor();
enter();
