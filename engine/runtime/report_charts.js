// The report's charts over time, and its pictures of trades.
const line = (x, y, name, paint, more) => ({ type: "scatter", mode: "lines", x, y, name, line: { color: paint, width: 1.6, ...(more && more.line) }, ...(more && more.rest) });

const equity = () => {
  const E = D.equity, x = E.t.map(stamp);
  const traces = [
    line(x, E.v, t("equity"), colour("accent"), { line: { width: 1.9 }, rest: { hovertemplate: "%{y:,.2f}" } }),
    ...(E.b ? [line(x, E.b, benchmarkName(), colour("quiet"), { line: { width: 1.2 }, rest: { hovertemplate: "%{y:,.2f}" } })] : []),
    line(x, E.d, t("drawdown"), colour("fall"), { line: { width: 1 }, rest: { yaxis: "y2", fill: "tozeroy", hovertemplate: "%{y:.2%}" } }),
  ];
  const every = [...E.v, ...(E.b || [])], top = Math.max(...every), flat = (top - Math.min(...every)) < 0.02 * Math.abs(top), deepest = Math.min(...E.d);
  const canLog = Math.min(...every) > 0;
  choice("scale", canLog ? [[true, t("log")]] : [], state.log, () => { state.log = !state.log; equity(); });
  Plotly.react("equity", traces, frame({
    xaxis: dates(E.t, { anchor: "y2" }), yaxis: axis({ domain: [0.32, 1], tickformat: flat ? (top < 1000 ? ",.2f" : ",.0f") : ",.4~s", automargin: true, type: state.log && canLog ? "log" : "linear" }),
    yaxis2: axis({ domain: [0, 0.26], tickformat: deepest > -0.01 ? ".2%" : deepest > -0.1 ? ".1%" : ".0%", rangemode: "tozero", nticks: 4 }),
  }), CONFIG);
};

const rolling = () => {
  const R = D.rolling;
  $("rolling_card").hidden = !R;
  if (!R) return;
  $("rolling_title").textContent = t("rolling")(F.rolling.window);
  const x = R.t.map(day);
  Plotly.react("rolling", [
    line(x, R.sharpe, t("run"), colour("accent"), { rest: { hovertemplate: "%{y:.2f}" } }),
    ...(R.benchmark.length ? [line(x, R.benchmark, benchmarkName(), colour("quiet"), { line: { width: 1.1 }, rest: { hovertemplate: "%{y:.2f}" } })] : []),
  ], frame({ xaxis: dates(R.t), yaxis: axis({ tickformat: ".1f", zeroline: true, zerolinecolor: colour("quiet") }) }), CONFIG);
};

const exposure = () => {
  const E = D.exposure;
  $("exposure_card").hidden = !E;
  if (!E) return;
  const x = E.t.map(stamp), step = { shape: "hv" };
  Plotly.react("exposure", [
    line(x, E.gross, t("gross"), PALETTE[0], { line: { ...step, width: 0.8 }, rest: { fill: "tozeroy", hovertemplate: "%{y:.1%}" } }),
    line(x, E.net, t("net"), PALETTE[1], { line: { ...step, width: 0.8 }, rest: { hovertemplate: "%{y:.1%}", visible: E.net.some((v, i) => Math.abs(v - E.gross[i]) > 1e-4) ? true : "legendonly" } }),
  ], frame({ xaxis: dates(E.t), yaxis: axis({ tickformat: ".0%", rangemode: "tozero" }) }), CONFIG);
};

const turnover = () => {
  $("turnover_card").hidden = !F.turnover.length;
  if (!F.turnover.length) return;
  const x = F.turnover.map((m) => `${m.year}-${two(m.month)}-01`);
  Plotly.react("turnover", [{ type: "bar", x, y: F.turnover.map((m) => m.turnover), marker: { color: PALETTE[0] }, name: t("turnover_time"), hovertemplate: "%{x|%Y-%m}: %{y:.2f}<extra></extra>" }],
    frame({ showlegend: false, hovermode: "closest", xaxis: axis({ type: "date", tickformat: "%Y-%m", nticks: narrow() ? 4 : 8 }), yaxis: axis({ rangemode: "tozero" }) }), CONFIG);
};

const distribution = () => {
  const levels = [F.starting_equity, ...D.days.v], returns = D.days.v.map((v, i) => levels[i] ? v / levels[i] - 1 : 0);
  $("returns_card").hidden = returns.length < 5;
  if (returns.length < 5) return;
  // Bins about zero, so that no bin holds gains and losses.
  const sorted = returns.map(Math.abs).sort((a, b) => a - b), reach = Math.max(sorted[Math.floor(sorted.length * 0.99)], 1e-6), bins = 20, width = reach / bins, counts = new Map();
  returns.forEach((r) => { const place = Math.max(-bins, Math.min(bins - 1, Math.floor(r / width))); if (r) counts.set(place, (counts.get(place) || 0) + 1); });
  const rows = [...counts].sort((a, b) => a[0] - b[0]);
  Plotly.react("returns", [{
    type: "bar", x: rows.map(([p]) => (p + 0.5) * width), y: rows.map(([, n]) => n), width, marker: { color: rows.map(([p]) => colour(p >= 0 ? "up" : "down")), line: { width: 0 } },
    text: rows.map(([p, n]) => `${p === -bins ? "≤" : percent(p * width)} … ${p === bins - 1 ? "" : percent((p + 1) * width)}: ${n} ${t("days_word")}`), textposition: "none", hovertemplate: "%{text}<extra></extra>",
  }], frame({ showlegend: false, hovermode: "closest", bargap: 0.06, xaxis: axis({ tickformat: ".1%", nticks: 8 }), yaxis: axis({ rangemode: "tozero" }) }), CONFIG);
};

