// Orders, the whole life of one, and fills.

import { get, post } from "./api.js";
import { $, el, table } from "./elements.js";
import { money, price, when, whenExactly, whole } from "./format.js";
import { t, term } from "./words.js";

const TABS = ["all", "open", "ended", "denied"];
const STEPS = { intent: "intent", denied: "denied_step", send: "send_step", evidence: "evidence", booking: "booking", operator: "operator" };
let tab = "all";

const sideCell = (side) => [term(side), side.startsWith("buy") ? "up" : "down"];

const shown = (order) => tab === "all" || (tab === "open" ? order.open : tab === "denied" ? order.state === "denied" : !order.open && order.state !== "denied");

export const orders = (store, redraw) => {
  $("order-tabs").replaceChildren(...TABS.map((name) =>
    el("button", { type: "button", "aria-pressed": String(name === tab), onclick: () => { tab = name; redraw(); } }, t(name))));
  const rows = [...store.orders.values()].filter(shown)
    .sort((a, b) => (BigInt(b.submitted ? b.submitted.ts_ns : 0) > BigInt(a.submitted ? a.submitted.ts_ns : 0) ? 1 : -1)).slice(0, 200);
  table("orders",
    [[t("time")], [t("instrument")], [t("side")], [t("quantity"), "right"], [t("filled"), "right"], [t("price"), "right wide"], [t("average"), "right wide"],
      [t("state")], [t("strategy"), "wide"], [t("account"), "wide"], [t("reason"), "wide"]],
    rows.map((order) => ({
      key: order.client_id,
      open: () => life(order.client_id),
      cells: [[when(order.submitted)], [order.instrument], sideCell(order.side), [whole(order.quantity), "right"], [whole(order.filled), "right"],
        [order.price === null ? term(order.type) : price(order.price), "right wide"], [price(order.average_price), "right wide"], [term(order.state)],
        [order.strategy, "wide"], [order.account, "wide"], [order.reason || "", "long wide"]],
    })), [4, 7]);
};

export const fills = (store) => table("fills",
  [[t("time")], [t("instrument")], [t("side")], [t("quantity"), "right"], [t("price"), "right"], [t("fee"), "right wide"], [t("strategy"), "wide"], [t("account"), "wide"]],
  store.fills.slice(0, 100).map((fill) => ({
    cells: [[when(fill.at)], [fill.instrument], sideCell(fill.side), [whole(fill.quantity), "right"],
      [price(fill.price) + (fill.inferred ? ` (${t("inferred")})` : ""), "right"], [money(fill.fee), "right wide"], [fill.strategy, "wide"], [fill.account, "wide"]],
  })));

const fact = (name, value) => el("div", {}, el("span", {}, name), value);

const step = ({ step: name, text, at, record }) => el("li", { class: name },
  el("b", {}, t(STEPS[name] || name)), el("span", { class: "quiet" }, whenExactly(at)), el("p", {}, text),
  el("details", {}, el("summary", {}, `${t("record")} ${record.type || ""}`), el("pre", {}, JSON.stringify(record, null, 2))));

export const close = () => { $("drawer").hidden = true; };

export const life = async (id) => {
  const drawer = $("drawer"), fault = el("p", { class: "fault", role: "alert" });
  const shut = el("button", { type: "button", onclick: close }, t("close"));
  drawer.replaceChildren(el("h2", {}, el("span", {}, t("life")), shut), fault);
  drawer.hidden = false;
  let found;
  try {
    found = await get(`/api/orders/${encodeURIComponent(id)}`);
  } catch (error) {
    fault.textContent = error.message;
    return;
  }
  const { order, life: steps } = found;
  const withdraw = el("button", {
    type: "button", class: "danger", id: "withdraw",
    onclick: async () => {
      withdraw.disabled = true;
      try {
        await post(`/api/orders/${encodeURIComponent(id)}/cancel`, { reason: "dashboard" });
        fault.className = "done";
        fault.textContent = t("withdrawn");
      } catch (error) {
        fault.className = "fault";
        fault.textContent = error.message;
        withdraw.disabled = false;
      }
    },
  }, t("withdraw"));
  const facts = order === null ? [] : [
    fact(t("instrument"), order.instrument), fact(t("side"), term(order.side)), fact(t("quantity"), `${whole(order.filled)} / ${whole(order.quantity)}`),
    fact(t("price"), order.price === null ? term(order.type) : price(order.price)), fact(t("average"), price(order.average_price)),
    fact(t("state"), term(order.state)), fact(t("strategy"), order.strategy), fact(t("account"), order.account), fact(t("fee"), money(order.fee)),
  ];
  drawer.replaceChildren(
    el("h2", {}, el("span", {}, t("life")), shut), el("p", { class: "quiet" }, id), el("div", { class: "facts" }, ...facts),
    el("ol", { class: "life" }, ...steps.map(step)), ...(order && order.open ? [withdraw] : []), fault);
  shut.focus();
};
