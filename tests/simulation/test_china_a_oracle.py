"""The A-share oracle: worked cases against the rule book, the backtest, the paper gate and every mainland simulator."""

from collections import Counter as Count
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine import Strategy
from engine.clock import ReplayClock
from engine.domain.account import Capabilities
from engine.domain.actions import CorporateAction
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.events import Fill, OrderDenied
from engine.domain.ids import ClientOrderId, StrategyId
from engine.domain.market import Quote
from engine.domain.order import Evidence, OrderReport
from engine.domain.timestamps import MINUTE_NS, day_of
from engine.journal.memory import MemoryJournal
from engine.markets.china_a import ChinaA
from engine.matching import FILL_MODELS
from engine.risk.profiles import limits_for
from engine.runtime.backtest import ACCOUNT, Backtest
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.wiring import Core, join
from engine.simulators.counter import CounterRefusal
from tests.core_builders import Nowhere
from tests.counter_builders import EVE
from tests.easyths_simulator_builders import ServerAtHand
from tests.futu_simulator_builders import SIMULATE_CN, GatewayAtHand
from tests.huatai_simulator_builders import HuataiAtHand
from tests.oracle_cases import ZONE, Case, cases, local, sources
from tests.oracle_market import MinutesOf, bench_of

BOOK = ChinaA()
CASH = 20_000_000
MODELS = ("next_open", "touch", "volume_share")
MARKET_LIMITS = {"well_formed", "market_rules", "cash", "sellable", "price_cage"}
"""Those of the paper profile that speak of the market and the account."""
Told = tuple[str, list[tuple[int, Decimal, Decimal]]]
"""Code of the denial, and fills: quantity, price, fees."""


def by_id(case: Case) -> str:
    return case.id


def wanted(case: Case) -> Told:
    return case.expect, [(quantity, Decimal(price), Decimal(fee)) for quantity, price, fee in case.fills]


def an_order(case: Case, number: int, at_ns: int, side: Side, quantity: int, price: Decimal | None) -> SubmitOrder:
    return SubmitOrder(
        client_id=ClientOrderId(f"s-{number}"), account=ACCOUNT, strategy=StrategyId("s"), side=side,
        instrument=case.instrument.id, quantity=quantity, ts_ns=at_ns, price=price,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
    )  # fmt: skip


# --- the table --------------------------------------------------------------------------------------------------------


def test_the_table_is_long_and_each_case_has_its_source() -> None:
    """A hundred cases, each asked of somebody, each with arithmetic and a source that the head names."""
    table, known = cases(), sources()
    assert len(table) >= 60
    assert len({case.id for case in table}) == len(table)
    assert [case.id for case in table if case.source not in known or not case.sum or not case.on] == []
    asked = Count(runner for case in table for runner in case.on)
    assert set(asked) == {"book", "backtest", "paper", "counter", "easyths", "huatai", "futu"}
    kinds = Count(case.id.partition("-")[0] for case in table)
    assert {"lot", "t1", "limit", "locked", "fee", "duty", "transfer", "auction", "hours", "suspended", "ex"} <= set(
        kinds
    )


# --- who is asked -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases("book"), ids=by_id)
def test_the_rule_book(case: Case) -> None:
    """It refuses by the very code."""
    order = an_order(case, 1, case.at_ns, case.side, case.quantity, case.limit)
    denial = BOOK.check(order, case.instrument, case.at_ns, case.held)
    code = "" if denial is None else denial.code
    band = BOOK.price_band(case.instrument, float(case.close), case.at_ns)
    if not code and case.limit is not None and band is not None and not band[0] <= case.limit <= band[1]:
        code = "PRICE_RULE"
    assert code == case.expect


class Planned(Strategy):
    """Every order of a case at its moment."""

    case: Case

    def on_start(self) -> None:
        moments = [*((at, side, quantity, Decimal(price)) for at, side, quantity, price in self.case.before)]
        moments.append((self.case.at, self.case.side, self.case.quantity, self.case.limit))  # type: ignore[arg-type]
        for number, (at, side, quantity, price) in enumerate(moments):
            self.plan(at, f"order {number}", partial(self.ctx.submit, side, self.case.code, quantity, price))
        if self.case.cancel:
            self.plan(self.case.cancel, "cancel", self.cancel_all)

    def plan(self, at: str, name: str, act: Callable[[], Any]) -> None:
        day = day_of(local(at), ZONE)

        def due() -> None:
            if day_of(self.ctx.now_ns, ZONE) == day:
                act()

        self.at(at[-8:], due, tz=ZONE, name=name)


