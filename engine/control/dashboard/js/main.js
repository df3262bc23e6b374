// The page: logging in, one stream for everything that moves, lists asked anew after every break.

import * as api from "./api.js";
import { $, el } from "./elements.js";
import { full } from "./format.js";
import * as views from "./health.js";
import * as money from "./money.js";
import * as book from "./orders.js";
import * as risk from "./risk.js";
import * as rows from "./strategies.js";
import { speak, spoken, t, term } from "./words.js";

const TABS = ["overview", "orders", "risk", "health"];
const ROWS = 500;

const store = {
  status: null, accounts: [], positions: [], prices: {}, orders: new Map(), fills: [], denials: [], latches: [], strategies: [],
  alerts: [], instruments: [], equity: null, bars: null, risk: null, health: null, run: null,
};
let scopes = [], abort = null, link = "connecting", tab = "overview";

// --- drawing ---------------------------------------------------------------------------------------------------------

const dirty = new Set();
const DRAW = {
  head: () => head(),
  tiles: () => money.tiles(store),
  positions: () => money.positions(store),
  equity: () => money.drawEquity(store),
  bars: () => money.drawBars(store),
  orders: () => book.orders(store, () => draw("orders")),
  fills: () => book.fills(store),
  gauges: () => risk.gauges(store),
  denials: () => risk.denials(store),
  strategies: () => rows.strategies(store, scopes),
  health: () => views.health(store),
  alerts: () => views.alerts(store),
};

const draw = (...names) => {
  if (!dirty.size) requestAnimationFrame(() => {
    const due = [...dirty];
    dirty.clear();
    due.forEach((name) => DRAW[name]());
  });
  names.forEach((name) => dirty.add(name));
};

const drawAll = () => draw(...Object.keys(DRAW));

const head = () => {
  const { run, status, accounts, latches, health } = store;
  const level = Math.max(0, ...latches.map((latch) => latch.level));
  $("name").textContent = run ? run.name : "Sluice";
  document.title = `${run ? run.name : "Sluice"} · 闸`;
  const proven = money.environment(accounts);
  $("mode").textContent = run ? [term(run.mode), proven].filter((one, at, all) => one && all.indexOf(one) === at).join(" · ") : "";
  $("mode").className = `badge ${accounts.some((a) => a.environment === "real") ? "bad" : "good"}`;
  const ready = Boolean(status && status.ready && (!health || health.ready));
  $("level").textContent = level ? t("levels")[level] : ready ? t("levels")[0] : t("not_ready").replace(/[:：] ?$/, "");
  $("level").className = `badge ${level ? "bad" : ready ? "good" : "warn"}`;
  $("link").textContent = t(link);
  $("dot").className = `dot ${link === "connected" ? "good" : link === "lost" ? "bad" : "warn"}`;
  $("clock").textContent = status && status.now ? full(Date.parse(status.now.time)) : "";
  $("resume").hidden = !latches.length;
  const reasons = health && !health.ready ? health.reasons : [];
  const text = latches.length ? t("stopped_by", latches.map((l) => `${t("levels")[l.level]} ${l.scope} (${l.cause})`).join(" · "))
    : reasons.length ? t("not_ready") + reasons.join(" · ") : "";
  $("banner").hidden = !text;
  $("banner").className = latches.length ? "" : "warn";
  $("banner").textContent = text;
  $("language").textContent = t("other");
  $("theme").textContent = t(root.dataset.theme === "dark" ? "light" : "dark");
  $("colours").textContent = t(root.dataset.up === "red" ? "green_up" : "red_up");
  $("tabs").replaceChildren(...TABS.map((name) => el("button", { type: "button", "aria-pressed": String(name === tab), onclick: () => show(name) }, t(name))));
};

const show = (name) => {
  tab = name;
  document.querySelectorAll("main > section").forEach((section) => section.classList.toggle("shown", section.dataset.tab === name));
  scrollTo(0, 0);
  drawAll();
};

// --- what moves ------------------------------------------------------------------------------------------------------

const front = (list, row) => { list.unshift(row); list.length = Math.min(list.length, ROWS); };

const HEAR = {
  status: (data) => { store.status = data; draw("head", "tiles"); },
  accounts: (data) => { store.accounts = data; draw("tiles", "head", "equity"); },
  positions: (data) => { store.positions = data; draw("positions"); },
  prices: (data) => { Object.assign(store.prices, data); draw("positions", "bars"); },
  order: (data) => { store.orders.set(data.client_id, data); draw("orders"); },
  fill: (data) => { front(store.fills, data); draw("fills"); soon(bars); },
  denial: (data) => { front(store.denials, data); draw("denials"); },
  alert: (data) => { front(store.alerts, data); draw("alerts"); },
  strategy: () => soon(strategies),
  latch: () => soon(latches),
  feeds: (data) => { if (store.health) { store.health.feeds = data; draw("health"); } },
  feed: () => soon(health),
  link: () => soon(health),
};

