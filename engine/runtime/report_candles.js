// Candles that change their length with the zoom, our fills on them, and the day's price limits.
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

// The day's limits at each candle of a day or less; a candle's end is the new day's if it is midnight, so just before.
const limits = (chart, level, i0, i1) => {
  const known = chart.bands;
  if (!known.t.length || level.s > 86400) return null;
  const found = { x: [], low: [], high: [] };
  for (let i = i0; i <= i1; i++) {
    const at = place(known.t, level.t[i]) - 1, there = at >= 0 && level.t[i] - known.t[at] < 15 * 86400;
    found.x.push(i); found.low.push(there ? known.low[at] : null); found.high.push(there ? known.high[at] : null);
  }
  return found.high.some((v) => v !== null) ? found : null;
};
const limitLines = (found) => !found ? [] : [["limit_up", found.high, "up"], ["limit_down", found.low, "down"]].map(([name, y, paint]) => ({
  type: "scatter", mode: "lines", x: found.x, y, name: t(name), connectgaps: false, line: { color: colour(paint), width: 1, dash: "dot", shape: "hvh" }, opacity: 0.75, hovertemplate: `${t(name)} %{y:,.3~f}<extra></extra>`,
}));

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
  const bands = limits(chart, level, i0, i1);
  let low = Math.min(...bars.low), high = Math.max(...bars.high);
  if (bands) {
    // Limits far from what was traded would press the candles flat; the button shows them all the same.
    const floor = Math.min(...bands.low.filter((v) => v !== null)), roof = Math.max(...bands.high.filter((v) => v !== null)), apart = (high - low) * 0.6;
    if (state.bands || low - floor < apart) low = Math.min(low, floor);
    if (state.bands || roof - high < apart) high = Math.max(high, roof);
  }
  const room = (high - low || high * 0.01) * 0.06;
  const days = (level.t[i1] - level.t[i0]) / 86400, ticks = [], step = Math.max(1, Math.round((i1 - i0) / (narrow() ? 3.5 : 9)));
  for (let i = i0 + (step >> 1); i <= i1; i += step) ticks.push(i);
  const write = days > 400 ? (s) => day(s).slice(0, 7) : days > 4 ? day : (s) => moment(s).slice(5);
  drawing = true;
  Plotly.react("candles", [bars, ...limitLines(bands), ...marks(chart.instrument, level, i0, i1, room)], frame({
    hovermode: "closest",
    xaxis: axis({ type: "linear", range: [i0 - 0.8, i1 + 0.8], tickvals: ticks, ticktext: ticks.map((i) => write(level.t[i])), rangeslider: { visible: false }, showgrid: false }),
    yaxis: axis({ range: [low - room, high + room], fixedrange: true, tickformat: high >= 10000 ? ",.0f" : high >= 10 ? ",.2f" : ",.4~f" }),
  }), CONFIG).then((div) => {
    drawing = false;
    if (!div.sluice) {
      div.sluice = true;
      div.on("plotly_relayout", moved);
      div.on("plotly_doubleclick", () => { unzoom(); return false; });
    }
  });
  $("level").textContent = t("level")(lengthWord(level.s), number(x.length, 0), number(chart.bars, 0));
};
const unzoom = () => { state.from = state.to = null; candles(); };
let waiting = 0;
const moved = (change) => {
  if (drawing) return;
  if (change["xaxis.autorange"]) { unzoom(); return; }
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
  choice("bands", chart.bands.t.length ? [[true, t("price_limits")]] : [], state.bands, () => { state.bands = !state.bands; ranges(); candles(); });
  const ends = chart.levels[chart.levels.length - 1].t, last = ends[ends.length - 1], spread = last - ends[0];
  const rows = [["5" + t("dy"), 5], ["1" + t("mo"), 30], ["3" + t("mo"), 91], ["1" + t("yr"), 365]].filter(([, days]) => days * 86400 < spread);
  $("ranges").replaceChildren(...[...rows, [t("all"), 0]].map(([text, days]) => {
    const button = element("button", text);
    button.type = "button";
    button.addEventListener("click", () => { if (!days) unzoom(); else { state.to = last; state.from = last - days * 86400; candles(); } });
    return button;
  }));
};
