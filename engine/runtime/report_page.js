// The report's figures and lists. A figure names its place in the JSON of ``report --json`` in ``data-figure``.
const F = D.figures, S = F.statistics, B = F.benchmark, X = F.exposure;
const PAGE = 25;
Object.assign(state, { chart: 0, from: null, to: null, sort: 5, falling: true, page: 0, filter: "", table: D.costs && D.costs.strategies.length > D.costs.instruments.length ? "strategies" : "instruments", bands: false });

const money = (v) => number(v, 2);
const whole = (v) => number(v, 0);
const seconds = (ns) => blank(ns) ? "–" : span(ns / 1e9);
const at = (s) => blank(s) ? "–" : day(s);
const benchmarkName = () => !B ? "" : B.kind === "hold" ? t("hold_of")(many(B.name)) : B.name;
const many = (names) => { const list = names.split(", "); return list.length > 3 ? `${list.slice(0, 2).join(", ")} … (${list.length})` : names; };

// [word, place in the JSON, text, tone]
const figures = () => ({
  risk_return: [
    ["starting_equity", "starting_equity", money(F.starting_equity)], ["final_equity", "final_equity", money(F.final_equity)],
    ["total_return", "statistics.total_return", signed(S.total_return, percent), tone(S.total_return)], ["annual_return", "statistics.annual_return", signed(S.annual_return, percent), tone(S.annual_return)],
    ["annual_volatility", "statistics.annual_volatility", percent(S.annual_volatility)], ["sharpe", "statistics.sharpe", number(S.sharpe)], ["sortino", "statistics.sortino", number(S.sortino)],
    ["calmar", "statistics.calmar", number(S.calmar)], ["max_drawdown", "statistics.max_drawdown", percent(S.max_drawdown)],
    ["max_drawdown_from_ns", "statistics.max_drawdown_from_ns", D.falls.length ? at(D.falls[0][1]) : "–"], ["max_drawdown_to_ns", "statistics.max_drawdown_to_ns", D.falls.length ? at(D.falls[0][2]) : "–"],
    ["max_drawdown_recovered_ns", "statistics.max_drawdown_recovered_ns", !D.falls.length ? "–" : blank(D.falls[0][3]) ? t("not_yet") : at(D.falls[0][3])],
    ["longest_drawdown_ns", "statistics.longest_drawdown_ns", seconds(S.longest_drawdown_ns)], ["days", "statistics.days", whole(S.days)], ["days_a_year", "statistics.days_a_year", whole(S.days_a_year)],
  ],
  trading: [
    ["fills_count", "statistics.fills", whole(S.fills)], ["round_trips_count", "statistics.round_trips", whole(S.round_trips)], ["win_rate", "statistics.win_rate", percent(S.win_rate)],
    ["profit_factor", "statistics.profit_factor", number(S.profit_factor)], ["average_pnl", "statistics.average_pnl", money(S.average_pnl), tone(S.average_pnl)], ["average_win", "statistics.average_win", money(S.average_win)],
    ["average_loss", "statistics.average_loss", money(S.average_loss)], ["best", "statistics.best", money(S.best)], ["worst", "statistics.worst", money(S.worst)],
    ["average_holding_ns", "statistics.average_holding_ns", seconds(S.average_holding_ns)], ["losing_streak", "statistics.losing_streak", whole(S.losing_streak)],
    ["traded_value", "statistics.traded_value", whole(S.traded_value)], ["turnover", "statistics.turnover", number(S.turnover, 1)], ["fees", "statistics.fees", money(S.fees)],
    ["exposure", "statistics.exposure", percent(S.exposure)],
    ...(X ? [["mean_gross", "exposure.mean_gross", percent(X.mean_gross)], ["max_gross", "exposure.max_gross", percent(X.max_gross)], ["mean_net", "exposure.mean_net", percent(X.mean_net)]] : []),
  ],
  vs_benchmark: !B ? [] : [
    ["benchmark_is", "benchmark.name", benchmarkName()], ["excess_return", "benchmark.excess_return", signed(B.excess_return, percent), tone(B.excess_return)],
    ["alpha", "benchmark.alpha", signed(B.alpha, percent), tone(B.alpha)], ["beta", "benchmark.beta", number(B.beta)], ["correlation", "benchmark.correlation", number(B.correlation)],
    ["information_ratio", "benchmark.information_ratio", number(B.information_ratio)], ["tracking_error", "benchmark.tracking_error", percent(B.tracking_error)], ["up_days", "benchmark.up_days", percent(B.up_days, 1)],
    ...["total_return", "annual_return", "annual_volatility", "max_drawdown"].map((key) => [key, `benchmark.${key}`, percent(B[key]), "", true]), ["sharpe", "benchmark.sharpe", number(B.sharpe), "", true],
  ],
});
const tiles = () => {
  const rows = [
    ["total_return", "statistics.total_return", signed(S.total_return, percent), tone(S.total_return)],
    ...(B ? [["benchmark", "benchmark.total_return", signed(B.total_return, percent), tone(B.total_return)]] : [["final_equity", "final_equity", whole(F.final_equity), "", F.currency]]),
    ["annual_return", "statistics.annual_return", signed(S.annual_return, percent), tone(S.annual_return)],
    ["max_drawdown", "statistics.max_drawdown", percent(S.max_drawdown && -S.max_drawdown), S.max_drawdown ? "down" : ""],
    ["sharpe", "statistics.sharpe", number(S.sharpe)], ["annual_volatility", "statistics.annual_volatility", percent(S.annual_volatility)],
    ["round_trips_count", "statistics.round_trips", whole(S.round_trips)], ["win_rate", "statistics.win_rate", percent(S.win_rate, 1)],
    ["fees", "statistics.fees", whole(S.fees), "", F.currency], ...(B ? [["final_equity", "final_equity", whole(F.final_equity), "", F.currency]] : [["turnover", "statistics.turnover", number(S.turnover, 1)]]),
  ];
  $("tiles").replaceChildren(...rows.map(([key, place, text, classes, unit]) => {
    const tile = element("div", undefined, "tile"), value = element("b", text, classes);
    value.dataset.figure = place;
    tile.title = t("says")[key] || "";
    tile.append(value, element("span", key === "benchmark" ? benchmarkName() : t(key) + (unit ? ` (${unit})` : "")));
    return tile;
  }));
};
const statistics = () => {
  $("statistics").replaceChildren(...Object.entries(figures()).filter(([, rows]) => rows.length).map(([group, rows]) => {
    const part = element("section");
    part.append(element("h3", t(group)), ...rows.map(([key, place, text, classes, other]) => {
      const row = element("div"), value = element("span", text, classes), says = t("says")[key];
      value.dataset.figure = place;
      row.append(element("span", other ? t("of_benchmark")(t(key)) : t(key)), value);
      if (says) { row.title = says; row.append(element("small", says)); }
      return row;
    }));
    return part;
  }));
};
const monthly = () => {
  const deepest = Math.max(0.01, ...F.monthly.map((m) => Math.abs(m.return)));
  const head = element("tr"), rows = [head];
  ["", ...t("months"), t("year")].forEach((text) => head.append(element("th", text)));
  F.yearly.forEach((year) => {
    const row = element("tr");
    row.append(element("th", String(year.year)));
    for (let month = 1; month <= 12; month++) {
      const found = F.monthly.find((m) => m.year === year.year && m.month === month);
      const cell = element("td", found ? number(found.return * 100, 1) : "", found ? "" : "empty");
      if (found) heat(cell, found.return, deepest);
      row.append(cell);
    }
    row.append(element("td", percent(year.return, 1), "total " + tone(year.return)));
    rows.push(row);
  });
  $("monthly").replaceChildren(...rows);
};
const falls = () => table("falls", [["#"], [t("depth"), "n"], [t("peak")], [t("bottom")], [t("recovered")], [t("falling"), "n"], [t("lasted"), "n"]],
  D.falls.map(([depth, peak, bottom, recovered, falling, lasted], i) =>
    [[String(i + 1), "quiet"], [percent(-depth), "n down"], [day(peak)], [day(bottom)], blank(recovered) ? [t("not_yet"), "quiet"] : [day(recovered)], [span(falling), "n"], [span(lasted), "n"]]));

