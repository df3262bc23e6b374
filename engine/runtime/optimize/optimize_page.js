// The table of sets, and the page around the charts.
(() => {
  Object.assign(state, { figure: D.objective, x: 0, y: 1, merge: "best", chosen: 0, sort: "rank", falling: false, page: 0, filter: "" });
  const PAGE = 25;

  // --- values --------------------------------------------------------------------------------------------------------
  const SHARES = new Set(["total_return", "annual_return", "annual_volatility", "max_drawdown", "exposure", "win_rate", "deflated_sharpe", "probabilistic_sharpe"]);
  const WHOLE = new Set(["fills", "denied", "round_trips", "days", "days_a_year"]);
  const LESS = new Set(["max_drawdown", "annual_volatility", "fees", "turnover", "denied"]);
  const write = (v, key) => v === null || v === undefined ? "–" : SHARES.has(key) ? number(v * 100, key.endsWith("sharpe") || key === "exposure" || key === "win_rate" ? 1 : 2) + "%" : WHOLE.has(key) || key === "fees" || key === "final_equity" ? number(v, 0) : number(v, 2);
  const show = (v) => typeof v === "number" && !Number.isInteger(v) ? Number(v.toPrecision(5)) : typeof v === "number" ? v : String(v);
  const place = new Map(D.figures.map((name, i) => [name, i]));
  const value = (row, key) => key === "rank" ? row[0] : key === "deflated_sharpe" ? row[5] : key === "probabilistic_sharpe" ? row[4] : key === "unfit" ? row[6] : key.startsWith("p:") ? row[2][Number(key.slice(2))] : row[3] === null ? null : row[3][place.get(key)];
  const C = {
    D, state, t, value, write, show,
    better: (key) => LESS.has(key) ? -1 : 1,
    usable: (key) => D.sets.filter((row) => !row[6] && value(row, key) !== null),
    label: (i) => D.sets[i] ? D.dimensions.map((d, k) => `${d.name} ${show(D.sets[i][2][k])}`).join(", ") : "",
  };

  // --- elements ------------------------------------------------------------------------------------------------------
  const options = (id, rows, chosen) => $(id).replaceChildren(...rows.map(([key, text]) => {
    const one = element("option", text);
    one.value = String(key);
    one.selected = String(key) === String(chosen);
    return one;
  }));

  // --- parts ---------------------------------------------------------------------------------------------------------
  const best = D.sets.length && !D.sets[0][6] ? D.sets[0] : null;
  const tiles = () => {
    const of = (key) => best ? value(best, key) : null, rows = [];
    rows.push([write(of(D.objective), D.objective), `${t("best_of")}: ${t(D.objective)}`, ""]);
    if (D.objective !== "total_return") rows.push([write(of("total_return"), "total_return"), t("total_return"), tone(of("total_return"))]);
    if (D.objective !== "max_drawdown") rows.push([write(of("max_drawdown"), "max_drawdown"), t("max_drawdown"), of("max_drawdown") ? "down" : ""]);
    rows.push([write(of("round_trips"), "round_trips"), t("round_trips"), ""]);
    rows.push([write(of("deflated_sharpe"), "deflated_sharpe"), t("deflated_sharpe"), of("deflated_sharpe") === null ? "" : of("deflated_sharpe") >= 0.95 ? "up" : "down"]);
    const P = D.overfitting;
    rows.push([P ? write(P.probability, "win_rate") : "–", t("overfitting"), !P ? "" : P.probability > 0.5 ? "down" : P.probability <= 0.1 ? "up" : ""]);
    rows.push([number(D.luck), t("luck"), ""]);
    if (D.walk && D.walk.stitched) rows.push([number(D.walk.stitched.sharpe), t("out_sharpe"), tone(D.walk.stitched.sharpe)], [write(D.walk.stitched.total_return, "total_return"), t("out_return"), tone(D.walk.stitched.total_return)]);
    else rows.push([number(D.tried, 0), t("tried"), ""]);
    $("tiles").replaceChildren(...rows.map(([text, name, classes]) => {
      const tile = element("div", undefined, "tile");
      tile.append(element("b", text, classes), element("span", name));
      return tile;
    }));
  };
  const windows = () => {
    if (!D.walk) return;
    const heads = [[t("window"), "n"], [t("test_from")], [t("test_to")], [t("parameters")], [t("inside"), "n"], [t("outside"), "n"], [t("total_return"), "n"], ["DSR", "n"], ["PBO", "n"]];
    table("windows", heads, D.walk.windows.map((w) => [
      [String(w.number), "n"], [w.test[0].slice(0, 10)], [w.test[1].slice(0, 10)], [w.parameters ? D.dimensions.map((d, k) => `${d.name} ${show(w.parameters[k])}`).join(", ") : t("no_choice")],
      [write(w.inside, D.objective), "n"], [write(w.outside, D.objective), "n"], [write(w.outside_return, "total_return"), "n " + tone(w.outside_return)], [write(w.deflated, "deflated_sharpe"), "n"], [write(w.overfitting, "win_rate"), "n"],
    ]));
  };
  const COLUMNS = [["rank", "rank"], ...D.dimensions.map((d, k) => [`p:${k}`, d.name]), [D.objective, D.objective],
    ...["deflated_sharpe", "total_return", "annual_return", "sharpe", "max_drawdown", "calmar", "round_trips", "win_rate", "profit_factor", "exposure", "turnover", "fees"].filter((key) => key !== D.objective).map((key) => [key, key]), ["unfit", "unfit"]]
    .filter(([key]) => key !== "unfit" || D.sets.some((row) => row[6]));
  const sets = () => {
    const wanted = state.filter.trim().toLowerCase();
    const rows = D.sets.map((row, i) => [row, i]).filter(([row, i]) => !wanted || `${C.label(i)} ${row[6]}`.toLowerCase().includes(wanted));
    const way = state.falling ? -1 : 1, key = state.sort;
    rows.sort(([a], [b]) => {
      const x = value(a, key), y = value(b, key);
      if (x === y) return a[0] - b[0];
      if (x === null || x === undefined) return 1;
      if (y === null || y === undefined) return -1;
      return (x < y ? -1 : 1) * way;
    });
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    state.page = Math.max(0, Math.min(state.page, pages - 1));
    const some = rows.slice(state.page * PAGE, (state.page + 1) * PAGE);
    const left = (key) => key === "unfit" || (key.startsWith("p:") && !D.dimensions[Number(key.slice(2))].number);
    table("sets", COLUMNS.map(([key, name]) => [t(name) + (state.sort === key ? (state.falling ? " ↓" : " ↑") : ""), (left(key) ? "" : "n ") + "sorts"]),
      some.map(([row]) => COLUMNS.map(([key]) => key === "unfit" ? [row[6], "why"] : [key === "rank" ? String(row[0]) : key.startsWith("p:") ? String(show(value(row, key))) : write(value(row, key), key), (left(key) ? "" : "n ") + (key === "total_return" ? tone(value(row, key)) : "")])));
    [...$("sets").querySelectorAll("th")].forEach((head, i) => head.addEventListener("click", () => {
      const key = COLUMNS[i][0];
      state.falling = state.sort === key ? !state.falling : !(key === "rank" || key.startsWith("p:") || LESS.has(key));
      state.sort = key; state.page = 0;
      sets();
    }));
    [...$("sets").tBodies[0].children].forEach((line, n) => {
      if (!some.length) return;
      const at = some[n][1];
      if (at === state.chosen) line.classList.add("chosen");
      if (!D.curves[at]) return;
      line.classList.add("pick");
      line.addEventListener("click", () => { state.chosen = at; sets(); shown(); });
    });
    $("page").textContent = t("page")(state.page + 1, pages, number(rows.length, 0));
    $("first").disabled = $("back").disabled = state.page === 0;
    $("next").disabled = $("last").disabled = state.page === pages - 1;
  };
  const shown = () => {
    $("shown").textContent = `#${state.chosen + 1} · ${C.label(state.chosen)}`;
    CHARTS.equity(C);
  };
  const FIGURES = [D.objective, ...["sharpe", "total_return", "calmar", "max_drawdown", "deflated_sharpe", "round_trips", "win_rate", "profit_factor", "turnover"].filter((key) => key !== D.objective)];
  const controls = () => {
    options("figure", FIGURES.map((key) => [key, t(key)]), state.figure);
    ["axis_x", "axis_y"].forEach((id, n) => options(id, D.dimensions.map((d, k) => [k, d.name]), n ? state.y : state.x));
    options("merge", ["best", "mean", "worst"].map((key) => [key, t("merge_" + key)]), state.merge);
    document.querySelectorAll(".axes, .others").forEach((e) => { e.hidden = D.dimensions.length < 3; e.style.display = e.hidden ? "none" : ""; });
  };

  // --- the page ------------------------------------------------------------------------------------------------------
  const draw = () => {
    dress();
    $("title").textContent = D.title;
    $("subtitle").textContent = [`${number(D.count, 0)} ${t("rows")} (${t(D.search)})`, D.instruments.join(", "), `${D.from} – ${D.to} ${D.tz}`].join(" · ");
    $("filter").placeholder = t("filter");
    $("filter").setAttribute("aria-label", t("filter"));
    $("sentences").replaceChildren(...D.sentences[state.language].map((said) => element("p", said)));
    tiles(); windows(); controls(); sets();
    table("details", [[t("kind")], [t("name")], [t("what")]], D.details.map(([k, n, x]) => [[t(k)], [n], [x, "wrap"]]));
    CHARTS.pbo(C); CHARTS.walk(C); CHARTS.surface(C); CHARTS.parallel(C); shown();
  };
  $("filter").addEventListener("input", (e) => { state.filter = e.target.value; state.page = 0; sets(); });
  [["first", () => 0], ["back", () => state.page - 1], ["next", () => state.page + 1], ["last", () => Infinity]].forEach(([id, to]) =>
    $(id).addEventListener("click", () => { state.page = to(); sets(); }));
  [["figure", (v) => { state.figure = v; }], ["axis_x", (v) => { state.x = Number(v); }], ["axis_y", (v) => { state.y = Number(v); }], ["merge", (v) => { state.merge = v; }]].forEach(([id, set]) =>
    $(id).addEventListener("change", (e) => { set(e.target.value); CHARTS.surface(C); CHARTS.parallel(C); }));
  start(draw);
})();
