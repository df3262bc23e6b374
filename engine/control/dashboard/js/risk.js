// Limits and denials; stopping and resuming; what every dialog is made of.

import { get, post } from "./api.js";
import { $, el, table } from "./elements.js";
import { when, whole } from "./format.js";
import { spoken, t } from "./words.js";

const LEVELS = ["reduce", "halt", "cancel", "flatten"];

const figure = (value) => {
  const number = Number(value);
  return Number.isFinite(number) ? number.toLocaleString("en-US", { maximumFractionDigits: Math.abs(number) < 10 ? 3 : 0 }) : String(value);
};

export const gauges = ({ risk }) => {
  if (!risk) return;
  const said = Object.fromEntries(risk.limits.map((limit) => [limit.name, spoken() === "zh" ? limit.chinese : limit.english]));
  const rows = risk.gauges.slice(0, 14).map(({ limit, subject, used, cap, share, unit }) => {
    const part = Math.max(0, Math.min(1, share ?? 0)), fill = el("i", { class: part >= 0.9 ? "bad" : part >= 0.7 ? "warn" : "" });
    fill.style.width = `${part * 100}%`;
    return el("div", { class: "gauge", title: said[limit] || "" },
      el("span", {}, limit, el("span", { class: "quiet" }, ` ${subject}`)), el("span", {}, `${figure(used)} / ${figure(cap)} ${unit || ""}`),
      el("div", { class: "bar", role: "meter", "aria-valuenow": String(Math.round(part * 100)), "aria-valuemin": "0", "aria-valuemax": "100", "aria-label": `${limit} ${subject}` }, fill));
  });
  $("gauges").replaceChildren(...(rows.length ? rows : [el("p", { class: "quiet" }, t("none"))]));
  $("denial-counts").replaceChildren(...Object.entries(risk.denials).map(([code, count]) => el("span", { class: "badge warn" }, `${code} ${whole(count)}`)));
};

export const denials = ({ denials: rows }) => table("denials", [[t("time")], [t("code")], [t("instrument")], [t("reason")]],
  rows.slice(0, 100).map(({ code, reason, order, at }) => ({ cells: [[when(at)], [code], [order.instrument], [reason, "long"]] })));

// --- dialogs ---------------------------------------------------------------------------------------------------------

export const field = (name, input) => el("label", {}, el("span", {}, name), input);

export const warn = (scopes, scope) => (scopes.includes(scope) || scopes.includes("admin") ? null : el("p", { class: "fault" }, t("no_scope", scope)));

export const open = (title, ...inner) => {
  const dialog = $("dialog");
  dialog.replaceChildren(el("h2", {}, title), ...inner.filter(Boolean));
  if (!dialog.open) dialog.showModal();
};

const shut = () => $("dialog").close();

export const back = () => el("button", { type: "button", onclick: shut }, t("cancel"));

export const asking = (send, fault) => async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button[type=submit]");
  button.disabled = true;
  fault.className = "fault";
  fault.textContent = "";
  try {
    await send();
    shut();
  } catch (error) {
    fault.textContent = error.message;
  }
  button.disabled = false;
};

export const killing = (store, scopes) => {
  const scope = el("select", { id: "kill-scope" });
  const scopeNames = (level) => (level === "flatten" ? [] : ["all"]).concat(
    store.accounts.map((a) => `account:${a.account}`),
    level === "flatten" ? [] : store.strategies.map((s) => `strategy:${s.name}`), level === "flatten" ? [] : store.instruments.map((i) => `symbol:${i.id}`));
  const again = el("input", { autocomplete: "off", spellcheck: false }), confirm = field("", again);
  const fault = el("p", { class: "fault", role: "alert" }), why = el("input", { id: "kill-why", required: true, maxLength: 200 });
  let level = "halt";
  const redraw = () => {
    const names = scopeNames(level), chosen = scope.value;
    scope.replaceChildren(...names.map((name) => el("option", { value: name }, name === "all" ? t("everything") : name)));
    if (names.includes(chosen)) scope.value = chosen;
    confirm.hidden = level !== "flatten";
    again.required = level === "flatten";
    confirm.firstChild.textContent = t("type_again", scope.value.replace("account:", ""));
  };
  scope.addEventListener("change", redraw);
  const radios = LEVELS.map((name) => el("label", { class: "choice" },
    el("input", { type: "radio", name: "level", value: name, checked: name === level, onchange: () => { level = name; redraw(); } }),
    el("span", {}, el("b", {}, t(name === "cancel" ? "cancel_all" : name)), t(`${name}_hint`))));
  const send = () => post("/api/kill", { scope: scope.value, level, reason: why.value, ...(level === "flatten" ? { confirm: again.value } : {}) });
  open(t("kill_title"), warn(scopes, "risk:set"), el("form", { id: "kill-form", onsubmit: asking(send, fault) },
    ...radios, field(t("scope"), scope), confirm, field(t("why"), why), fault,
    el("div", { class: "row" }, back(), el("button", { type: "submit", class: "danger", id: "kill-send" }, t("send")))));
  redraw();
  why.focus();
};

export const resuming = (store, scopes) => {
  const rows = store.latches.map((latch) => el("div", { class: "latch" },
    el("div", {}, el("b", {}, `${t("levels")[latch.level]} · ${latch.scope}`), el("div", { class: "quiet" }, `${latch.cause} · ${latch.who} · ${when(latch.at)}`)),
    el("button", { type: "button", onclick: () => lifting(latch, scopes) }, t("lift"))));
  open(t("resume_title"), el("p", { class: "quiet" }, t("resume_hint")), ...(rows.length ? rows : [el("p", {}, t("no_latch"))]), el("div", { class: "row" }, back()));
};

const lifting = (latch, scopes) => {
  const why = el("input", { id: "resume-why", required: true, maxLength: 200 }), fault = el("p", { class: "fault", role: "alert" });
  const code = el("input", { id: "resume-code", autocomplete: "off" }), confirm = field("", code);
  confirm.hidden = true;
  const send = async () => {
    try {
      await post("/api/resume", { scope: latch.scope, reason: why.value, ...(code.value ? { confirm: code.value } : {}) });
    } catch (error) {
      if (error.details && error.details.confirm) {
        confirm.hidden = false;
        confirm.firstChild.textContent = t("type_code", error.details.confirm);
        code.focus();
      }
      throw error;
    }
  };
  open(`${t("lift")}: ${latch.scope}`, warn(scopes, "risk:reset"), el("p", {}, latch.cause), el("form", { onsubmit: asking(send, fault) },
    field(t("why"), why), confirm, fault, el("div", { class: "row" }, back(), el("button", { type: "submit", class: "primary" }, t("lift")))));
  why.focus();
};

export const reload = async (store) => { store.risk = await get("/api/risk"); };