const bars = () => money.bars(store);
const equity = () => money.equity(store);
const strategies = async () => { store.strategies = await api.get("/api/strategies"); draw("strategies"); };
const latches = async () => { store.latches = await api.get("/api/latches"); draw("head"); };
const health = async () => { store.health = await api.get("/api/health"); draw("health", "head"); };
const gauges = async () => { await risk.reload(store); draw("gauges"); };

// Asked for many times at once, done once; what the API refuses for a while is asked again at the next turn.
const waiting = new Map();
const soon = (what, ms = 300) => {
  if (!waiting.has(what)) waiting.set(what, setTimeout(() => { waiting.delete(what); quietly(what); }, ms));
};
const quietly = async (what) => {
  try {
    await what();
  } catch (error) {
    if (error.status === 401) leave(t("shut_out"));
  }
};

const lists = async () => {
  const [run, orders, fills, denials, alerts, instruments] = await Promise.all(
    ["status", `orders?state=all&limit=${ROWS}`, "fills?limit=100", "risk/denials?limit=100", "alerts?limit=100", "instruments"].map((path) => api.get(`/api/${path}`)));
  Object.assign(store, { run, fills, denials, alerts, instruments, accounts: run.accounts, latches: run.latches });
  store.orders = new Map(orders.map((order) => [order.client_id, order]));
};

const follow = async () => {
  const mine = (abort = new AbortController());
  for (let wait = 500; !mine.signal.aborted; wait = Math.min(wait * 2, 10_000)) {
    try {
      await lists();
      drawAll();
      [strategies, health, gauges, equity, bars].forEach((what) => soon(what, 0));
      await api.stream((name, data) => {
        if (name === "hello") { link = "connected"; wait = 500; }
        if (HEAR[name]) HEAR[name](data);
      }, mine.signal);
    } catch (error) {
      if (error.status === 401) { leave(t("shut_out")); return; }
    }
    if (mine.signal.aborted) return;
    link = "lost";
    draw("head");
    await new Promise((go) => setTimeout(go, wait));
  }
};

const EVERY = [[health, 3000], [gauges, 5000], [strategies, 5000], [equity, 10_000], [bars, 10_000]];
EVERY.forEach(([what, ms]) => setInterval(() => { if (link === "connected" && !document.hidden) quietly(what); }, ms));

// --- coming and going ------------------------------------------------------------------------------------------------

const enter = async () => {
  const said = await api.get("/api/token");
  scopes = said.scopes;
  $("login").hidden = true;
  $("page").hidden = false;
  show(tab);
  follow();
};

const leave = (why = "") => {
  api.forget();
  if (abort) abort.abort();
  $("page").hidden = true;
  $("login").hidden = false;
  $("login-fault").textContent = why;
  $("token").value = "";
  $("token").focus();
};

const root = document.documentElement;
const dark = localStorage.getItem("sluice.theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
root.dataset.theme = dark;
root.dataset.up = localStorage.getItem("sluice.up") || (spoken() === "zh" ? "red" : "green");
speak(spoken());

const turn = (name, key, values) => {
  root.dataset[name] = root.dataset[name] === values[0] ? values[1] : values[0];
  localStorage.setItem(key, root.dataset[name]);
  drawAll();
};

$("language").addEventListener("click", () => { speak(spoken() === "zh" ? "en" : "zh"); drawAll(); });
$("theme").addEventListener("click", () => turn("theme", "sluice.theme", ["dark", "light"]));
$("colours").addEventListener("click", () => turn("up", "sluice.up", ["red", "green"]));
$("logout").addEventListener("click", () => leave());
$("kill").addEventListener("click", () => risk.killing(store, scopes));
$("resume").addEventListener("click", () => risk.resuming(store, scopes));
$("equity-account").addEventListener("change", () => quietly(equity));
$("candle-instrument").addEventListener("change", () => quietly(bars));
addEventListener("resize", () => draw("equity", "bars"));
addEventListener("keydown", (event) => { if (event.key === "Escape") book.close(); });

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  api.use($("token").value);
  try {
    await enter();
  } catch (error) {
    leave(error.message);
  }
});

if (api.known()) enter().catch((error) => leave(error.message));
else leave();
