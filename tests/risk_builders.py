"""Builders for the risk tests: orders, a view on one account, and orders in the states limits ask about."""

from decimal import Decimal
from typing import Any

from msgspec import structs

from engine.domain.account import Capabilities
from engine.domain.commands import OrderType, Side, SubmitOrder, TimeInForce
from engine.domain.events import Fill, KillLevel, LatchSet, OrderSubmitted
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.order import Evidence, Order, OrderReport
from engine.domain.timestamps import SECOND_NS, parse_time
from engine.markets.free import Free
from engine.markets.rulebook import RuleBook
from engine.markets.virtual import Virtual
from engine.portfolio import Portfolio
from engine.risk import RiskChecker, RiskView, limits_for

ACCOUNT = AccountId("paper")
STRATEGY = StrategyId("sma")
INSTRUMENT = InstrumentId("600000.SH")
GAME = InstrumentId("CY.VSM")
NOON_NS = parse_time("2026-03-02 12:00:00+08:00")


def an_order(**changes: Any) -> SubmitOrder:
    """A market order to buy 100 600000.SH at noon."""
    order = SubmitOrder(
        client_id=ClientOrderId("o-1"), account=ACCOUNT, strategy=STRATEGY, instrument=INSTRUMENT, side=Side.BUY,
        quantity=100, ts_ns=NOON_NS,
    )  # fmt: skip
    return structs.replace(order, **changes)


def a_limit_order(price: str = "10", /, **changes: Any) -> SubmitOrder:
    return an_order(**{"type": OrderType.LIMIT, "price": Decimal(price), **changes})


def some_capabilities(**changes: Any) -> Capabilities:
    sheet = Capabilities(
        gateway="desk", order_types=frozenset({OrderType.MARKET, OrderType.LIMIT}), tifs=frozenset({TimeInForce.DAY})
    )
    return structs.replace(sheet, **changes)


def a_view(*, cash: str = "1000000", price: float | None = 10.0, age_ns: int = 0) -> RiskView:
    """One account with cash, two instruments, and the price of 600000.SH known at noon less ``age_ns``."""
    instruments = {
        INSTRUMENT: Instrument(id=INSTRUMENT, market="free", lot=100),
        GAME: Instrument(id=GAME, market="virtual", currency="COIN"),
    }
    books: dict[str, RuleBook] = {"free": Free(), "virtual": Virtual()}
    portfolio = Portfolio(
        instruments, lambda name, bought_ns: books[instruments[name].market].sellable_from_ns(bought_ns)
    )
    book = portfolio.open_account(ACCOUNT, "CNY", Decimal(cash))
    book.cash["COIN"] = Decimal(cash)
    portfolio.rate = lambda _currency, _base: Decimal(1)
    if price is not None:
        portfolio.marks[INSTRUMENT] = price
        portfolio.marks_ns[INSTRUMENT] = NOON_NS - age_ns
    view = RiskView(portfolio, instruments, books)
    view.capabilities[ACCOUNT] = some_capabilities()
    return view


def a_submission(order: SubmitOrder, ts_ns: int | None = None, reserved: str = "0") -> OrderSubmitted:
    return OrderSubmitted(order=order, ts_ns=order.ts_ns if ts_ns is None else ts_ns, reserved_cash=Decimal(reserved))


def a_fill(order: SubmitOrder, **changes: Any) -> Fill:
    """The whole order at 10."""
    fill = Fill(
        client_id=order.client_id, account=order.account, strategy=order.strategy, instrument=order.instrument,
        side=order.side, quantity=order.quantity, price=Decimal(10), fee=Decimal(0), ts_ns=order.ts_ns,
    )  # fmt: skip
    return structs.replace(fill, **changes)


def a_latch(level: KillLevel, scope: str = "all") -> LatchSet:
    return LatchSet(level=level, scope=scope, cause="test", who="operator", ts_ns=NOON_NS)


def submit(view: RiskView, order: SubmitOrder, ts_ns: int | None = None, reserved: str = "0") -> Order:
    """Tell portfolio and view that an order left."""
    event = a_submission(order, ts_ns, reserved)
    view.portfolio.on_submitted(event)
    view.on_submitted(event)
    made = Order(order)
    report(view, made, Evidence.RISK_OK)
    return made


def report(view: RiskView, order: Order, kind: Evidence, **fields: Any) -> None:
    """One piece of evidence, told to portfolio and view as the order gate does; a fill is booked too."""
    request = order.request
    ts_ns = fields.pop("ts_ns", request.ts_ns + SECOND_NS)
    change = order.apply(OrderReport(account=request.account, kind=kind, ts_ns=ts_ns, **fields))
    if change.cum_delta > 0:
        fill = a_fill(request, quantity=change.cum_delta, price=fields.get("price") or Decimal(10), ts_ns=ts_ns)
        view.portfolio.on_fill(fill)
        view.on_fill(fill)
    view.portfolio.on_order_changed(order)
    view.on_order_changed(order)


def hold(view: RiskView, quantity: int, instrument: InstrumentId = INSTRUMENT) -> None:
    """Put a holding into the account, bought long ago."""
    view.portfolio.accounts[ACCOUNT].position(instrument).book(quantity, Decimal(10) * abs(quantity))


def a_checker(view: RiskView, name: str, **settings: Any) -> RiskChecker:
    """A checker with this one limit."""
    return RiskChecker([one for one in limits_for("backtest", {name: settings}) if one.name == name], view)


def answer(checker: RiskChecker, order: SubmitOrder, now_ns: int = NOON_NS) -> tuple[str, str] | None:
    """Code and words without the prefix, after seeing that explain says the same."""
    denial = checker.check(order, now_ns)
    verdict = checker.explain(order, now_ns)[0]
    assert verdict.check == checker.limits[0].name
    assert verdict.figures
    assert (verdict.passed, verdict.code, verdict.reason) == (
        (True, "", "") if denial is None else (False, denial.code, denial.reason)
    )
    if denial is None:
        return None
    assert denial.reason.startswith("limit check failed: ")
    return denial.code, denial.reason.removeprefix("limit check failed: ")
