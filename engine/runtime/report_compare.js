// Several runs on one page; the first is what the others are measured against.
const C = D.comparison, RUNS = C.runs;
const paint = (i) => PALETTE[i % PALETTE.length];
const SHARES = new Set(["total_return", "annual_return", "annual_volatility", "max_drawdown", "exposure", "win_rate", "excess_return", "alpha", "mean_gross", "max_gross"]);
const COUNTS = new Set(["round_trips", "fills", "days", "losing_streak", "denied"]);
const SPANS = new Set(["longest_drawdown_ns", "average_holding_ns"]);
// More is better, or less is; of the others nobody can say.
const BETTER = new Set(["final_equity", "total_return", "annual_return", "sharpe", "sortino", "calmar", "win_rate", "profit_factor", "average_pnl", "gross_profit", "net_profit", "excess_return", "alpha", "information_ratio"]);
const WORSE = new Set(["annual_volatility", "max_drawdown", "longest_drawdown_ns", "losing_streak"]);
const WORDED = { fills: "fills_count", round_trips: "round_trips_count", denied: "denials" };
const show = (figure, v) => SHARES.has(figure) ? percent(v) : COUNTS.has(figure) ? number(v, 0) : SPANS.has(figure) ? (blank(v) ? "–" : (v < 0 ? "-" : "") + span(Math.abs(v) / 1e9)) : number(v);

const named = (i) => { const e = element("th", undefined, "n"), dot = element("i", "", "dot"); dot.style.background = paint(i); e.append(dot, RUNS[i].name); return e; };
const head = (id, first, cells) => { const top = element("thead"), row = element("tr"); row.append(element("th", first), ...cells); top.append(row); $(id).replaceChildren(top); return top; };

const equity = () => {
  const traces = RUNS.flatMap((run, i) => {
    let peak = 100;
    const fall = run.rebased.map((v) => { peak = Math.max(peak, v); return v / peak - 1; });
    const line = { color: paint(i), width: 1.7 }, whole = { type: "scatter", mode: "lines", x: run.days, name: run.name, legendgroup: String(i) };
    return [{ ...whole, y: run.rebased, line, hovertemplate: "%{y:,.2f}" }, { ...whole, y: fall, yaxis: "y2", line: { ...line, width: 1 }, showlegend: false, hovertemplate: "%{y:.2%}" }];
  });
  choice("scale", [[true, t("log")]], state.log, () => { state.log = !state.log; equity(); });
  Plotly.react("equity", traces, frame({
    xaxis: axis({ type: "date", anchor: "y2", nticks: narrow() ? 4 : 10 }), yaxis: axis({ domain: [0.32, 1], type: state.log ? "log" : "linear" }), yaxis2: axis({ domain: [0, 0.26], tickformat: ".0%", rangemode: "tozero", nticks: 4 }),
  }), CONFIG);
};
const figures = () => {
  head("figures", t("figure"), RUNS.flatMap((_, i) => i ? [named(i), element("th", t("difference"), "n")] : [named(i)]));
  const body = element("tbody");
  C.figures.forEach(({ figure, values, differences }) => {
    const row = element("tr"), says = t("says")[WORDED[figure] || figure], word = element("td", t(WORDED[figure] || figure));
    if (says) word.title = says;
    row.append(word, ...values.flatMap((v, i) => {
      const cell = element("td", show(figure, v), "n"), d = differences[i];
      cell.dataset.figure = figure;
      if (!i) return [cell];
      const plain = blank(d) || show(figure, d) === show(figure, 0);
      const good = BETTER.has(figure) ? tone(d) : WORSE.has(figure) ? tone(-d) : "";
      return [cell, element("td", blank(d) ? "–" : plain ? "=" : (d > 0 ? "+" : "") + show(figure, d), "n " + (plain ? "quiet" : good))];
    }));
    body.append(row);
  });
  $("figures").append(body);
};
const settings = () => {
  head("settings", t("setting"), RUNS.map((run, i) => { const e = named(i); e.className = ""; return e; }));
  const body = element("tbody");
  C.settings.forEach(({ setting, values }) => {
    const row = element("tr");
    row.append(element("td", setting), ...values.map((v, i) => element("td", blank(v) ? "–" : v, i && v !== values[0] ? "wrap differs" : "wrap")));
    body.append(row);
  });
  if (!C.settings.length) { const row = element("tr"), cell = element("td", t("same_settings"), "none"); cell.colSpan = RUNS.length + 1; row.append(cell); body.append(row); }
  $("settings").append(body);
};
const correlation = () => {
  head("correlation", "", RUNS.map((_, i) => { const e = named(i); e.className = ""; return e; }));
  const body = element("tbody");
  C.correlation.forEach((values, i) => {
    const row = element("tr"), name = element("th", RUNS[i].name);
    row.append(name, ...values.map((v) => { const cell = element("td", number(v)); if (!blank(v)) cell.style.background = `color-mix(in srgb, var(--accent) ${Math.round(Math.abs(v) * 50)}%, var(--card))`; return cell; }));
    body.append(row);
  });
  $("correlation").append(body);
  $("shared").textContent = t("days_shared")(number(C.shared_days, 0));
};
const monthly = () => {
  head("monthly", "", RUNS.map((_, i) => { const e = named(i); e.className = ""; return e; }));
  const months = new Map();
  RUNS.forEach((run, i) => run.monthly.forEach(([year, month, v]) => {
    const key = `${year}-${two(month)}`;
    if (!months.has(key)) months.set(key, RUNS.map(() => null));
    months.get(key)[i] = v;
  }));
  const deepest = Math.max(0.01, ...[...months.values()].flat().map((v) => Math.abs(v || 0))), body = element("tbody");
  [...months].sort().forEach(([key, values]) => {
    const row = element("tr");
    row.append(element("th", key), ...values.map((v) => { const cell = element("td", blank(v) ? "" : percent(v, 1), blank(v) ? "empty" : ""); if (v) heat(cell, v, deepest); return cell; }));
    body.append(row);
  });
  $("monthly").append(body);
};
start(() => {
  dress();
  $("title").textContent = t("compare_title")(RUNS.length);
  const spans = RUNS.map((run) => `${t(run.mode)}, ${run.from_} – ${run.to}`);
  $("subtitle").textContent = new Set(spans).size === 1 ? spans[0] : RUNS.map((run, i) => `${run.name}: ${spans[i]}`).join(" · ");
  equity(); figures(); settings(); correlation(); monthly();
});
