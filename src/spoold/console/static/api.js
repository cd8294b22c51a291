// Talks to /api/v1. Bytes come as {base64, text, size, cut} and go as {base64}; in a URL they are percent-encoded.

const ROOT = "/api/v1";

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** An instance shared by all: who must log in is told through `api.onLogin`. */
export const api = { onLogin: () => {}, get, post };

async function get(path, given = {}, signal = undefined) {
  const query = Object.entries(given)
    .filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([name, value]) => `${name}=${encodeValue(value)}`)
    .join("&");
  return send(query ? `${path}?${query}` : path, { signal });
}

async function post(path, body = {}) {
  return send(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-spoold": "1" },
    body: JSON.stringify(body),
  });
}

async function send(path, options) {
  let response;
  try {
    response = await fetch(ROOT + path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "no-connection", "The server does not answer.");
  }
  let found = null;
  try {
    found = await response.json();
  } catch {
    throw new ApiError(response.status, "no-json", `The server answered with ${response.status}.`);
  }
  if (response.ok) return found;
  const told = found.error ?? { code: "error", message: `The server answered with ${response.status}.` };
  const error = new ApiError(response.status, told.code, told.message);
  if (response.status === 401 && !path.startsWith("/session")) api.onLogin();
  throw error;
}

function encodeValue(value) {
  return value instanceof Uint8Array ? encodeBytes(value) : encodeURIComponent(String(value));
}

export function encodeBytes(bytes) {
  let text = "";
  for (const byte of bytes) {
    const plain = (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122) || byte === 45 || byte === 46 || byte === 95;
    text += plain ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, "0")}`;
  }
  return text;
}

export function decodePercent(text) {
  const bytes = [];
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "%") {
      bytes.push(parseInt(text.slice(at + 1, at + 3), 16) || 0);
      at += 2;
    } else {
      bytes.push(...new TextEncoder().encode(text[at]));
    }
  }
  return new Uint8Array(bytes);
}

export function bytesOf(shown) {
  const text = atob(shown.base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

export function textBytes(text) {
  return new TextEncoder().encode(text);
}

/** What the API takes for bytes. */
export function valueOf(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return { base64: btoa(text) };
}

/** A pattern that matches what contains `text`; one that has a star is taken as it is. */
export function pattern(text) {
  if (!text) return undefined;
  if (text.includes("*")) return textBytes(text);
  return textBytes(`*${text.replace(/[\\?[\]^]/g, "\\$&")}*`);
}
