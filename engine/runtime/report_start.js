// Puts the report together.
const draw = () => {
  dress();
  $("title").textContent = F.title;
  $("subtitle").textContent = [t(F.mode), many(D.charts.map((c) => c.instrument).join(", ")), `${F.from.slice(0, 16)} – ${F.to.slice(0, 16)} ${F.tz}`].filter(Boolean).join(" · ");
  $("filter").placeholder = t("filter");
  $("filter").setAttribute("aria-label", t("filter"));
  tiles(); statistics(); monthly(); falls(); costs(); trips(); lists(); ranges();
  equity(); rolling(); exposure(); turnover(); distribution(); excursions(); denials(); candles();
};
$("filter").addEventListener("input", (e) => { state.filter = e.target.value; state.page = 0; trips(); });
[["first", () => 0], ["back", () => state.page - 1], ["next", () => state.page + 1], ["last", () => Infinity]].forEach(([id, to]) =>
  $(id).addEventListener("click", () => { state.page = to(); trips(); }));
$("instrument").hidden = D.charts.length < 2;
$("instrument").replaceChildren(...D.charts.map((c, i) => { const o = element("option", c.instrument); o.value = String(i); return o; }));
$("instrument").addEventListener("change", (e) => { state.chart = Number(e.target.value); state.from = state.to = null; ranges(); candles(); });
start(draw);
