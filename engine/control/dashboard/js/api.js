// What the page asks of the control API. The token lives in this tab alone (sessionStorage), and goes out as a header.

const KEY = "sluice.token";
let token = sessionStorage.getItem(KEY) || "";

export const known = () => token !== "";

export const use = (text) => {
  token = text.trim();
  sessionStorage.setItem(KEY, token);
};

export const forget = () => {
  token = "";
  sessionStorage.removeItem(KEY);
};

export class Refused extends Error {
  constructor(status, answer) {
    super(answer.error || answer.answer || `HTTP ${status}`);
    this.status = status;
    this.details = answer.details || {};
  }
}

const headers = (more = {}) => ({ authorization: `Bearer ${token}`, ...more });

const read = async (answer) => {
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, body);
  return body;
};

export const get = async (path) => read(await fetch(path, { headers: headers(), cache: "no-store" }));

export const post = async (path, body) =>
  read(await fetch(path, { method: "POST", headers: headers({ "content-type": "application/json" }), body: JSON.stringify(body) }));

// Server-Sent Events by fetch: EventSource can not carry the token. Ends when the stream does; throws what refused it.
export const stream = async (hear, signal) => {
  const answer = await fetch("/api/stream", { headers: headers(), signal, cache: "no-store" });
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => ({})));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let left = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (left + value).split("\n\n");
    left = parts.pop();
    for (const part of parts) {
      let name = "", data = "";
      for (const line of part.split("\n")) {
        if (line.startsWith("event: ")) name = line.slice(7);
        else if (line.startsWith("data: ")) data += line.slice(6);
      }
      if (name) hear(name, JSON.parse(data));
    }
  }
};
