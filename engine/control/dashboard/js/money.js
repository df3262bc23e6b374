// Accounts, equity, positions and candles.

import { get } from "./api.js";
import { candles, line } from "./charts.js";
import { $, choices, el, table } from "./elements.js";
import { age, full, money, percent, price, signed, tone, whole } from "./format.js";
import { t, term } from "./words.js";

const tile = (name, values, note) => el("div", { class: "tile" }, el("span", {}, name), ...values, el("small", {}, note));

// Sums of text amounts a currency; money of several currencies is never added up.
const sums = (accounts, pick) => {
  const found = new Map();
  for (const account of accounts) {
    const value = pick(account);
    if (value === null || value === undefined) found.set(account.currency, null);
    else if (found.get(account.currency) !== null) found.set(account.currency, (found.get(account.currency) || 0) + Number(value));
  }
  return found;
};

// One line a currency.
const several = (found, show, tinted = false) => (found.size ? [...found] : [["", null]]).map(([currency, value]) =>
  el("b", { class: `${found.size > 1 ? "small" : ""} ${tinted ? tone(value) : ""}` },
    value === null ? (found.size ? t("not_known") : "–") : show(value.toFixed(2)), el("i", {}, ` ${currency}`)));

export const tiles = ({ accounts, status }) => {
  const equity = sums(accounts, (a) => a.equity), profit = sums(accounts, (a) => a.day_profit), invested = sums(accounts, (a) => a.invested);
  const [one] = [...profit.values()], [all] = [...equity.values()], [put] = [...invested.values()];
  const alone = profit.size === 1 && one !== null && all;
  const unknown = accounts.reduce((sum, a) => sum + a.unknown_orders, 0);
  const counts = status ? `${whole(status.orders)} · ${whole(status.fills)} · ${whole(status.denied)}` : "–";
  $("tiles").replaceChildren(
    tile(t("equity"), several(equity, money), ""),
    tile(t("day_profit"), several(profit, signed, true), alone ? percent(one / (all - one)) : ""),
    tile(t("invested"), several(invested, money), invested.size === 1 && put !== null && all ? `${percent(put / all)} ${t("of_equity")}` : ""),
    tile(t("counts"), [el("b", {}, counts)], `${status ? status.working : 0} ${t("working")}${unknown ? ` · ${unknown} ${t("unknown")}` : ""}`),
  );
};

export const positions = ({ positions: rows, prices }) => {
  table("positions",
    [[t("instrument")], [t("name"), "wide"], [t("account"), "wide"], [t("quantity"), "right"], [t("sellable"), "right wide"], [t("average"), "right wide"],
      [t("price"), "right"], [t("value"), "right wide"], [t("profit"), "right"], [t("age"), "right wide"], [t("held_by"), "wide"]],
    rows.map((row) => {
      const now = prices[row.instrument];
      return {
        key: `${row.account} ${row.instrument}`,
        cells: [[row.instrument], [row.name, "wide"], [row.account, "wide"], [whole(row.quantity), "right"], [whole(row.sellable), "right wide"],
          // What was there before us has no cost that we know of, and so no profit.
          [Number(row.average_price) ? price(row.average_price) : "–", "right wide"], [price(now ? now.price : row.price), "right"], [`${money(row.value)} ${row.currency}`, "right wide"],
          Number(row.average_price) ? [signed(row.profit), `right ${tone(row.profit)}`] : ["–", "right"], [age(now ? now.age_ms : row.price_age_ms), "right wide"],
          [Object.entries(row.strategies).map(([name, held]) => `${name} ${whole(held)}`).join(", "), "wide"]],
      };
    }), [3, 6, 8]);
};

export const equity = async (store) => {
  const names = store.accounts.map((a) => a.account);
  const chosen = choices("equity-account", names);
  if (!chosen) return;
  store.equity = (await get(`/api/equity?limit=500&account=${encodeURIComponent(chosen)}`)).map(([ms, worth]) => [ms, Number(worth)]);
  drawEquity(store);
};

// The curve is of samples, minutes apart; what the account is worth now is its end.
const untilNow = ({ equity: samples, accounts, status }) => {
  const one = accounts.find((a) => a.account === $("equity-account").value);
  const now = status && status.now ? Date.parse(status.now.time) : 0;
  const known = samples && samples.length && one && one.equity !== null && now > samples.at(-1)[0];
  return known ? [...samples, [now, Number(one.equity)]] : samples;
};

export const drawEquity = (store) => {
  const points = untilNow(store);
  if (!points || points.length < 2) {
    $("equity-note").textContent = t("none");
    return;
  }
  line($("equity-chart"), points);
  const [[from, first], [to, last]] = [points[0], points.at(-1)];
  $("equity-note").textContent = `${t("from_to", full(from), full(to))} · ${signed((last - first).toFixed(2))} · ${t("local_time")}`;
  $("equity-chart").setAttribute("aria-label", `${t("equity")} ${money(last.toFixed(2))}`);
};

export const bars = async (store) => {
  const names = store.instruments.map((i) => i.id);
  const chosen = choices("candle-instrument", names, store.instruments.map((i) => (i.name && i.name !== i.id ? `${i.id} ${i.name}` : i.id)));
  if (!chosen) return;
  store.bars = await get(`/api/candles?limit=400&instrument=${encodeURIComponent(chosen)}`);
  drawBars(store);
};

export const drawBars = ({ bars: found, prices }) => {
  if (!found) return;
  const { instrument, bars: rows, fills } = found;
  const note = $("candle-note");
  if (!rows.length) {
    note.textContent = t("no_bars");
    return;
  }
  const last = prices[instrument] ? prices[instrument].price : null;
  const marks = fills.map((fill) => ({ ms: Number(fill.at ? BigInt(fill.at.ts_ns) / 1000000n : 0), side: fill.side, price: Number(fill.price) }));
  candles($("candle-chart"), rows, marks, last);
  $("candle-chart").setAttribute("aria-label", `${instrument} ${price(last ?? rows.at(-1)[4])}`);
  note.textContent = `${t("last_bars", rows.length, full(rows.at(-1)[0]))} · ▲ ${t("buy")} ▼ ${t("sell")} · ${t("local_time")}`;
};

export const environment = (accounts) => [...new Set(accounts.map((a) => a.environment).filter(Boolean))].map(term).join(", ");
