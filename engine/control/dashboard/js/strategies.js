// Strategies: how each stands; stopping one, starting it again, other parameters.

import { post } from "./api.js";
import { el, table } from "./elements.js";
import { signed, tone, whole } from "./format.js";
import { asking, back, field, open, warn } from "./risk.js";
import { t, term } from "./words.js";

export const strategies = ({ strategies: rows }, scopes) => table("strategies",
  [[t("name")], [t("state")], [t("day_profit"), "right"], [t("orders_made"), "right"], [t("account"), "wide"], [t("parameters"), "wide"], [t("reason"), "wide"], [""]],
  rows.map((row) => ({
    key: row.name,
    cells: [[row.name], [el("span", { class: `badge ${row.state === "running" ? "good" : "bad"}` }, term(row.state))], [signed(row.day_profit), `right ${tone(row.day_profit)}`],
      [whole(row.orders_made), "right"], [row.account, "wide"], [row.parameters.map((p) => `${p.name} ${p.value}`).join(", "), "long wide"], [row.reason || "", "long wide"],
      [buttons(row, scopes)]],
  })), [2, 3]);

const buttons = (row, scopes) => el("div", { class: "row" },
  row.state === "stopped" ? el("button", { type: "button", onclick: () => starting(row.name, scopes) }, t("start")) : null,
  row.state === "running" || row.state === "waiting" ? el("button", { type: "button", onclick: () => stopping(row.name, scopes) }, t("stop")) : null,
  row.parameters.length ? el("button", { type: "button", onclick: () => changing(row, scopes) }, t("parameters")) : null);

const path = (name, what) => `/api/strategies/${encodeURIComponent(name)}/${what}`;

const asked = (title, scopes, send, word, kind, hint, ...fields) => {
  const why = el("input", { id: "strategy-why", required: true, maxLength: 200 }), fault = el("p", { class: "fault", role: "alert" });
  open(title, warn(scopes, "risk:set"), hint ? el("p", { class: "quiet" }, hint) : null, el("form", { id: "strategy-form", onsubmit: asking(() => send(why.value), fault) },
    ...fields, field(t("why"), why), fault, el("div", { class: "row" }, back(), el("button", { type: "submit", class: kind }, word))));
  return why;
};

const stopping = (name, scopes) =>
  asked(t("stop_title", name), scopes, (reason) => post(path(name, "stop"), { reason }), t("stop"), "danger").focus();

const starting = (name, scopes) =>
  asked(t("start_title", name), scopes, (reason) => post(path(name, "start"), { reason }), t("start"), "primary", t("start_hint")).focus();

// A number, true, false or a list as it is written; what is text in the strategy stays text.
const value = (before, text) => {
  if (typeof before === "string") return text;
  try { return JSON.parse(text); } catch { return text; }
};

const shown = (one) => (typeof one === "object" ? JSON.stringify(one) : String(one));

const bounds = ({ minimum, exclusiveMinimum: above, maximum, exclusiveMaximum: below }) =>
  [["≥", minimum], [">", above], ["≤", maximum], ["<", below]].filter(([, bound]) => bound !== undefined).map(([sign, bound]) => `${sign} ${bound}`).join(", ");

const changing = (row, scopes) => {
  const inputs = row.parameters.map((p) => [p, el("input", { id: `parameter-${p.name}`, value: shown(p.value), autocomplete: "off", spellcheck: false })]);
  const fields = inputs.map(([p, input]) => field([p.name, p.schema.description, bounds(p.schema)].filter(Boolean).join(" · "), input));
  const send = (reason) => post(path(row.name, "parameters"),
    { reason, values: Object.fromEntries(inputs.filter(([p, input]) => input.value !== shown(p.value)).map(([p, input]) => [p.name, value(p.value, input.value)])) });
  asked(t("parameters_title", row.name), scopes, send, t("set"), "primary", t("parameters_hint"), ...fields);
  if (inputs.length) inputs[0][1].focus();
};
