// What draws: each function takes the page's context C (data, state, words) and fills one place.
const CHARTS = (() => {
  const sheet = (more) => frame({ margin: { l: 64, r: 16, t: 8, b: 40 }, hovermode: "closest", dragmode: "zoom", ...more });
  const ruler = (more) => axis({ automargin: true, ...more });
  const format = { total_return: ".1%", annual_return: ".1%", annual_volatility: ".1%", max_drawdown: ".1%", exposure: ".0%", win_rate: ".0%", deflated_sharpe: ".0%", probabilistic_sharpe: ".0%" };
  const tick = (key) => format[key] || ",.3~f";

  // Red and green around nothing where both are there, else from pale to strong.
  const scale = (values, better) => {
    const low = Math.min(...values), high = Math.max(...values);
    const bad = colour("down"), good = colour("up"), pale = colour("soft");
    if (low < 0 && high > 0) {
      const end = Math.max(-low, high);
      return { colorscale: better > 0 ? [[0, bad], [0.5, pale], [1, good]] : [[0, good], [0.5, pale], [1, bad]], cmin: -end, cmax: end };
    }
    const strong = high <= 0 && better > 0 ? bad : colour("accent");
    const ends = (high <= 0) === (better > 0) ? [[0, strong], [1, pale]] : [[0, pale], [1, strong]];
    return { colorscale: better < 0 && high > 0 ? [[0, strong], [1, pale]] : ends, cmin: low, cmax: low === high ? low + 1e-9 : high };
  };
  const bar = (key) => ({ thickness: 10, outlinewidth: 0, tickformat: tick(key), len: 0.9 });

  const equity = (C) => {
    const one = C.D.curves[0], traces = [];
    const line = (curve, name, paint, width) => {
      const x = C.D.times[curve[0]], y = curve[1];
      let peak = -Infinity;
      const fall = y.map((v) => { peak = Math.max(peak, v); return peak > 0 ? v / peak - 1 : 0; });
      traces.push({ type: "scatter", mode: "lines", x, y, name, line: { color: paint, width }, hovertemplate: "%{y:,.2f}" });
      return { type: "scatter", mode: "lines", x, y: fall, name: C.t("drawdown"), yaxis: "y2", fill: "tozeroy", line: { color: colour("down"), width: 1 }, hovertemplate: "%{y:.2%}", showlegend: false };
    };
    const chosen = C.D.curves[C.state.chosen], drawn = [];
    if (one && C.state.chosen !== 0) line(one, `${C.t("best")} · ${C.label(0)}`, colour("quiet"), 1.2);
    if (chosen) drawn.push(line(chosen, C.state.chosen ? `#${C.state.chosen + 1} · ${C.label(C.state.chosen)}` : `${C.t("best")} · ${C.label(0)}`, colour("accent"), 1.8));
    Plotly.react("equity", [...traces, ...drawn], sheet({
      hovermode: "x unified", xaxis: ruler({ type: "date", anchor: "y2" }), yaxis: ruler({ domain: [0.32, 1], tickformat: ",.6~s" }), yaxis2: ruler({ domain: [0, 0.26], tickformat: ".1%", rangemode: "tozero" }),
    }), CONFIG);
  };

  const pbo = (C) => {
    const P = C.D.overfitting;
    document.getElementById("pbo_card").hidden = !P;
    if (!P) return;
    const edges = P.logit_edges, middle = P.logits.map((_, i) => (edges[i] + edges[i + 1]) / 2), width = edges[1] - edges[0];
    const side = (keep, name, paint) => ({ type: "bar", name, x: middle.filter(keep), y: P.logits.filter((_, i) => keep(middle[i])), width: width * 0.92, marker: { color: paint }, hovertemplate: `%{y:,} ${C.t("ways")}<extra></extra>` });
    Plotly.react("pbo", [side((x) => x <= 0, C.t("lower"), colour("down")), side((x) => x > 0, C.t("upper"), colour("up"))], sheet({
      barmode: "overlay", margin: { l: 44, r: 8, t: 8, b: 28 }, xaxis: ruler({ range: [edges[0], edges[edges.length - 1]] }), yaxis: ruler({ tickformat: ",.3~s" }),
    }), CONFIG);
  };

  const walk = (C) => {
    const W = C.D.walk;
    document.getElementById("walk_card").hidden = !W;
    if (!W) return;
    const shapes = W.windows.filter((w) => w.number % 2 === 0).map((w) => ({ type: "rect", xref: "x", yref: "paper", x0: w.test[0], x1: w.test[1], y0: 0, y1: 1, fillcolor: colour("quiet"), opacity: 0.08, line: { width: 0 }, layer: "below" }));
    document.getElementById("stitched").hidden = !W.stitched;
    if (W.stitched) Plotly.react("stitched", [{ type: "scatter", mode: "lines", x: W.stitched.t, y: W.stitched.v, name: C.t("outside"), line: { color: colour("accent"), width: 1.8 }, hovertemplate: "%{y:,.2f}" }], sheet({
      hovermode: "x unified", shapes, xaxis: ruler({ type: "date" }), yaxis: ruler({ tickformat: ",.6~s" }),
    }), CONFIG);
    const x = W.windows.map((w) => w.test[0].slice(0, 10));
    const bars = (key, paint) => ({ type: "bar", name: `${C.t(key)} (${C.t(C.D.objective)})`, x, y: W.windows.map((w) => w[key]), marker: { color: paint }, hovertemplate: `%{y:${tick(C.D.objective)}}` });
    Plotly.react("inout", [bars("inside", colour("quiet")), bars("outside", colour("accent"))], sheet({
      hovermode: "x unified", barmode: "group", xaxis: ruler({ type: "category", nticks: 12 }), yaxis: ruler({ zeroline: true, zerolinecolor: colour("quiet"), tickformat: tick(C.D.objective) }),
    }), CONFIG);
  };

  const distinct = (values, number) => { const all = [...new Set(values)]; return number ? all.sort((a, b) => a - b) : all; };
  const surface = (C) => {
    const key = C.state.figure, dims = C.D.dimensions, rows = C.usable(key), better = C.better(key);
    const note = document.getElementById("surface_note");
    if (!rows.length) { Plotly.purge("surface"); note.textContent = C.t("none"); return; }
    const tint = scale(rows.map((r) => C.value(r, key)), better), best = C.D.sets[0];
    if (dims.length === 1) {
      const line = dims[0].number && rows.length <= 400, ordered = [...rows].sort((a, b) => dims[0].number ? a[2][0] - b[2][0] : 0);
      note.textContent = C.t("surface_one");
      Plotly.react("surface", [
        { type: "scatter", mode: line ? "lines+markers" : "markers", x: ordered.map((r) => C.show(r[2][0])), y: ordered.map((r) => C.value(r, key)), line: { color: colour("line") }, marker: { size: 7, color: ordered.map((r) => C.value(r, key)), ...tint }, hovertemplate: `${dims[0].name} %{x}<br>%{y:${tick(key)}}<extra></extra>` },
        { type: "scatter", mode: "markers", x: [C.show(best[2][0])], y: [C.value(best, key)], marker: { size: 15, symbol: "circle-open", color: colour("ink"), line: { width: 2 } }, hoverinfo: "skip" },
      ], sheet({ showlegend: false, xaxis: ruler({ title: { text: dims[0].name }, type: dims[0].log ? "log" : dims[0].number ? "linear" : "category" }), yaxis: ruler({ title: { text: C.t(key) }, tickformat: tick(key) }) }), CONFIG);
      return;
    }
    const i = C.state.x, j = C.state.y, xs = distinct(rows.map((r) => r[2][i]), dims[i].number), ys = distinct(rows.map((r) => r[2][j]), dims[j].number);
    note.textContent = C.t("surface_heat");
    const axes = (k, category) => ruler({ title: { text: dims[k].name }, type: category || !dims[k].number ? "category" : dims[k].log ? "log" : "linear", showgrid: false });
    const ring = (x, y, size) => ({ type: "scatter", mode: "markers", x: [x], y: [y], marker: { size: size || 17, symbol: "circle-open", color: colour("ink"), line: { width: 2.5 } }, hoverinfo: "skip", showlegend: false });
    if (xs.length * ys.length > 4 * rows.length + 50) {
      Plotly.react("surface", [
        { type: "scatter", mode: "markers", x: rows.map((r) => C.show(r[2][i])), y: rows.map((r) => C.show(r[2][j])), customdata: rows.map((r) => C.value(r, key)), marker: { size: 9, color: rows.map((r) => C.value(r, key)), ...tint, colorbar: bar(key), line: { color: colour("line"), width: 1 } }, hovertemplate: `${dims[i].name} %{x}<br>${dims[j].name} %{y}<br>${C.t(key)} %{customdata:${tick(key)}}<extra></extra>` },
        ring(C.show(best[2][i]), C.show(best[2][j])),
      ], sheet({ showlegend: false, xaxis: axes(i, false), yaxis: axes(j, false) }), CONFIG);
      return;
    }
    const cells = new Map();
    rows.forEach((r) => { const at = `${xs.indexOf(r[2][i])},${ys.indexOf(r[2][j])}`; if (!cells.has(at)) cells.set(at, []); cells.get(at).push(C.value(r, key)); });
    const merge = { best: (v) => better > 0 ? Math.max(...v) : Math.min(...v), worst: (v) => better > 0 ? Math.min(...v) : Math.max(...v), mean: (v) => v.reduce((a, b) => a + b, 0) / v.length }[C.state.merge];
    const z = ys.map((_, b) => xs.map((_, a) => { const v = cells.get(`${a},${b}`); return v ? merge(v) : null; }));
    const shade = scale(z.flat().filter((v) => v !== null), better), few = xs.length <= 14 && ys.length <= 16 && innerWidth > 760;
    Plotly.react("surface", [
      { type: "heatmap", x: xs.map((v) => String(C.show(v))), y: ys.map((v) => String(C.show(v))), z, colorscale: shade.colorscale, zmin: shade.cmin, zmax: shade.cmax, xgap: 2, ygap: 2, colorbar: bar(key), hoverongaps: false,
        ...(few ? { texttemplate: `%{z:${tick(key) === ",.3~f" ? ".2f" : tick(key)}}`, textfont: { color: colour("ink"), size: 11 } } : {}),
        hovertemplate: `${dims[i].name} %{x}<br>${dims[j].name} %{y}<br>${C.t(key)} %{z:${tick(key)}}<extra></extra>` },
      ring(String(C.show(best[2][i])), String(C.show(best[2][j])), few ? 38 : 17),
    ], sheet({ showlegend: false, margin: { l: 64, r: 8, t: 8, b: 48 }, xaxis: axes(i, true), yaxis: axes(j, true) }), CONFIG);
  };

  // Plain lines, not plotly's own kind, which needs WebGL. Sets of one shade are one trace.
  const SHADES = 10;
  const parallel = (C) => {
    const dims = C.D.dimensions, key = C.state.figure, rows = C.usable(key);
    document.getElementById("parallel_card").hidden = dims.length < 3 || !rows.length;
    if (dims.length < 3 || !rows.length) return;
    const better = C.better(key), ordered = [...rows].sort((a, b) => better * (C.value(a, key) - C.value(b, key)));
    const places = dims.map((d, k) => {
      const all = distinct(rows.map((r) => r[2][k]), d.number), low = all[0], high = all[all.length - 1], f = d.log ? Math.log : (v) => v;
      const at = d.number && low !== high ? (v) => (f(v) - f(low)) / (f(high) - f(low)) : (v) => all.length < 2 ? 0.5 : all.indexOf(v) / (all.length - 1);
      return { at, marks: d.number ? [low, high] : all };
    });
    const values = rows.map((r) => C.value(r, key)), low = Math.min(...values), high = Math.max(...values);
    places.push({ at: (v) => low === high ? 0.5 : (v - low) / (high - low), marks: [low, high] });
    const wide = places.map((_, k) => k), traces = [];
    for (let s = 0; s < SHADES; s++) {
      const some = ordered.slice(Math.floor(ordered.length * s / SHADES), Math.floor(ordered.length * (s + 1) / SHADES)), x = [], y = [];
      some.forEach((r) => { wide.forEach((k) => { x.push(k); y.push(places[k].at(k < dims.length ? r[2][k] : C.value(r, key))); }); x.push(null); y.push(null); });
      const strength = s === SHADES - 1 ? 1 : 0.06 + 0.3 * s / SHADES;
      traces.push({ type: "scatter", mode: "lines", x, y, line: { color: s === SHADES - 1 ? colour("accent") : colour("quiet"), width: s === SHADES - 1 ? 1.6 : 1 }, opacity: strength, hoverinfo: "skip" });
    }
    const notes = places.flatMap((p, k) => p.marks.map((m) => ({ x: k, y: p.at(m), text: k < dims.length ? String(C.show(m)) : C.write(m, key), showarrow: false, xanchor: k === places.length - 1 ? "right" : "left", xshift: k === places.length - 1 ? -6 : 6, bgcolor: colour("card"), opacity: 0.9, font: { size: 11, color: colour("ink") } })));
    Plotly.react("parallel", traces, sheet({
      showlegend: false, annotations: notes, margin: { l: 24, r: 24, t: 12, b: 36 },
      xaxis: ruler({ tickvals: wide, ticktext: [...dims.map((d) => d.name), C.t(key)], range: [-0.08, wide.length - 0.92], fixedrange: true }), yaxis: { visible: false, range: [-0.06, 1.06], fixedrange: true },
    }), CONFIG);
  };
  return { equity, pbo, walk, surface, parallel };
})();
