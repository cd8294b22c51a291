// Charts as SVG: lines over time, sparklines, bars. Drawn anew with each sample; there are some hundred points.

import { h, replace, s } from "./dom.js";
import { clock } from "./format.js";

const WIDTH = 600;
const HEIGHT = 120;

export class Chart {
  /** series: [[name, sample => number or null]]. format: a number for people. */
  constructor(title, series, format, floor = 1) {
    this.title = title;
    this.series = series;
    this.format = format;
    this.floor = floor;
    this.samples = [];
    this.now = h("span", { class: "now" });
    this.scale = h("span", { class: "scale" });
    this.pin = h("i", { class: "pin", hidden: true });
    this.svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.first = h("span");
    this.last = h("span");
    this.plot = h("div", { class: "plot", onpointermove: (event) => this.point(event), onpointerleave: () => this.point(null) }, this.svg, this.scale, this.pin);
    this.element = h("figure", { class: "panel chart" }, h("figcaption", {}, h("b", {}, title), this.now), this.plot, h("div", { class: "times" }, this.first, this.last));
  }

  update(samples) {
    this.samples = samples;
    const found = this.series.map(([, read]) => samples.map(read));
    const top = nice(Math.max(this.floor, ...found.flat().filter((value) => value !== null)));
    const x = (index) => (samples.length < 2 ? WIDTH : (index / (samples.length - 1)) * WIDTH);
    const y = (value) => HEIGHT - (value / top) * (HEIGHT - 6);
    const parts = [0, 0.5, 1].map((share) => s("line", { class: "grid", x1: 0, x2: WIDTH, y1: y(top * share), y2: y(top * share) }));
    found.forEach((values, which) => {
      for (const run of runs(values)) {
        const path = run.map(([index, value], at) => `${at ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`).join("");
        const group = s("g", { class: `c${which}` });
        if (which === 0) group.append(s("path", { class: "area", d: `${path}L${x(run.at(-1)[0]).toFixed(1)} ${HEIGHT}L${x(run[0][0]).toFixed(1)} ${HEIGHT}Z` }));
        group.append(s("path", { class: "line", d: path }));
        parts.push(group);
      }
    });
    this.svg.replaceChildren(...parts);
    this.scale.textContent = this.format(top);
    this.first.textContent = samples.length ? clock(samples[0].unix_ms) : "";
    this.last.textContent = samples.length ? clock(samples.at(-1).unix_ms) : "";
    if (this.pin.hidden) this.tell(samples.length - 1);
    this.svg.setAttribute("aria-label", `${this.title}: ${this.now.textContent}`);
  }

  tell(index) {
    const sample = this.samples[index];
    replace(this.now, sample ? this.series.map(([name, read], which) => {
      const value = read(sample);
      const text = value === null ? "–" : this.format(value);
      return this.series.length > 1 ? [h("i", { class: `key c${which}` }), `${name} ${text}`] : text;
    }) : "");
  }

  point(event) {
    if (event === null || this.samples.length < 2) {
      this.pin.hidden = true;
      this.tell(this.samples.length - 1);
      return;
    }
    const box = this.plot.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    const index = Math.round(share * (this.samples.length - 1));
    this.pin.hidden = false;
    this.pin.style.left = `${(index / (this.samples.length - 1)) * 100}%`;
    this.tell(index);
    this.now.prepend(`${clock(this.samples[index].unix_ms)}  `);
  }
}

/** A line of numbers, the size of a word. */
export function spark(values) {
  const svg = s("svg", { class: "spark", viewBox: "0 0 110 26", preserveAspectRatio: "none", "aria-hidden": "true" });
  if (values.length < 2) return svg;
  const top = Math.max(...values, 1) * 1.2;
  const path = values.map((value, at) => `${at ? "L" : "M"}${((at / (values.length - 1)) * 108 + 1).toFixed(1)} ${(24 - (value / top) * 21).toFixed(1)}`).join("");
  svg.append(s("path", { class: "area", d: `${path}L109 26L1 26Z` }), s("path", { class: "line", d: path }));
  return svg;
}

/** A bar of a share between 0 and 1. */
export function bar(share) {
  return s("svg", { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { width: Math.max(share * 100, 0.5), height: 4, fill: "currentColor" }));
}

function runs(values) {
  const found = [];
  let run = [];
  values.forEach((value, index) => {
    if (value === null) {
      if (run.length) found.push(run);
      run = [];
    } else run.push([index, value]);
  });
  if (run.length) found.push(run);
  return found;
}

function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 1.5, 2, 3, 5, 7.5, 10]) if (value <= step * power) return step * power;
  return value;
}