const costs = () => {
  const C = D.costs;
  $("costs_card").hidden = !C;
  if (!C) return;
  const some = ["instruments", "strategies", "parts"].filter((key) => key !== "parts" || (C.strategies.length > 2 && C.instruments.length > 2));
  choice("costs_by", some.map((key) => [key, t({ strategies: "by_strategy", instruments: "by_instrument", parts: "by_both" }[key])]), state.table, (key) => { state.table = key; costs(); });
  const rows = C[state.table], total = rows[rows.length - 1], named = { strategies: [0], instruments: [1], parts: [0, 1] }[state.table];
  const unpriced = total[10] > 0, heads = [...named.map((i) => i ? "instrument" : "strategy"), "fills_count", "traded_value", "gross_profit", "slippage", "of_it_delay", "fees", "net_profit", "cost_points"];
  if (unpriced) heads.push("unpriced");
  const less = (v) => v === null ? "–" : signed(-v, number), amount = (v) => [signed(v, number), "n " + tone(v)];
  const cells = (r, last) => [
    ...named.map((i, place) => [last ? (place ? "" : t("total")) : r[i]]), [whole(r[2]), "n"], [whole(r[3]), "n"], amount(r[4]), [less(r[5]), "n"], [less(r[6]), "n quiet"], [less(r[7]), "n"], amount(r[8]),
    [number(r[9]), "n"], ...(unpriced ? [[whole(r[10]), "n"]] : []),
  ];
  const only = (word, v) => heads.map((key, i) => i === 0 ? [t(word)] : key === "net_profit" ? amount(v) : [""]);
  table("costs", heads.map((key, i) => [t(key), i >= named.length ? "n" : ""]), [
    ...rows.slice(0, -1).map((r) => cells(r, false)), cells(total, true), ...(C.beside ? [only("beside", C.beside), only("change", C.change)] : []),
  ]);
  [...$("costs").querySelectorAll("tbody tr")].slice(rows.length - 1).forEach((row, i) => row.classList.toggle("sum", i !== 1));
  profits(rows.slice(0, -1).map((r) => [named.map((i) => r[i]).join(" · "), r[8]]));
};