def a_run(case: Case, model: str, profile: str = "backtest") -> tuple[Told, Backtest]:
    strategy = type("Plan", (Planned,), {"case": case})
    name = case.instrument.id
    run = Backtest(
        sources=[MinutesOf(case)],
        strategies=[StrategySpec(name=StrategyId("s"), make=strategy, instruments=(name,))],
        instruments={name: case.instrument},
        books={"china_a": BOOK},
        limits=limits_for(profile, {}),
        fill_model=FILL_MODELS[model](),
        journal=MemoryJournal(),
        cash=Decimal(CASH),
        takes_rights=case.takes_rights,
    )
    if case.held:
        run.core.portfolio.accounts[ACCOUNT].position(name).book(case.held, case.held * Decimal(case.close))
        run.core.portfolio._strategy_position(StrategyId("s"), name).book(case.held, case.held * Decimal(case.close))
    result = run.run()
    assert not result.stopped, result.stopped
    last = ClientOrderId(f"s-{len(case.before) + 1}")
    records = [record for _, record in run._journal.records()]
    denied = [r.code for r in records if isinstance(r, OrderDenied) and r.client_id == last]
    fills = [
        (r.quantity, r.price or Decimal(0), r.fee or Decimal(0))
        for r in records
        if isinstance(r, OrderReport) and r.kind is Evidence.FILL and r.client_id == last
    ]
    assert [r.reason for r in records if isinstance(r, OrderDenied) and r.client_id != last] == []
    return ("".join(denied), fills), run


