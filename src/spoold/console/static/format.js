// Figures for people.

export function count(number) {
  if (number === null || number === undefined) return "–";
  return Math.round(number).toLocaleString("en-US");
}

export function short(number) {
  if (number === null || number === undefined) return "–";
  if (number < 10 && number % 1) return number.toFixed(1);
  if (number < 10_000) return count(number);
  for (const [size, unit] of [[1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
    if (number >= size) return `${(number / size).toFixed(number / size < 100 ? 1 : 0)}${unit}`;
  }
  return String(number);
}

export function bytes(number) {
  if (number === null || number === undefined) return "–";
  for (const [size, unit] of [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (number >= size) return `${(number / size).toFixed(number / size < 10 ? 1 : 0)} ${unit}`;
  }
  return `${Math.round(number)} B`;
}

export function micros(number) {
  if (number >= 1e6) return `${(number / 1e6).toFixed(2)} s`;
  if (number >= 1e3) return `${(number / 1e3).toFixed(number < 1e4 ? 1 : 0)} ms`;
  return `${Math.round(number)} µs`;
}

export function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const total = Math.max(Math.floor(seconds), 0);
  if (total < 60) return `${total} s`;
  if (total < 3600) return `${Math.floor(total / 60)} min ${total % 60} s`;
  if (total < 86400) return `${Math.floor(total / 3600)} h ${Math.floor((total % 3600) / 60)} min`;
  return `${Math.floor(total / 86400)} d ${Math.floor((total % 86400) / 3600)} h`;
}

export function since(unixMs, nowMs = Date.now()) {
  return unixMs === null ? "–" : span((nowMs - unixMs) / 1000);
}

export function moment(unixMs) {
  return new Date(unixMs).toLocaleString("sv-SE");
}

export function clock(unixMs) {
  return new Date(unixMs).toLocaleTimeString("sv-SE", { hour: "2-digit", minute: "2-digit" });
}
