"use strict";
(() => {
  const D = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const wish = new Set(location.hash.slice(1).split(","));
  const state = {
    language: wish.has("zh") ? "zh" : wish.has("en") ? "en" : D.language || ((navigator.language || "en").startsWith("zh") ? "zh" : "en"),
    dark: wish.has("dark") || (!wish.has("light") && matchMedia("(prefers-color-scheme: dark)").matches),
    redUp: wish.has("redup") || (!wish.has("greenup") && D.red_up),
    chart: 0, from: null, to: null, sort: 5, falling: true, page: 0, filter: "",
  };
  const PAGE = 25;
  const t = (key) => { const w = WORDS[state.language][key]; return w === undefined ? key : w; };

  // --- numbers and times ---------------------------------------------------------------------------------------------
  const number = (v, digits = 2) => v === null || v === undefined ? "–" : (Math.abs(v) < 0.5 * 10 ** -digits ? 0 : v).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const percent = (v, digits = 2) => v === null || v === undefined ? "–" : number(v * 100, digits) + "%";
  const signed = (v, show) => (v > 0 ? "+" : "") + show(v);
  const price = (v) => v === 0 ? "0" : number(v, Math.abs(v) >= 1000 ? 2 : Math.abs(v) >= 1 ? 3 : 6);
  const two = (n) => String(n).padStart(2, "0");
  const day = (s) => { const d = new Date(s * 1000); return `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`; };
  const clock = (s) => { const d = new Date(s * 1000); return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`; };
  const moment = (s) => `${day(s)} ${clock(s)}`;
  const span = (s) => {
    if (s === null || s === undefined) return "–";
    const parts = [[Math.floor(s / 86400), "d"], [Math.floor(s / 3600) % 24, "h"], [Math.floor(s / 60) % 60, "m"], [Math.floor(s) % 60, "s"]];
    return parts.filter(([n]) => n).slice(0, 2).map(([n, u]) => n + u).join(" ") || "0s";
  };
  const tone = (v) => v > 0 ? "up" : v < 0 ? "down" : "";

  // --- elements ------------------------------------------------------------------------------------------------------
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

  // --- figures -------------------------------------------------------------------------------------------------------
  const S = D.statistics;
  const tiles = () => {
    const rows = [
      ["final_equity", number(D.final_equity, 0), "", D.currency],
      ["total_return", signed(S.total_return, percent), tone(S.total_return)],
      ["annual_return", S.annual_return === null ? "–" : signed(S.annual_return, percent), tone(S.annual_return)],
      ["sharpe", number(S.sharpe), ""],
      ["max_drawdown", percent(S.max_drawdown && -S.max_drawdown), S.max_drawdown ? "down" : ""],
      ["trips", number(S.round_trips, 0), ""],
      ["win_rate", percent(S.win_rate, 1), ""],
      ["fees", number(S.fees, 0), "", D.currency],
    ];
    $("tiles").replaceChildren(...rows.map(([key, text, classes, unit]) => {
      const tile = element("div", undefined, "tile");
      tile.append(element("b", text, classes), element("span", t(key) + (unit ? ` (${unit})` : "")));
      return tile;
    }));
  };
  const statistics = () => {
    const rows = [
      ["starting_equity", number(D.starting_equity)], ["final_equity", number(D.final_equity)], ["total_return", percent(S.total_return)],
      ["annual_return", percent(S.annual_return)], ["annual_volatility", percent(S.annual_volatility)], ["sharpe", number(S.sharpe)],
      ["sortino", number(S.sortino)], ["calmar", number(S.calmar)], ["max_drawdown", percent(S.max_drawdown)],
      ["drawdown_from", S.max_drawdown_from_ns || "–"], ["drawdown_to", S.max_drawdown_to_ns || "–"],
      ["drawdown_recovered", S.max_drawdown ? S.max_drawdown_recovered_ns || t("not_yet") : "–"],
      ["longest_drawdown", span(S.longest_drawdown_ns / 1e9)], ["exposure", percent(S.exposure)], ["turnover", number(S.turnover, 1)],
      ["traded_value", number(S.traded_value, 0)], ["fees", number(S.fees)], ["fills_count", number(S.fills, 0)],
      ["trips", number(S.round_trips, 0)], ["win_rate", percent(S.win_rate)], ["profit_factor", number(S.profit_factor)],
      ["average_pnl", number(S.average_pnl)], ["average_win", number(S.average_win)], ["average_loss", number(S.average_loss)],
      ["best", number(S.best)], ["worst", number(S.worst)],
      ["average_holding", S.average_holding_ns === null ? "–" : span(S.average_holding_ns / 1e9)],
      ["losing_streak", number(S.losing_streak, 0)], ["days", number(S.days, 0)], ["days_a_year", number(S.days_a_year, 0)],
    ];
    $("statistics").replaceChildren(...rows.map(([key, text]) => {
      const row = element("div");
      row.append(element("span", t(key)), element("span", text));
      return row;
    }));
  };
  const monthly = () => {
    const years = [...new Set(D.monthly.map((m) => m[0]))];
    const deepest = Math.max(0.01, ...D.monthly.map((m) => Math.abs(m[2])));
    const head = element("tr"), rows = [head];
    ["", ...t("months"), t("year")].forEach((text) => head.append(element("th", text)));
    years.forEach((year) => {
      const row = element("tr");
      row.append(element("th", String(year)));
      let grown = 1;
      for (let month = 1; month <= 12; month++) {
        const found = D.monthly.find((m) => m[0] === year && m[1] === month);
        const cell = element("td", found ? percent(found[2], 1) : "", found ? "" : "empty");
        if (found) {
          grown *= 1 + found[2];
          const depth = Math.round(8 + 62 * Math.min(1, Math.abs(found[2]) / deepest));
          if (found[2]) cell.style.background = `color-mix(in srgb, var(--${found[2] > 0 ? "up" : "down"}) ${depth}%, var(--card))`;
        }
        row.append(cell);
      }
      row.append(element("td", percent(grown - 1, 1), "total " + tone(grown - 1)));
      rows.push(row);
    });
    $("monthly").replaceChildren(...rows);
  };

  const costs = () => {
    $("costs_card").hidden = !D.costs.length;
    if (!D.costs.length) return;
    const rows = D.costs.length === 2 ? D.costs.slice(0, 1) : D.costs;
    const unpriced = rows.some((r) => r[9]), heads = ["strategy", "fills_count", "traded_value", "gross_profit", "slippage", "of_it_delay", "fees", "net_profit", "cost_points"];
    if (unpriced) heads.push("unpriced");
    const less = (v) => v === null ? "–" : signed(-v, number);
    const money = (v) => [signed(v, number), "n " + tone(v)];
    table("costs", heads.map((key, i) => [t(key), i ? "n" : ""]), rows.map((r) => [
      [r[0] || t("total")], [number(r[1], 0), "n"], [number(r[2], 0), "n"], money(r[3]), [less(r[4]), "n"], [less(r[5]), "n quiet"], [less(r[6]), "n"], money(r[7]),
      [number(r[8]), "n"], ...(unpriced ? [[number(r[9], 0), "n"]] : []),
    ]));
  };

  // --- lists ---------------------------------------------------------------------------------------------------------
  const COLUMNS = [
    ["strategy", 0, (v) => v], ["instrument", 1, (v) => v], ["way", 2, (v) => t(v)], ["quantity", 3, (v) => number(v, 0)],
    ["entry", 4, moment], ["exit", 5, moment], ["entry_price", 6, price], ["exit_price", 7, price], ["fees", 8, (v) => number(v)],
    ["pnl", 9, (v) => signed(v, number)], ["return", 10, (v) => signed(v, percent)], ["held", 11, span],
  ];
  const NUMERIC = new Set(["quantity", "entry_price", "exit_price", "fees", "pnl", "return", "held"]);
  const trips = () => {
    const wanted = state.filter.toLowerCase();
    const rows = D.trips.filter((r) => !wanted || `${r[0]} ${r[1]} ${r[2]} ${t(r[2])} ${moment(r[4])}`.toLowerCase().includes(wanted));
    const way = state.falling ? -1 : 1;
    rows.sort((a, b) => (a[state.sort] < b[state.sort] ? -1 : a[state.sort] > b[state.sort] ? 1 : 0) * way);
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    state.page = Math.min(Math.max(0, state.page), pages - 1);
    const heads = COLUMNS.map(([key, at]) => [t(key) + (at === state.sort ? (state.falling ? " ↓" : " ↑") : ""), "sorts" + (NUMERIC.has(key) ? " n" : "")]);
    table("trips", heads, rows.slice(state.page * PAGE, (state.page + 1) * PAGE).map((r) =>
      COLUMNS.map(([key, at, show]) => [show(r[at]), (NUMERIC.has(key) ? "n " : "") + (key === "pnl" || key === "return" ? tone(r[at]) : "")])));
    [...$("trips").querySelectorAll("th")].forEach((th, i) => th.addEventListener("click", () => {
      const at = COLUMNS[i][1];
      state.falling = state.sort === at ? !state.falling : true;
      state.sort = at; state.page = 0;
      trips();
    }));
    $("page").textContent = t("page")(state.page + 1, pages, number(rows.length, 0));
    $("first").disabled = $("back").disabled = state.page === 0;
    $("next").disabled = $("last").disabled = state.page === pages - 1;
  };
  const lists = () => {
    table("orders", [[t("state")], [t("count"), "n"]], D.orders.map(([s, n]) => [[t(s)], [number(n, 0), "n"]]));
    table("open", [[t("strategy")], [t("instrument")], [t("quantity"), "n"], [t("average_price"), "n"]],
      D.open.map(([s, i, q, p]) => [[s], [i], [number(q, 0), "n"], [price(p), "n"]]));
    table("denials", [[t("code")], [t("count"), "n"], [t("last_reason")]], D.denials.map(([c, n, x]) => [[c], [number(n, 0), "n"], [x, "wrap"]]));
    table("incidents", [[t("time")], [t("kind")], [t("what")]], D.incidents.map(([at, k, x]) => [[at], [t(k)], [x, "wrap"]]));
    table("details", [[t("kind")], [t("name")], [t("what")]], D.details.map(([k, n, x]) => [[t(k)], [n], [x, "wrap"]]));
  };

  // --- charts --------------------------------------------------------------------------------------------------------
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const frame = (more) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 74, r: 16, t: 8, b: 34 },
    font: { color: colour("quiet"), size: 12, family: getComputedStyle(document.body).fontFamily }, hovermode: "x unified", dragmode: "zoom", showlegend: true,
    legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom" },
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } }, ...more,
  });
  // No tool bar: dragging zooms, a double click shows all, and some of its buttons would go to the network.
  const CONFIG = { displaylogo: false, displayModeBar: false, responsive: true, scrollZoom: false, showLink: false, plotlyServerURL: "", showTips: false };
  const axis = (more) => ({ gridcolor: colour("line"), linecolor: colour("line"), zeroline: false, ...more });
  const stamp = (s) => `${day(s)} ${clock(s)}`;

  const equity = () => {
    const x = D.equity.t.map(stamp), traces = [
      { type: "scatter", x, y: D.equity.v, name: t("equity"), mode: "lines", line: { color: colour("accent"), width: 1.8 }, hovertemplate: "%{y:,.2f}" },
      { type: "scatter", x, y: D.equity.d, name: t("drawdown"), mode: "lines", yaxis: "y2", fill: "tozeroy", line: { color: colour("down"), width: 1 }, hovertemplate: "%{y:.2%}" },
    ];
    if (D.charts.length === 1 && D.starting_equity > 0) {
      const level = D.charts[0].levels[0], units = D.starting_equity / level.o[0];
      traces.splice(1, 0, { type: "scatter", x: level.t.map(stamp), y: level.c.map((c) => c * units), name: t("hold"), mode: "lines", line: { color: colour("quiet"), width: 1, dash: "dot" }, hovertemplate: "%{y:,.2f}" });
    }
    Plotly.react("equity", traces, frame({
      xaxis: axis({ type: "date", anchor: "y2", ...(D.equity.t[D.equity.t.length - 1] - D.equity.t[0] > 2e7 ? { tickformat: "%Y-%m" } : {}) }), yaxis: axis({ domain: [0.32, 1], tickformat: ",.6~s" }),
      yaxis2: axis({ domain: [0, 0.26], tickformat: ".1%", rangemode: "tozero" }),
    }), CONFIG);
  };

  // First place in a rising list whose value is at least x.
  const place = (list, x) => {
    let low = 0, high = list.length;
    while (low < high) { const mid = (low + high) >> 1; if (list[mid] < x) low = mid + 1; else high = mid; }
    return low;
  };
  const fillsOf = new Map();
  D.fills.instrument.forEach((name, i) => {
    if (!fillsOf.has(name)) fillsOf.set(name, []);
    fillsOf.get(name).push(i);
  });
  fillsOf.forEach((list) => list.sort((a, b) => D.fills.t[a] - D.fills.t[b]));

  const marks = (name, level, i0, i1, room) => {
    const own = fillsOf.get(name) || [], times = own.map((i) => D.fills.t[i]);
    const groups = { buy: new Map(), sell: new Map() };
    const after = i0 ? level.t[i0 - 1] + 1e-9 : -Infinity;
    for (let k = place(times, after); k < own.length && times[k] <= level.t[i1]; k++) {
      const i = own[k], q = D.fills.q[i], at = place(level.t, times[k]), group = q > 0 ? groups.buy : groups.sell;
      const sum = group.get(at) || { n: 0, q: 0, v: 0 };
      sum.n += 1; sum.q += Math.abs(q); sum.v += Math.abs(q) * D.fills.p[i];
      group.set(at, sum);
    }
    const many = groups.buy.size + groups.sell.size;
    // Many marks stand beside their candle, not on it; the price they were done at is in the text.
    const crowded = many > 200, beside = room * 0.35;
    return [["buy", "triangle-up", "#2e90fa"], ["sell", "triangle-down", "#f79009"]].map(([way, symbol, paint]) => {
      const rows = [...groups[way]], at = (i, s) => !crowded ? s.v / s.q : way === "buy" ? level.l[i] - beside : level.h[i] + beside;
      return {
        type: "scatter", mode: "markers", name: `${t(way)} (${number(rows.reduce((n, [, s]) => n + s.n, 0), 0)})`, x: rows.map(([i]) => i), y: rows.map(([i, s]) => at(i, s)),
        text: rows.map(([, s]) => `${t(way)} ${number(s.q, 0)} @ ${price(s.v / s.q)} · ${s.n} ${t("fills")}`), hovertemplate: "%{text}<extra></extra>",
        marker: { symbol, color: paint, size: many > 600 ? 5 : crowded ? 7 : 11, opacity: many > 600 ? 0.75 : 1, line: { color: colour("card"), width: many > 600 ? 0 : 1 } },
      };
    });
  };
  const lengthWord = (s) => s >= 604800 ? `${s / 604800} ${t("candle_week")}` : s >= 86400 ? t("candle_day") : s >= 3600 ? `${s / 3600} ${t("candle_hour")}` : s >= 60 ? `${s / 60} ${t("candle_minute")}` : `${s} s`;

  let drawing = false, shown = null;
  const candles = () => {
    const chart = D.charts[state.chart];
    if (!chart) { $("candles_card").hidden = true; return; }
    const ends = chart.levels[chart.levels.length - 1].t;
    const first = ends[0], last = ends[ends.length - 1];
    const from = Math.max(first, state.from === null ? first : state.from), to = Math.min(last, state.to === null ? last : state.to);
    let level = chart.levels[0], i0 = 0, i1 = level.t.length - 1;
    for (const one of chart.levels) {
      const a = place(one.t, from), b = Math.min(place(one.t, to), one.t.length - 1);
      if (b - a + 1 <= D.view_max || one === chart.levels[0]) { level = one; i0 = Math.max(0, Math.min(a, b - 1)); i1 = b; }
    }
    shown = level;
    const cut = (list) => list.slice(i0, i1 + 1), x = Array.from({ length: i1 - i0 + 1 }, (_, i) => i0 + i);
    const when = level.s >= 86400 ? day : moment;
    const bars = {
      type: "candlestick", name: chart.instrument, x, open: cut(level.o), high: cut(level.h), low: cut(level.l), close: cut(level.c), whiskerwidth: 0, showlegend: false,
      text: x.map((i) => `${when(level.t[i])}<br>O ${price(level.o[i])}  H ${price(level.h[i])}<br>L ${price(level.l[i])}  C ${price(level.c[i])}`), hoverinfo: "text",
      increasing: { line: { color: colour("up"), width: 1 }, fillcolor: colour("up") }, decreasing: { line: { color: colour("down"), width: 1 }, fillcolor: colour("down") },
    };
    const low = Math.min(...bars.low), high = Math.max(...bars.high), room = (high - low || high * 0.01) * 0.06;
    const days = (level.t[i1] - level.t[i0]) / 86400, ticks = [], step = Math.max(1, Math.round((i1 - i0) / 9));
    for (let i = i0 + (step >> 1); i <= i1; i += step) ticks.push(i);
    const write = days > 400 ? (s) => day(s).slice(0, 7) : days > 4 ? day : (s) => moment(s).slice(5);
    drawing = true;
    Plotly.react("candles", [bars, ...marks(chart.instrument, level, i0, i1, room)], frame({
      hovermode: "closest",
      xaxis: axis({ type: "linear", range: [i0 - 0.8, i1 + 0.8], tickvals: ticks, ticktext: ticks.map((i) => write(level.t[i])), rangeslider: { visible: false }, showgrid: false }),
      yaxis: axis({ range: [low - room, high + room], fixedrange: true, tickformat: high >= 10000 ? ",.0f" : high >= 10 ? ",.2f" : ",.4~f" }),
    }), CONFIG).then((div) => {
      drawing = false;
      if (!div.sluice) {
        div.sluice = true;
        div.on("plotly_relayout", moved);
        div.on("plotly_doubleclick", () => { whole(); return false; });
      }
    });
    $("level").textContent = t("level")(lengthWord(level.s), number(x.length, 0), number(chart.bars, 0));
  };
  const whole = () => { state.from = state.to = null; candles(); };
  let waiting = 0;
  const moved = (change) => {
    if (drawing) return;
    if (change["xaxis.autorange"]) { whole(); return; }
    const a = change["xaxis.range[0]"], b = change["xaxis.range[1]"];
    if (a === undefined || b === undefined) return;
    // Panning past either end of what is drawn brings the next candles; the place beyond an end is reckoned by length.
    const timeAt = (i) => i < 0 ? shown.t[0] + i * shown.s : i > shown.t.length - 1 ? shown.t[shown.t.length - 1] + (i - shown.t.length + 1) * shown.s : shown.t[Math.round(i)];
    state.from = timeAt(a); state.to = timeAt(b);
    clearTimeout(waiting);
    waiting = setTimeout(candles, 60);
  };
  const ranges = () => {
    const chart = D.charts[state.chart];
    if (!chart) return;
    const ends = chart.levels[chart.levels.length - 1].t, last = ends[ends.length - 1], spread = last - ends[0];
    const rows = [["5" + t("dy"), 5], ["1" + t("mo"), 30], ["3" + t("mo"), 91], ["1" + t("yr"), 365]].filter(([, days]) => days * 86400 < spread);
    $("ranges").replaceChildren(...[...rows, [t("all"), 0]].map(([text, days]) => {
      const button = element("button", text);
      button.type = "button";
      button.addEventListener("click", () => { if (!days) whole(); else { state.to = last; state.from = last - days * 86400; candles(); } });
      return button;
    }));
  };

  // --- the page ------------------------------------------------------------------------------------------------------
  const draw = () => {
    const root = document.documentElement;
    root.lang = state.language === "zh" ? "zh-CN" : "en";
    root.dataset.theme = state.dark ? "dark" : "light";
    root.dataset.up = state.redUp ? "red" : "green";
    document.querySelectorAll("[data-t]").forEach((e) => { e.textContent = t(e.dataset.t); });
    $("title").textContent = D.title;
    $("subtitle").textContent = [t(D.mode), D.charts.map((c) => c.instrument).join(", "), `${D.from} – ${D.to} ${D.tz}`].filter(Boolean).join(" · ");
    $("language").textContent = t("other");
    $("theme").textContent = t(state.dark ? "theme_light" : "theme_dark");
    $("colours").textContent = t(state.redUp ? "green_up" : "red_up");
    $("filter").placeholder = t("filter");
    $("filter").setAttribute("aria-label", t("filter"));
    $("notes").replaceChildren(...D.notes.map((note) => element("li", note)));
    tiles(); statistics(); monthly(); costs(); trips(); lists(); ranges();
    equity(); candles();
  };
  $("language").addEventListener("click", () => { state.language = state.language === "zh" ? "en" : "zh"; draw(); });
  $("theme").addEventListener("click", () => { state.dark = !state.dark; draw(); });
  $("colours").addEventListener("click", () => { state.redUp = !state.redUp; draw(); });
  $("filter").addEventListener("input", (e) => { state.filter = e.target.value; state.page = 0; trips(); });
  [["first", () => 0], ["back", () => state.page - 1], ["next", () => state.page + 1], ["last", () => Infinity]].forEach(([id, to]) =>
    $(id).addEventListener("click", () => { state.page = to(); trips(); }));
  $("instrument").hidden = D.charts.length < 2;
  $("instrument").replaceChildren(...D.charts.map((c, i) => { const o = element("option", c.instrument); o.value = String(i); return o; }));
  $("instrument").addEventListener("change", (e) => { state.chart = Number(e.target.value); state.from = state.to = null; ranges(); candles(); });
  draw();
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
})();