const profits = (rows) => {
  const some = rows.slice().sort((a, b) => b[1] - a[1]), shown = some.length > 24 ? [...some.slice(0, 12), ...some.slice(-12)] : some;
  $("profits").hidden = shown.length < 2;
  if (shown.length < 2) return;
  $("profits").style.height = `${60 + 24 * shown.length}px`;
  Plotly.react("profits", [{
    type: "bar", orientation: "h", y: shown.map(([name]) => name).reverse(), x: shown.map(([, v]) => v).reverse(), marker: { color: shown.map(([, v]) => colour(v >= 0 ? "up" : "down")).reverse() },
    hovertemplate: "%{y}: %{x:,.2f}<extra></extra>",
  }], frame({ showlegend: false, hovermode: "closest", margin: { l: 8, r: 12, t: 4, b: 28 }, xaxis: axis({ zeroline: true, zerolinecolor: colour("quiet"), tickformat: ",.3~s" }), yaxis: axis({ type: "category", automargin: true, showgrid: false }) }), CONFIG);
};

const TRADES_DRAWN = 3000;
const excursions = () => {
  const known = D.trips.filter((r) => r[12] !== null), some = known.slice(-TRADES_DRAWN);
  $("excursions_card").hidden = !some.length;
  if (!some.length) return;
  const stacked = narrow(), groups = [["up", some.filter((r) => r[9] > 0)], ["down", some.filter((r) => r[9] <= 0)]];
  const traces = [12, 13].flatMap((place, panel) => groups.map(([paint, rows]) => ({
    type: "scatter", mode: "markers", x: rows.map((r) => r[place]), y: rows.map((r) => r[10]), xaxis: panel ? "x2" : "x", yaxis: panel ? "y2" : "y", showlegend: false,
    marker: { color: colour(paint), size: some.length > 600 ? 4 : 7, opacity: some.length > 600 ? 0.5 : 0.75, line: { width: 0 } },
    text: rows.map((r) => `${r[1]} ${t(r[2])} · ${moment(r[5])}<br>${signed(r[10], percent)} · ${t("mae")} ${percent(r[12])} · ${t("mfe")} ${percent(r[13])}`), hovertemplate: "%{text}<extra></extra>",
  })));
  const far = (place) => some.reduce((most, r) => Math.max(most, r[place]), 1e-4);
  const rule = (sign, reach, ref) => ({ type: "line", xref: "x" + ref, yref: "y" + ref, x0: 0, y0: 0, x1: reach, y1: sign * reach, line: { color: colour("quiet"), width: 1, dash: "dot" } });
  const ends = (titled) => axis({ tickformat: ".2~%", title: { text: t(titled), font: { size: 11 } }, nticks: 6, rangemode: "tozero" });
  const rise = axis({ tickformat: ".2~%", nticks: 7, zeroline: true, zerolinecolor: colour("line") });
  Plotly.react("excursions", traces, frame({
    hovermode: "closest", margin: { l: 58, r: 12, t: 8, b: 44 }, shapes: [rule(-1, far(12), ""), rule(1, far(13), "2")],
    xaxis: { ...ends("mae_long"), domain: stacked ? [0, 1] : [0, 0.47] }, yaxis: { ...rise, domain: stacked ? [0.58, 1] : [0, 1], title: { text: t("trade_return"), font: { size: 11 } } },
    xaxis2: { ...ends("mfe_long"), domain: stacked ? [0, 1] : [0.53, 1], anchor: "y2" }, yaxis2: { ...rise, domain: stacked ? [0, 0.42] : [0, 1], anchor: "x2" },
  }), CONFIG);
  $("mae_note").textContent = t("mae_note") + (some.length < known.length ? " " + t("latest")(whole(some.length)) : "");
};

const denials = () => {
  if (!F.denials.length) return;
  const days = [...new Set(F.denials.flatMap((d) => d.days.map(([when]) => when)))].sort();
  // Of many days whole months are drawn.
  const by = days.length > 120 ? (when) => when.slice(0, 7) + "-01" : (when) => when;
  const traces = F.denials.slice(0, PALETTE.length).map((d, i) => {
    const sums = new Map();
    d.days.forEach(([when, n]) => sums.set(by(when), (sums.get(by(when)) || 0) + n));
    const rows = [...sums].sort();
    return { type: "bar", name: `${d.code} (${whole(d.count)})`, x: rows.map(([when]) => when), y: rows.map(([, n]) => n), marker: { color: PALETTE[i] }, hovertemplate: "%{y:,}" };
  });
  $("denial_days").hidden = days.length < 2;
  if (days.length >= 2) {
    Plotly.react("denial_days", traces, frame({ barmode: "stack", legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", traceorder: "normal" }, xaxis: axis({ type: "date", nticks: narrow() ? 4 : 10, tickformat: days.length > 120 ? "%Y-%m" : "%Y-%m-%d" }), yaxis: axis({ rangemode: "tozero" }) }), CONFIG);
  }
};
