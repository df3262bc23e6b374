"""Microseconds a check takes: each limit by itself, and each profile as a whole.

Run: ``python -m benchmarks.risk``. CPU time, best of five; every check passes, which is the slowest way through.
"""

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.clock import cpu_seconds
from engine.domain.account import Capabilities
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.events import OrderSubmitted
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.order import Evidence, Order, OrderReport
from engine.markets.free import Free
from engine.portfolio import Portfolio
from engine.risk import PROFILES, RULES, RiskChecker, RiskView, limits_for, worst_case_cost

NOW_NS = 1_772_424_000_000_000_000
INSTRUMENT = InstrumentId("000001.SH")
ACCOUNT = AccountId("backtest")
NAMED: dict[str, dict[str, Any]] = {
    "allowed_markets": {"markets": ["free"]},
    "allowed_symbols": {"symbols": [INSTRUMENT]},
    "allowed_sides": {"sides": ["buy", "sell"]},
    "hours": {"start": "00:00", "end": "24:00"},
    "max_order_value": {"value": 10_000_000},
    "max_open_value": {"value": 10_000_000},
    "environment": {"accounts": {ACCOUNT: "simulated"}},
    "venue_orders_per_minute": {},
    "concentration": {"percent": 1_000},
    "gross_exposure": {"percent": 1_000},
    "max_daily_turnover": {"percent": 1_000},
    "max_position": {"value": 10_000_000},
    "max_daily_value": {"value": 10_000_000},
}
ROUNDS = 20_000


def a_view() -> RiskView:
    instruments = {INSTRUMENT: Instrument(id=INSTRUMENT, market="free")}
    portfolio = Portfolio(instruments, lambda _instrument, bought_ns: bought_ns)
    portfolio.open_account(ACCOUNT, "CNY", Decimal(1_000_000)).position(INSTRUMENT).book(1000, Decimal(3_000_000))
    portfolio.marks[INSTRUMENT], portfolio.marks_ns[INSTRUMENT] = 3012.57, NOW_NS
    view = RiskView(portfolio, instruments, {"free": Free()})
    view.capabilities[ACCOUNT] = Capabilities(gateway="paper", order_types=frozenset(OrderType))
    return view


def orders(side: Side) -> list[SubmitOrder]:
    """Orders of their own, so that nothing remembered of the last one helps."""
    return [
        SubmitOrder(
            client_id=ClientOrderId(f"B-{n}"), account=ACCOUNT, strategy=StrategyId("sma"), instrument=INSTRUMENT,
            side=side, quantity=100, ts_ns=NOW_NS,
        )
        for n in range(ROUNDS)
    ]  # fmt: skip


def microseconds(check: Callable[..., object], some: list[SubmitOrder], view: RiskView, *rest: object) -> float:
    """Each order meets a new price, as it does in a run."""
    best, marks = float("inf"), view.marks
    prices = [3012.57 + n / 100 for n in range(len(some))]
    for _ in range(5):
        began = cpu_seconds()
        for order, price in zip(some, prices, strict=True):
            marks[INSTRUMENT] = price
            check(order, *rest)
        best = min(best, cpu_seconds() - began)
    return best / len(some) * 1e6


def microseconds_kept(profile: str, some: list[SubmitOrder]) -> float:
    """What the view spends to keep its counters over one order's life: submitted, at work, filled."""
    best = float("inf")
    named = {name: NAMED[name] for name in NAMED if name in PROFILES[profile]}
    events = [OrderSubmitted(order=order, ts_ns=NOW_NS) for order in some]
    for _ in range(5):
        view = RiskChecker(limits_for(profile, named), a_view()).view
        working, filled = [Order(order) for order in some], [Order(order) for order in some]
        for order in filled:
            order.apply(OrderReport(account=ACCOUNT, kind=Evidence.RISK_OK, ts_ns=NOW_NS))
            order.apply(OrderReport(account=ACCOUNT, kind=Evidence.SEND, ts_ns=NOW_NS))
            order.apply(
                OrderReport(
                    account=ACCOUNT, kind=Evidence.FILL, ts_ns=NOW_NS, fill_id="f", quantity=100, price=Decimal(1)
                )
            )
        began = cpu_seconds()
        for event, before, after in zip(events, working, filled, strict=True):
            view.on_submitted(event)
            view.on_order_changed(before)
            view.on_order_changed(after)
        best = min(best, cpu_seconds() - began)
        assert len(view.exposures) == 0
    return best / len(some) * 1e6


def main() -> None:
    buys, sells = orders(Side.BUY), orders(Side.SELL)
    print(f"{'check':28}{'buy us':>8}{'sell us':>8}")
    for name in RULES:
        limit = next(one for one in limits_for("backtest", {name: NAMED.get(name, {})}) if one.name == name)
        view = a_view()
        limit.prepare(view)
        for some in (buys, sells):
            assert limit.check(some[0], view, NOW_NS) is None, name
        figures = [microseconds(limit.check, some, view, view, NOW_NS) for some in (buys, sells)]
        print(f"{name:28}{figures[0]:8.2f}{figures[1]:8.2f}")
    for profile in PROFILES:
        named = {name: NAMED[name] for name in NAMED if name in PROFILES[profile]}
        checker = RiskChecker(limits_for(profile, named), a_view())
        for some in (buys, sells):
            assert checker.check(some[0], NOW_NS) is None, profile
        figures = [microseconds(checker.check, some, checker.view, NOW_NS) for some in (buys, sells)]
        print(f"profile {profile:20}{figures[0]:8.2f}{figures[1]:8.2f}")
    for profile in PROFILES:
        print(f"counters {profile:19}{microseconds_kept(profile, buys[:5000]):8.2f}")
    view = a_view()
    view.set_cost_factor(Decimal(1))
    print(f"{'worst_case_cost alone':28}{microseconds(worst_case_cost, buys, view, view):8.2f}")


if __name__ == "__main__":
    main()