// --- lists -----------------------------------------------------------------------------------------------------------
const COLUMNS = [
  ["strategy", 0, (v) => v], ["instrument", 1, (v) => v], ["way", 2, (v) => t(v)], ["quantity", 3, whole],
  ["entry", 4, moment], ["exit", 5, moment], ["entry_price", 6, price], ["exit_price", 7, price], ["fees", 8, money],
  ["pnl", 9, (v) => signed(v, money)], ["return", 10, (v) => signed(v, percent)], ["held", 11, span], ["mae", 12, (v) => percent(v)], ["mfe", 13, (v) => percent(v)],
];
const NUMERIC = new Set(["quantity", "entry_price", "exit_price", "fees", "pnl", "return", "held", "mae", "mfe"]);
const trips = () => {
  const wanted = state.filter.toLowerCase();
  const rows = D.trips.filter((r) => !wanted || `${r[0]} ${r[1]} ${r[2]} ${t(r[2])} ${moment(r[4])}`.toLowerCase().includes(wanted));
  const way = state.falling ? -1 : 1;
  rows.sort((a, b) => (a[state.sort] < b[state.sort] ? -1 : a[state.sort] > b[state.sort] ? 1 : 0) * way);
  const pages = Math.max(1, Math.ceil(rows.length / PAGE));
  state.page = Math.min(Math.max(0, state.page), pages - 1);
  const columns = D.trips.some((r) => r[12] !== null) ? COLUMNS : COLUMNS.slice(0, 12);
  const heads = columns.map(([key, place]) => [t(key) + (place === state.sort ? (state.falling ? " ↓" : " ↑") : ""), "sorts" + (NUMERIC.has(key) ? " n" : "")]);
  table("trips", heads, rows.slice(state.page * PAGE, (state.page + 1) * PAGE).map((r) =>
    columns.map(([key, place, show]) => [show(r[place]), (NUMERIC.has(key) ? "n " : "") + (key === "pnl" || key === "return" ? tone(r[place]) : "")])));
  [...$("trips").querySelectorAll("th")].forEach((th, i) => th.addEventListener("click", () => {
    const place = columns[i][1];
    state.falling = state.sort === place ? !state.falling : true;
    state.sort = place; state.page = 0;
    trips();
  }));
  $("page").textContent = t("page")(state.page + 1, pages, whole(rows.length));
  $("first").disabled = $("back").disabled = state.page === 0;
  $("next").disabled = $("last").disabled = state.page === pages - 1;
  $("pages").hidden = pages < 2;
};
const lists = () => {
  table("orders", [[t("state")], [t("count"), "n"]], Object.entries(F.orders).map(([s, n]) => [[t(s)], [whole(n), "n"]]));
  table("open", [[t("strategy")], [t("instrument")], [t("quantity"), "n"], [t("average_price"), "n"]],
    F.open_positions.map((p) => [[p.strategy], [p.instrument], [whole(p.quantity), "n"], [price(p.average_price), "n"]]));
  $("denials_card").hidden = !F.denials.length;
  const edge = (days, last) => days.length ? days[last ? days.length - 1 : 0][0] : "–";
  table("denials", [[t("code")], [t("count"), "n"], [t("first_time")], [t("last_time")], [t("last_reason")]],
    F.denials.map((d) => [[d.code], [whole(d.count), "n"], [edge(d.days, false)], [edge(d.days, true)], [d.example, "wrap"]]));
  $("incidents_card").hidden = !D.incidents.length;
  table("incidents", [[t("time")], [t("kind")], [t("what")]], D.incidents.map(([when, k, x]) => [[when], [t(k)], [x, "wrap"]]));
  table("details", [[t("kind")], [t("name")], [t("what")]], D.details.map(([k, n, x]) => [[t(k)], [n], [x, "wrap"]]));
};
