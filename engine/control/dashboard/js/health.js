// Connections by the age of their data, latency, queues and alerts.

import { $, el, table } from "./elements.js";
import { age, when, whole } from "./format.js";
import { t, term } from "./words.js";

const TONES = { connected: "good", stale: "warn", disconnected: "bad" };

const badge = (state) => (state ? el("span", { class: `badge ${TONES[state] || ""}` }, term(state)) : "–");

export const health = ({ health: found, accounts }) => {
  if (!found) return;
  const links = accounts.map(({ account, gateway, link, reconciled }) => ({
    gateway, what: `${t("account")} ${account}`, state: link === null ? "" : link ? "connected" : "disconnected", reason: reconciled ? reconciled.text : "",
  }));
  const feeds = found.feeds.filter((feed) => feed.has_feed || feed.state).map((feed) => ({ ...feed, what: t("market_data") }));
  table("feeds", [[t("gateway")], [t("kind")], [t("state")], [t("reason")]],
    [...links, ...feeds].map(({ gateway, what, state, reason }) => ({ cells: [[gateway], [what], [badge(state)], [reason || "", "long"]] })));
  $("ages").replaceChildren(...found.data.map(({ instrument, open, age_ms: old, most_ms: most, fresh }) => {
    const fill = el("i", { class: fresh ? "" : open ? "bad" : "idle" });
    fill.style.width = `${Math.min(100, most ? ((old ?? most) / most) * 100 : 0)}%`;
    return el("div", { class: "gauge" },
      el("span", {}, instrument, " ", el("span", { class: "quiet" }, !open ? t("closed") : fresh ? t("fresh") : t("stale"))),
      el("span", {}, `${age(old)} / ${age(most)}`), el("div", { class: "bar" }, fill));
  }));
  table("queues", [[t("account")], [t("waiting"), "right"], [t("p50"), "right"], [t("p99"), "right"], [t("budget"), "right"]],
    found.queues.map((q) => ({
      cells: [[q.account], [whole(q.waiting), "right"], [age(q.send_p50_ms), "right"], [age(q.send_p99_ms), "right"],
        [q.orders_left === null ? "–" : `${whole(q.orders_left)} / ${whole(q.orders_per_minute)}`, "right"]],
    })));
  const vitals = [[t("loop_lag"), age(found.loop_lag_ms)], [t("journal_behind"), whole(found.journal_behind)], [t("uptime"), age(found.uptime_s * 1000)]];
  $("vitals").replaceChildren(...vitals.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
};

export const alerts = ({ alerts: rows }) => table("alerts", [[t("time")], [t("about")], [t("text")]],
  rows.slice(0, 100).map(({ about, text, at }) => ({ cells: [[when(at)], [about], [text, "long"]] })));