@pytest.mark.parametrize("case", cases("backtest"), ids=by_id)
def test_the_backtest(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals, fills and fees to the cent by every fill model; after an ex-date shares and cash too."""
    if case.action:
        day = day_of(case.at_ns, ZONE)
        action = CorporateAction(ex_day=day.toordinal(), **{key: Decimal(text) for key, text in case.action.items()})
        monkeypatch.setattr("engine.runtime.backtest.actions_of", lambda _: ({case.instrument.id: (action,)}, ()))
    for model in [case.model] if case.model else MODELS:
        told, run = a_run(case, model)
        assert told == wanted(case), model
        if case.after is not None:
            book = run.core.portfolio.accounts[ACCOUNT]
            held = book.positions[case.instrument.id].quantity
            assert (held, book.cash["CNY"] - CASH) == (case.after[0], Decimal(case.after[1])), model
            assert run.core.portfolio.strategy_quantity(StrategyId("s"), case.instrument.id) == held


@pytest.mark.parametrize("case", cases("paper"), ids=by_id)
def test_the_paper_gate(case: Case) -> None:
    """The order gate with the market's limits of profile paper, and its fees for fills of a venue that tells none."""
    heard: list[Any] = []
    clock = ReplayClock(local(case.before[0][0] if case.before else case.at))
    core = Core(
        clock=clock,
        journal=MemoryJournal(),
        instruments={case.instrument.id: case.instrument},
        books={"china_a": BOOK},
        limits=[limit for limit in limits_for("paper", {}) if limit.name in MARKET_LIMITS],
        sheets={ACCOUNT: Capabilities(gateway="paper", order_types=frozenset(OrderType), echoes_client_id=True)},
        outside=lambda *_: None,
        note=lambda *_: None,
    )
    book = core.portfolio.open_account(ACCOUNT, "CNY", Decimal(CASH))
    if case.held:
        book.position(case.instrument.id).book(case.held, case.held * Decimal(case.close))
    watched = [(Fill, heard.append), (OrderDenied, heard.append)]
    join(core, Nowhere(), keep_history=False, subscriptions=lambda _: None, watchers=watched)
    core.view.previous_close[case.instrument.id] = float(case.close)

    def send(number: int, at: str, side: Side, quantity: int, price: Decimal | None, fills: list[Any]) -> None:
        clock.now_ns = local(at)
        core.bus.publish(Quote(case.instrument.id, clock.now_ns, float(case.close), float(case.close)))
        core.view.previous_close[case.instrument.id] = float(case.close)
        order = an_order(case, number, clock.now_ns, side, quantity, price)
        core.bus.publish(order)
        if order.client_id not in core.manager.orders:
            return
        core.manager.mark_sent(order.client_id)
        for part, (done, at_price, _) in enumerate(fills):
            core.bus.publish(
                OrderReport(
                    account=ACCOUNT, client_id=order.client_id, kind=Evidence.FILL, ts_ns=clock.now_ns,
                    quantity=done, price=at_price, fill_id=f"{number}.{part}",
                )
            )  # fmt: skip

    for number, (at, side, quantity, price) in enumerate(case.before, 1):
        send(number, at, side, quantity, Decimal(price), [(quantity, Decimal(price), None)])
    assert not [event for event in heard if isinstance(event, OrderDenied)]
    heard.clear()
    send(len(case.before) + 1, case.at, case.side, case.quantity, case.limit, wanted(case)[1])
    denied = "".join(event.code for event in heard if isinstance(event, OrderDenied))
    assert (denied, [(f.quantity, f.price, f.fee) for f in heard if isinstance(f, Fill)]) == wanted(case)


SAID = {
    "委托数量不合法": "LOT", "委托数量超过": "MAX_QTY", "委托价格": "PRICE_RULE", "可用股份不足": "SELLABLE",
    "非交易时间": "SESSION", "当前时段": "SESSION",
}  # fmt: skip
"""What the counter says begins so."""


@pytest.mark.parametrize("case", cases("counter"), ids=by_id)
def test_the_counter(case: Case) -> None:
    """The mainland broker's counter, which both desktop clients stand on."""
    bench = bench_of(case)
    for at, side, quantity, price in case.before:
        bench.place(side, quantity, price, at)
    refused = ""
    bench.advance(case.at)
    done = len(bench.counter.books.deals)
    try:
        entrust = bench.place(case.side, case.quantity, case.price or None, case.at, 0 if case.price else 3)
    except CounterRefusal as refusal:
        refused = next(code for text, code in SAID.items() if refusal.text.startswith(text))
    else:
        if case.cancel:
            try:
                bench.counter.cancel(entrust, local(case.cancel))
            except CounterRefusal:
                assert case.fills
    if not refused:
        bench.advance("15:10:00")
    deals = bench.counter.books.deals[done:]
    assert (refused, [(deal.quantity, deal.price, deal.fee) for deal in deals]) == wanted(case)


@pytest.mark.parametrize("case", cases("easyths"), ids=by_id)
async def test_easyths(case: Case) -> None:
    """Through the wire: an order that is refused is not at the counter, one that fills pays these fees."""
    bench = bench_of(case)
    server = ServerAtHand(
        case.at_ns - MINUTE_NS, exchange=bench.exchange, shares=(case.share,), account=bench.counter.account
    )
    server.clock.now_ns = case.at_ns
    name = "buy" if case.side is Side.BUY else "sell"
    await server.submit(name, stock_code=case.share.code6, price=float(case.price), quantity=case.quantity)
    server.wait(600)
    placed = server.placed()
    assert bool(placed) is not bool(case.expect)
    deals = server.counter.books.deals
    assert [(deal.quantity, deal.price, deal.fee) for deal in deals] == wanted(case)[1]


@pytest.mark.parametrize("case", cases("huatai"), ids=by_id)
async def test_huatai(case: Case) -> None:
    """As EasyTHS, through the HT server's wire."""
    bench = bench_of(case)
    server = HuataiAtHand(
        case.at_ns - MINUTE_NS, market=bench.exchange, shares=(case.share,), account=bench.counter.account
    )
    for at, side, quantity, price in case.before:
        server.clock.now_ns = local(at)
        server.counter.place(case.share.code6, side, quantity, Decimal(price), server.clock.now_ns)
    server.clock.now_ns = case.at_ns
    before, done = len(server.counter.entrusts(case.at_ns)), len(server.counter.books.deals)
    body = {"security": case.share.code6, "price": float(case.price), "amount": case.quantity}
    await server.said("buy" if case.side is Side.BUY else "sell", body)
    server.wait(6 * 3600)
    assert (len(server.counter.entrusts(case.at_ns)) > before) is not bool(case.expect)
    deals = server.counter.books.deals[done:]
    assert [(deal.quantity, deal.price, deal.fee) for deal in deals] == wanted(case)[1]


@pytest.mark.parametrize("case", cases("futu"), ids=by_id)
async def test_futu(case: Case) -> None:
    """Through Futu's wire on the connect: what the rules refuse is refused there or fails at the exchange."""
    from engine.simulators.futu.ledger import FutuAccount, Opening
    from engine.simulators.futu.securities import Security

    held = (Opening(symbol=f"{case.share.market}.{case.share.code6}", quantity=case.held, price=9.0),) * bool(case.held)
    account = FutuAccount(
        acc_id=SIMULATE_CN, environment="simulate", markets=(3,), cash={"CNH": 1e7}, positions=held, sim_acc_type=1
    )
    market: Any = case.share.market
    security = Security(code=case.share.code6, market=market, name="某股", price=float(case.close), lot=100)
    bench = bench_of(case)
    gateway = GatewayAtHand(
        local(EVE), exchange=bench.exchange, accounts=(account,), securities=(security,), volatility=0.0,
        tick_seconds=60.0,
    )  # fmt: skip
    terms = {"code": case.share.code6, "sec_market": 31 if market == "SH" else 32}
    for at, side, quantity, _price in case.before:
        gateway.wait((local(at) - gateway.clock.now_ns) / 1e9)
        await gateway.placed(
            SIMULATE_CN, **terms, trd_side=1 if side is Side.BUY else 2, qty=float(quantity), order_type=2, price=0.0
        )
    gateway.wait((case.at_ns - gateway.clock.now_ns) / 1e9)
    body = gateway.an_order(
        SIMULATE_CN, **terms, trd_side=1 if case.side is Side.BUY else 2, qty=float(case.quantity),
        price=float(case.price),
    )  # fmt: skip
    fills = len(gateway.ledger.fills())
    reply = (await gateway.call("order", body)).json()
    gateway.wait(7 * 3600)
    assert len(gateway.ledger.fills()) == fills
    texts = {"LOT": "整数倍", "PRICE_RULE": "超出允许范围", "SELLABLE": "可卖数量不足"}
    said = reply["ret_msg"] if reply["ret_type"] else gateway.ledger.orders()[-1].error
    assert texts[case.expect] in said
