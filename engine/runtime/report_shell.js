// What every page stands on: its data, numbers and times as text, elements, charts, and the buttons at the top.
const D = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const wish = new Set(location.hash.slice(1).split(","));
const state = {
  language: wish.has("zh") ? "zh" : wish.has("en") ? "en" : D.language || ((navigator.language || "en").startsWith("zh") ? "zh" : "en"),
  dark: wish.has("dark") || (!wish.has("light") && matchMedia("(prefers-color-scheme: dark)").matches),
  redUp: wish.has("redup") || (!wish.has("greenup") && D.red_up),
  explain: wish.has("explain"), log: false,
};
const t = (key) => { const w = WORDS[state.language][key]; return w === undefined ? key : w; };
const PALETTE = ["#2e90fa", "#f79009", "#7a5af8", "#06aed4", "#ee46bc", "#669f2a", "#98a2b3", "#c4320a"];

// --- numbers and times -----------------------------------------------------------------------------------------------
const blank = (v) => v === null || v === undefined;
const number = (v, digits = 2) => blank(v) ? "–" : (Math.abs(v) < 0.5 * 10 ** -digits ? 0 : Number(v)).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const percent = (v, digits = 2) => blank(v) ? "–" : number(v * 100, digits) + "%";
const signed = (v, show) => blank(v) ? "–" : (v > 0 ? "+" : "") + show(v);
const price = (v) => v === 0 ? "0" : number(v, Math.abs(v) >= 1000 ? 2 : Math.abs(v) >= 1 ? 3 : 6);
const two = (n) => String(n).padStart(2, "0");
const day = (s) => { const d = new Date(s * 1000); return `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`; };
const clock = (s) => { const d = new Date(s * 1000); return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`; };
const moment = (s) => `${day(s)} ${clock(s)}`;
const stamp = moment;
const span = (s) => {
  if (blank(s)) return "–";
  const parts = [[Math.floor(s / 86400), "d"], [Math.floor(s / 3600) % 24, "h"], [Math.floor(s / 60) % 60, "m"], [Math.floor(s) % 60, "s"]];
  return parts.filter(([n]) => n).slice(0, 2).map(([n, u]) => n + u).join(" ") || "0s";
};
const tone = (v) => v > 0 ? "up" : v < 0 ? "down" : "";

// --- elements --------------------------------------------------------------------------------------------------------
const element = (tag, text, classes) => {
  const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text;
  if (classes) e.className = classes;
  return e;
};
const table = (id, heads, rows) => {
  const top = element("thead"), line = element("tr"), body = element("tbody");
  heads.forEach(([text, classes]) => line.append(element("th", text, classes)));
  top.append(line);
  rows.forEach((cells) => {
    const row = element("tr");
    cells.forEach(([text, classes]) => row.append(element("td", text, classes)));
    body.append(row);
  });
  if (!rows.length) {
    const cell = element("td", t("none"), "none"), row = element("tr");
    cell.colSpan = heads.length;
    row.append(cell);
    body.append(row);
  }
  $(id).replaceChildren(top, body);
};
const choice = (id, rows, chosen, choose) => $(id).replaceChildren(...rows.map(([key, text]) => {
  const button = element("button", text, key === chosen ? "chosen" : "");
  button.type = "button";
  button.setAttribute("aria-pressed", String(key === chosen));
  button.addEventListener("click", () => choose(key));
  return button;
}));
// Cells of returns, the deeper the stronger.
const heat = (cell, v, deepest) => {
  if (v) cell.style.background = `color-mix(in srgb, var(--${v > 0 ? "up" : "down"}) ${Math.round(8 + 58 * Math.min(1, Math.abs(v) / deepest))}%, var(--card))`;
};

// --- charts ----------------------------------------------------------------------------------------------------------
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const narrow = () => innerWidth < 640;
const frame = (more) => ({
  paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: narrow() ? 50 : 64, r: 12, t: 8, b: 32 },
  font: { color: colour("quiet"), size: 12, family: getComputedStyle(document.body).fontFamily }, hovermode: "x unified", dragmode: narrow() ? false : "zoom", showlegend: true,
  legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom" }, bargap: 0.15,
  hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } }, ...more,
});
// No tool bar: dragging zooms, a double click shows all, and some of its buttons would go to the network.
const CONFIG = { displaylogo: false, displayModeBar: false, responsive: true, scrollZoom: false, showLink: false, plotlyServerURL: "", showTips: false };
const axis = (more) => ({ gridcolor: colour("line"), linecolor: colour("line"), zeroline: false, automargin: false, ...more });
const dates = (seconds, more) => {
  const long = seconds.length && seconds[seconds.length - 1] - seconds[0] > 2e7;
  return axis({ type: "date", nticks: narrow() ? 4 : 10, ...(long ? { tickformat: "%Y-%m" } : {}), ...more });
};

// --- the page's buttons ----------------------------------------------------------------------------------------------
const dress = () => {
  const root = document.documentElement;
  root.lang = state.language === "zh" ? "zh-CN" : "en";
  root.dataset.theme = state.dark ? "dark" : "light";
  root.dataset.up = state.redUp ? "red" : "green";
  root.dataset.explain = state.explain ? "on" : "off";
  document.querySelectorAll("[data-t]").forEach((e) => { e.textContent = t(e.dataset.t); });
  $("language").textContent = t("other");
  $("theme").textContent = t(state.dark ? "theme_light" : "theme_dark");
  $("colours").textContent = t(state.redUp ? "green_up" : "red_up");
  if ($("notes")) $("notes").replaceChildren(...D.notes.map((note) => element("li", note)));
};
const start = (draw) => {
  $("language").addEventListener("click", () => { state.language = state.language === "zh" ? "en" : "zh"; draw(); });
  $("theme").addEventListener("click", () => { state.dark = !state.dark; draw(); });
  $("colours").addEventListener("click", () => { state.redUp = !state.redUp; draw(); });
  if ($("explain")) $("explain").addEventListener("click", () => { state.explain = !state.explain; draw(); });
  draw();
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
};
