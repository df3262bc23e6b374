"""Orders met on a bar's way: triggers, one order ending another, price limits, latency, slippage, shares."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import (
    Bar,
    ClientOrderId,
    Fill,
    InstrumentId,
    OrderDenied,
    OrderEvent,
    OrderType,
    Side,
    Strategy,
    TimeInForce,
)
from engine.clock import ReplayClock
from engine.domain.commands import SubmitOrder
from engine.domain.errors import ConfigError
from engine.domain.events import OrderSubmitted
from engine.domain.ids import AccountId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.market import BookLevel, OrderBook, Quote, Trade
from engine.domain.order import Evidence, OrderReport
from engine.domain.timestamps import MINUTE_NS, parse_time
from engine.markets.china_a import ChinaA
from engine.markets.free import Free
from engine.matching import (
    FILL_MODELS,
    AtQuote,
    BasisPoints,
    BookWalk,
    FillModel,
    Friction,
    Latency,
    NextOpen,
    Path,
    SquareRoot,
    Ticks,
    Touch,
    VolumeShare,
)
from engine.matching.course import Course
from engine.matching.floor import floors_of
from engine.matching.path import path_of
from engine.matching.venue import SimulatedVenue
from engine.runtime.matching_settings import fill_model_of
from tests.builders import START_NS, BarsOf, a_backtest, a_bar, flat_rows, ran

NAME = InstrumentId("600000.SH")
CENT = Decimal("0.01")


class Counter:
    """A venue by itself, and all it said."""

    def __init__(self, model: FillModel, *, book: Any = None, close_before: float | None = None) -> None:
        self.clock = ReplayClock(START_NS)
        self.said: list[OrderReport] = []
        self.placed: list[str] = []
        spec = Instrument(id=NAME, market="free" if book is None else book.name)
        self.venue = SimulatedVenue(
            model, {NAME: spec}, {spec.market: book or Free(commission=Decimal(0))}, report=self.hear,
            placed=lambda client_id, _venue_id: self.placed.append(client_id), clock=self.clock,
            floors={} if book is None else floors_of({NAME: spec}, {spec.market: book}, lambda _name: close_before),
        )  # fmt: skip
        self.on_fill: Any = lambda _report: None

    def hear(self, report: OrderReport) -> None:
        self.said.append(report)
        if report.kind is Evidence.FILL:
            self.on_fill(report)

    def send(self, name: str, side: Side = Side.BUY, quantity: int = 100, **terms: Any) -> None:
        for key in ("price", "stop_price", "trail", "trail_limit", "trail_percent"):
            if key in terms:
                terms[key] = Decimal(terms[key])
        order = SubmitOrder(
            client_id=ClientOrderId(name), account=AccountId("a"), strategy=StrategyId("s"), instrument=NAME,
            side=side, quantity=quantity, ts_ns=self.clock.now_ns, **terms,
        )  # fmt: skip
        self.venue.on_submitted(OrderSubmitted(order=order, ts_ns=self.clock.now_ns))

    def bar(self, open_: float, high: float, low: float, close: float, volume: float = 1_000.0) -> None:
        self.clock.now_ns += MINUTE_NS
        self.venue.on_bar(a_bar(open_, high, low, close, instrument=NAME, ts_ns=self.clock.now_ns, volume=volume))

    def quote(self, bid: float, ask: float, sizes: tuple[float, float] = (500, 500)) -> None:
        self.clock.now_ns += 10**9
        self.venue.on_quote(Quote(NAME, self.clock.now_ns, bid, ask, *sizes))

    def book(self, bids: dict[float, float], asks: dict[float, float]) -> None:
        self.clock.now_ns += 10**9
        sides = [tuple(BookLevel(p, n) for p, n in side.items()) for side in (bids, asks)]
        self.venue.on_book(OrderBook(NAME, self.clock.now_ns, *sides))

    def print(self, price: float, size: float) -> None:
        self.clock.now_ns += 10**9
        self.venue.on_trade(Trade(NAME, self.clock.now_ns, price, size))

    @property
    def fills(self) -> list[tuple[str, int, str]]:
        return [(r.client_id, r.quantity, f"{r.price:.2f}") for r in self.said if r.kind is Evidence.FILL]

    @property
    def kinds(self) -> list[str]:
        return [str(r.kind) for r in self.said]


STOP, SELL, TOUCHED, TRAIL_LIMIT = OrderType.STOP, Side.SELL, OrderType.LIMIT_IF_TOUCHED, OrderType.TRAILING_STOP_LIMIT
UP_BAR, DOWN_BAR = (10.0, 11.0, 9.8, 10.5), (10.0, 10.2, 9.0, 9.5)
"""Low first, then high; high first, then low: by the nearer extreme."""
TRIGGERED: list[tuple[dict[str, Any], tuple[float, ...], FillModel, str | None]] = [
    # An order, a bar, the model, and the price it fills at.
    ({"type": STOP, "stop_price": "10.8"}, UP_BAR, Path(), "10.80"),
    ({"type": STOP, "stop_price": "11.01"}, UP_BAR, Path(), None),
    ({"type": STOP, "stop_price": "9.9"}, UP_BAR, Path(), "10.00"),
    ({"type": STOP, "stop_price": "10.8"}, UP_BAR, NextOpen(), None),
    ({"type": STOP, "stop_price": "9.9"}, UP_BAR, NextOpen(), "10.00"),
    ({"side": SELL, "type": STOP, "stop_price": "9.2"}, DOWN_BAR, Touch(), "9.20"),
    ({"side": SELL, "type": STOP, "stop_price": "10.3"}, DOWN_BAR, Touch(), "10.00"),
    ({"type": OrderType.STOP_LIMIT, "stop_price": "10.6", "price": "10.4"}, UP_BAR, Path(), None),
    ({"type": OrderType.STOP_LIMIT, "stop_price": "10.6", "price": "10.5"}, UP_BAR, Path(), "10.50"),
    ({"side": SELL, "type": OrderType.STOP_LIMIT, "stop_price": "9.2", "price": "9.1"}, DOWN_BAR, Path(), "9.20"),
    ({"type": OrderType.MARKET_IF_TOUCHED, "stop_price": "9.85"}, UP_BAR, Path(), "9.85"),
    ({"side": SELL, "type": TOUCHED, "stop_price": "10.6", "price": "10.9"}, UP_BAR, Path(), "10.90"),
    # The high of 10.2 comes first: the trigger lies 0.5 below it.
    ({"side": SELL, "type": OrderType.TRAILING_STOP, "trail": "0.5"}, DOWN_BAR, Path(), "9.70"),
    ({"side": SELL, "type": OrderType.TRAILING_STOP, "trail": "1.3"}, DOWN_BAR, Path(), None),
    ({"side": SELL, "type": OrderType.TRAILING_STOP, "trail_percent": "5"}, DOWN_BAR, Path(), "9.69"),
    ({"type": OrderType.TRAILING_STOP, "trail": "0.3"}, UP_BAR, Path(), "10.10"),
    ({"side": SELL, "type": TRAIL_LIMIT, "trail": "0.5", "trail_limit": "0.1"}, DOWN_BAR, Path(), "9.70"),
]  # fmt: skip


@pytest.mark.parametrize(("terms", "bar", "model", "price"), TRIGGERED)
def test_an_order_with_a_trigger_fills_where_the_bars_way_meets_it(
    terms: dict[str, Any], bar: tuple[float, ...], model: FillModel, price: str | None
) -> None:
    """At its trigger inside the bar, at the open where that is beyond it already, not at all where it is not met."""
    counter = Counter(model)
    counter.send("o", **terms)
    counter.bar(*bar)
    assert [fill[2] for fill in counter.fills] == ([] if price is None else [price])


def test_the_way_through_a_bar_follows_its_rule() -> None:
    """The nearer extreme first, ties by the close; or the rule that was given."""
    assert path_of(a_bar(10, 11, 9.8, 10.5)) == (10, 9.8, 11, 10.5)
    assert path_of(a_bar(10, 10.2, 9, 9.5)) == (10, 10.2, 9, 9.5)
    assert path_of(a_bar(10, 11, 9, 10.5)) == (10, 9, 11, 10.5)
    assert path_of(a_bar(10, 11, 9, 9.5)) == (10, 11, 9, 9.5)
    assert path_of(a_bar(10, 11, 9.8, 10.5), "high_first") == (10, 11, 9.8, 10.5)
    assert path_of(a_bar(10, 10.2, 9, 9.5), "low_first") == (10, 9, 10.2, 9.5)


@pytest.mark.parametrize(("rule", "price"), [("high_first", "10.80"), ("low_first", "9.50")])
def test_of_two_exits_in_one_bar_the_way_decides_and_the_quantity_leaves_once(rule: Any, price: str) -> None:
    """One order with a limit above and a stop below: it never fills twice."""
    counter = Counter(Path(rule=rule))
    counter.send("x", SELL, type=OrderType.LIMIT_OR_STOP, price="10.8", stop_price="9.5")
    counter.bar(10.0, 11.0, 9.0, 10.0)
    counter.bar(10.0, 11.0, 9.0, 10.0)
    assert counter.fills == [("x", 100, price)]


def test_what_a_fill_withdraws_is_gone_before_the_price_reaches_it() -> None:
    """A cancel made while a bar is being matched finds the order; it fills no more, and is answered once."""
    for model, first in ((Path(rule="high_first"), "up"), (Touch(), "up")):
        counter = Counter(model)
        counter.send("up", SELL, price="10.8", type=OrderType.LIMIT)
        counter.send("down", SELL, price="10.2", type=OrderType.LIMIT)
        counter.venue.resting[NAME].reverse()
        counter.venue.resting[NAME].sort(key=lambda o: o.request.client_id != first)
        other = {"up": "down", "down": "up"}
        counter.on_fill = lambda report, c=counter, o=other: c.venue.cancel(ClientOrderId(o[report.client_id]), NAME)
        counter.bar(10.9, 11.0, 9.0, 10.0)
        counter.bar(10.9, 11.0, 9.0, 10.0)
        assert counter.kinds == ["fill", "canceled"]


def test_a_trailing_trigger_keeps_its_extreme_from_bar_to_bar() -> None:
    """It rises with every high and never comes down."""
    counter = Counter(Path())
    counter.send("t", SELL, type=OrderType.TRAILING_STOP, trail="1")
    counter.bar(10.0, 10.5, 9.9, 10.4)
    counter.bar(10.4, 11.2, 10.3, 11.0)
    counter.bar(11.0, 11.0, 10.3, 10.4)
    assert not counter.fills
    counter.bar(10.4, 10.4, 10.0, 10.1)
    assert counter.fills == [("t", 100, "10.20")]


def test_a_trigger_met_inside_a_bar_waits_for_the_next_open_where_the_model_knows_opens_alone() -> None:
    """The open after, whatever it is."""
    counter = Counter(NextOpen())
    counter.send("s", SELL, type=STOP, stop_price="9.5")
    counter.bar(10, 10, 9, 9.8)
    counter.bar(9.9, 10, 9.8, 9.8)
    assert counter.fills == [("s", 100, "9.90")]


def test_all_orders_of_a_bar_share_one_part_of_its_volume() -> None:
    """First come, first served; what is left waits for the next bar."""
    counter = Counter(VolumeShare(share=0.1))
    counter.send("a", quantity=70)
    counter.send("b", quantity=70)
    counter.bar(10, 10, 10, 10)
    assert counter.fills == [("a", 70, "10.00"), ("b", 30, "10.00")]
    counter.bar(11, 11, 11, 11)
    assert counter.fills[2:] == [("b", 40, "11.00")]


MORNING_NS = parse_time("2026-03-02T09:31:00+08:00")
LOCKED = [
    # Side, bar, whether it fills. The close before was 10: limits 9 and 11.
    (Side.BUY, (11.0, 11.0, 11.0, 11.0), False),
    (Side.SELL, (11.0, 11.0, 11.0, 11.0), True),
    (Side.SELL, (9.0, 9.0, 9.0, 9.0), False),
    (Side.BUY, (9.0, 9.0, 9.0, 9.0), True),
    (Side.BUY, (11.0, 11.0, 10.98, 11.0), True),
    (Side.SELL, (9.0, 9.02, 9.0, 9.0), True),
]


@pytest.mark.parametrize(("side", "bar", "fills"), LOCKED)
@pytest.mark.parametrize("model", [NextOpen(), Touch(), Path(), VolumeShare(share=1.0)])
def test_nothing_fills_towards_a_price_limit_at_which_the_whole_bar_was_locked(
    side: Side, bar: tuple[float, ...], fills: bool, model: FillModel
) -> None:
    """Up: nobody sells to us; down: nobody buys. A bar that left the limit served the queue there."""
    counter = Counter(model, book=ChinaA(), close_before=10.0)
    counter.clock.now_ns = MORNING_NS
    counter.send("o", side)
    counter.bar(*bar)
    assert bool(counter.fills) is fills


def test_a_backtest_knows_the_close_before_from_its_own_bars() -> None:
    """The second day opens locked at ten percent above the first day's close: the purchase waits until it is not."""
    ends = [parse_time(f"2026-03-0{t}:00+08:00") for t in ("2T14:50", "3T09:31", "3T09:32", "3T09:33")]
    rows = [(10.0, 10.0, 10.0, 10.0), (11.0, 11.0, 11.0, 11.0), (11.0, 11.0, 11.0, 11.0), (11.0, 11.0, 10.9, 10.9)]
    source = BarsOf(rows, ends=ends, instrument=NAME)

    class Buys(Strategy):
        def on_bar(self, bar: Bar) -> None:
            if bar.ts_ns == ends[1]:
                self.buy(NAME, 100)

        def on_fill(self, fill: Fill) -> None:
            moments.append(fill.ts_ns)

    moments: list[int] = []
    ran(a_backtest(Buys, sources=[source], book=ChinaA(), limits=[]))
    assert moments == [ends[2]]


def test_an_order_under_way_is_not_there_yet_and_a_cancel_under_way_may_come_too_late() -> None:
    """With a latency the next minute's bar is not met; what is cancelled may still fill in the bar the cancel hits."""
    late = Friction(model=Touch(), latency=Latency(order="50ms", cancel="50ms"))
    counter = Counter(late)
    counter.send("o", price="10", type=OrderType.LIMIT)
    assert (counter.placed, counter.said) == ([], [])
    counter.bar(10, 10, 10, 10)
    assert counter.kinds == ["ack"]
    counter.venue.cancel(ClientOrderId("o"), NAME)
    counter.bar(9, 10, 9, 10)
    assert counter.fills == [("o", 100, "9.00")]
    counter.send("p", price="8", type=OrderType.LIMIT)
    counter.bar(9, 9, 9, 9)
    counter.venue.cancel(ClientOrderId("p"), NAME)
    counter.bar(9, 9, 9, 9)
    counter.bar(7, 7, 7, 7)
    assert counter.kinds == ["ack", "fill", "ack", "canceled"]


SLIPPED = [
    (Ticks(ticks=2), Side.BUY, "10.02"),
    (Ticks(ticks=2), SELL, "9.98"),
    (BasisPoints(bps=15), Side.BUY, "10.02"),
    (BasisPoints(bps=15), SELL, "9.98"),
    (SquareRoot(coefficient=0.01), Side.BUY, "10.04"),
]


@pytest.mark.parametrize(("slippage", "side", "price"), SLIPPED)
def test_slippage_makes_market_orders_worse_and_leaves_limits_alone(slippage: Any, side: Side, price: str) -> None:
    """On the tick, rounded against the order; a limit order gets its price or better."""
    counter = Counter(Friction(model=Touch(), slippage=slippage))
    counter.send("m", side)
    counter.send("l", side, price="10", type=OrderType.LIMIT)
    counter.bar(10, 10, 10, 10)
    assert counter.fills == [("m", 100, price), ("l", 100, "10.00")]


def test_slippage_stops_at_the_price_limit() -> None:
    """Nobody pays more than the day's highest price."""
    counter = Counter(Friction(model=Touch(), slippage=Ticks(ticks=50)), book=ChinaA(), close_before=10.0)
    counter.clock.now_ns = MORNING_NS
    counter.send("m")
    counter.bar(10.9, 10.95, 10.9, 10.9)
    assert counter.fills == [("m", 100, "11.00")]


def test_a_quote_fills_at_its_own_side_as_far_as_its_size_goes() -> None:
    """What was taken from a price is gone until the price changes; a size of nothing at one price is no limit."""
    counter = Counter(AtQuote())
    counter.send("a", quantity=300)
    counter.send("b", quantity=300)
    counter.send("s", SELL, price="10.1", type=OrderType.LIMIT, quantity=300)
    counter.quote(10.0, 10.2)
    counter.quote(10.0, 10.2)
    assert counter.fills == [("a", 300, "10.20"), ("b", 200, "10.20")]
    counter.quote(10.1, 10.3)
    assert counter.fills[2:] == [("b", 100, "10.30"), ("s", 300, "10.10")]
    counter.send("g", quantity=10_000)
    counter.quote(10.2, 10.2, (0, 0))
    assert counter.fills[4:] == [("g", 10_000, "10.20")]


def test_time_in_force_holds_for_quotes_as_well() -> None:
    """IOC takes what is there, FOK all or nothing; a stop is triggered by the price it would get."""
    counter = Counter(AtQuote())
    counter.send("i", quantity=700, tif=TimeInForce.IOC)
    counter.send("f", quantity=700, tif=TimeInForce.FOK)
    counter.send("t", quantity=100, type=STOP, stop_price="10.3")
    counter.quote(10.0, 10.2)
    assert (counter.fills, counter.kinds) == ([("i", 500, "10.20")], ["fill", "canceled", "canceled"])
    counter.quote(10.0, 10.4)
    assert counter.fills[1:] == [("t", 100, "10.40")]


def test_a_crossing_order_takes_level_after_level_and_a_resting_one_waits_its_turn() -> None:
    """Each level at its price; behind those who stood there, first come first served."""
    counter = Counter(BookWalk())
    counter.send("x", quantity=700)
    counter.send("r", price="9.9", type=OrderType.LIMIT, quantity=200)
    counter.book({10.0: 100, 9.9: 300}, {10.1: 500, 10.2: 500})
    assert counter.fills == [("x", 500, "10.10"), ("x", 200, "10.20")]
    counter.print(9.9, 250)
    assert len(counter.fills) == 2
    counter.print(9.9, 150)
    assert counter.fills[2:] == [("r", 100, "9.90")]
    counter.print(9.8, 60)
    assert counter.fills[3:] == [("r", 60, "9.90")]


@pytest.mark.parametrize(("hope", "filled"), [(0.0, 0), (1.0, 100)])
def test_who_left_a_level_without_a_print_stood_before_us_as_far_as_the_setting_says(hope: float, filled: int) -> None:
    """300 were ahead, 100 joined behind and 150 left: all of them before us, or none."""
    counter = Counter(BookWalk(cancels_ahead=hope))
    counter.send("r", price="9.9", type=OrderType.LIMIT, quantity=200)
    counter.book({9.9: 300}, {10.1: 500})
    counter.book({9.9: 400}, {10.1: 500})
    counter.book({9.9: 300}, {10.1: 500})
    counter.print(9.9, 300)
    assert sum(fill[1] for fill in counter.fills) == filled


def test_matching_is_set_up_by_name() -> None:
    """A model, its own settings, and what is around it; each mistake is one sentence with its place."""
    made = fill_model_of(
        {"model": "volume_share", "share": 0.2, "slippage": {"model": "bps", "bps": 3.0}, "latency": {"order": "5ms"}},
        "config x, [matching]",
    )
    assert made == Friction(model=VolumeShare(share=0.2), slippage=BasisPoints(bps=3.0), latency=Latency(order="5ms"))
    assert fill_model_of({}, "here") == NextOpen()
    assert fill_model_of({"model": "path", "slippage": "ticks"}, "here") == Friction(model=Path(), slippage=Ticks())
    for table, words in (
        ({"model": "pathh"}, "no fill model 'pathh'; did you mean path"),
        ({"slippage": {"model": "tick"}}, "no slippage model 'tick'"),
        ({"latency": {"order": "soon"}}, "'soon' is no duration"),
        ({"model": "path", "share": 1}, "share"),
    ):
        with pytest.raises(ConfigError, match=words):
            fill_model_of(table, "here")


@pytest.mark.parametrize("model", [AtQuote(), BookWalk(), Friction(model=AtQuote(), slippage=Ticks())])
def test_a_run_on_bars_refuses_a_model_that_reads_none(model: FillModel) -> None:
    """Better a sentence at the start than a run without a fill."""
    with pytest.raises(ConfigError, match="nothing would ever fill"):
        a_backtest(Strategy(), flat_rows(1, 2), model=model)


# --- invariants -------------------------------------------------------------------------------------------------------

PRICES = st.integers(900, 1100)


@st.composite
def bars(draw: Any) -> list[tuple[float, float, float, float, float]]:
    rows = []
    for _ in range(draw(st.integers(1, 6))):
        four = sorted(draw(st.tuples(PRICES, PRICES, PRICES, PRICES)))
        ends = draw(st.permutations(four[1:3]))
        rows.append((ends[0] / 100, four[3] / 100, four[0] / 100, ends[1] / 100, float(draw(st.integers(0, 3_000)))))
    return rows


@st.composite
def orders(draw: Any) -> dict[str, Any]:
    kind = draw(st.sampled_from(["market", "limit", "stop", "stop_limit", "two", "trail"]))
    cents = draw(st.tuples(PRICES, PRICES))
    price, stop = (f"{c / 100:.2f}" for c in sorted(cents))
    terms: dict[str, Any] = {
        "side": draw(st.sampled_from([Side.BUY, SELL])),
        "quantity": draw(st.integers(1, 500)),
        "tif": draw(st.sampled_from([TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK])),
    }
    if kind == "limit":
        terms |= {"type": OrderType.LIMIT, "price": price}
    elif kind == "stop":
        terms |= {"type": STOP, "stop_price": stop}
    elif kind == "stop_limit":
        terms |= {"type": OrderType.STOP_LIMIT, "stop_price": stop, "price": price}
    elif kind == "two":
        high, low = (stop, price) if terms["side"] is SELL else (price, stop)
        terms |= {"type": OrderType.LIMIT_OR_STOP, "price": high, "stop_price": low}
    elif kind == "trail":
        terms |= {"type": OrderType.TRAILING_STOP, "trail": f"{draw(st.integers(1, 80)) / 100:.2f}"}
    return terms


MODELS = st.sampled_from([
    NextOpen(), Touch(), Path(), Path(rule="high_first"), VolumeShare(share=0.1), VolumeShare(share=1.0),
    Friction(model=Path(), slippage=Ticks(ticks=3)), Friction(model=VolumeShare(share=0.3), slippage=SquareRoot()),
    Friction(model=Touch(), latency=Latency(order="1s", cancel="2s")),
])  # fmt: skip


def play(model: FillModel, wanted: list[dict[str, Any]], rows: list[tuple[float, ...]]) -> Counter:
    counter = Counter(model, book=ChinaA(), close_before=10.0)
    counter.clock.now_ns = MORNING_NS
    for number, terms in enumerate(wanted):
        counter.send(f"o{number}", **terms)
    for row in rows:
        counter.bar(*row)
    return counter


@settings(max_examples=250, deadline=None)
@given(MODELS, st.lists(orders(), min_size=1, max_size=4), bars())
def test_no_model_gives_more_than_the_market_had(
    model: FillModel, wanted: list[dict[str, Any]], rows: list[tuple[float, ...]]
) -> None:
    """Never better than the bar, never past a limit, on the tick, within the day's limits, not before the order was
    there, no more than asked for, no more than the share; and the same every time."""
    counter = play(model, wanted, rows)
    inner = model.model if isinstance(model, Friction) else model
    asked = {f"o{number}": terms for number, terms in enumerate(wanted)}
    filled: dict[str, int] = {}
    by_bar: dict[int, int] = {}
    for report in (r for r in counter.said if r.kind is Evidence.FILL):
        terms, price = asked[report.client_id], report.price
        assert price is not None
        number = (report.ts_ns - MORNING_NS) // MINUTE_NS - 1
        _, high, low, _, volume = rows[number]
        buys = terms["side"] is Side.BUY
        assert (price >= Decimal(str(low))) if buys else (price <= Decimal(str(high)))
        assert price % CENT == 0
        assert Decimal(9) <= price <= Decimal(11)
        if "price" in terms and terms["type"] is not OrderType.LIMIT_OR_STOP:
            assert price <= Decimal(terms["price"]) if buys else price >= Decimal(terms["price"])
        if isinstance(model, Friction) and model.latency is not None:
            assert number >= 1
        assert not (buys and low >= 11.0)
        assert not (not buys and high <= 9.0)
        filled[report.client_id] = filled.get(report.client_id, 0) + report.quantity
        by_bar[number] = by_bar.get(number, 0) + report.quantity
        if isinstance(inner, VolumeShare):
            assert by_bar[number] <= volume * inner.share
    assert all(0 < quantity <= asked[name]["quantity"] for name, quantity in filled.items())
    ends = [r.client_id for r in counter.said if r.kind in (Evidence.CANCELED, Evidence.EXPIRED)]
    assert len(ends) == len(set(ends))
    assert play(model, wanted, rows).said == counter.said


@settings(max_examples=100, deadline=None)
@given(bars(), PRICES, st.booleans())
def test_the_way_through_a_bar_meets_every_price_of_it_and_no_other(
    rows: list[tuple[float, ...]], cents: int, rises: bool
) -> None:
    """A price is reached exactly if the bar's range says so, and there the way is at that price (or at the open)."""
    open_, high, low, close, _ = rows[0]
    course = Course(path_of(a_bar(open_, high, low, close)))
    price = Decimal(cents) / 100
    mile = course.reach(price, rises, Decimal(0))
    there = price <= Decimal(str(high)) if rises else price >= Decimal(str(low))
    assert (mile is not None) is there
    if mile:
        assert course.at(mile) == price


def test_every_model_has_a_docstring_that_states_its_optimism() -> None:
    """Nobody chooses one without having been told."""
    for kind in FILL_MODELS.values():
        assert "Optimism" in (kind.__doc__ or "")


class HearsOrders(Strategy):
    """Cancels its second order once the first fills, in the same bar."""

    def on_start(self) -> None:
        self.heard: list[str] = []
        self.ids: list[ClientOrderId] = []

    def on_bar(self, bar: Bar) -> None:
        if not self.ids:
            self.ids = [self.buy(bar.instrument, 10, 9.5), self.buy(bar.instrument, 10, 9.0)]

    def on_fill(self, fill: Fill) -> None:
        self.heard.append(f"fill {fill.price}")
        self.cancel(self.ids[1])

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        self.heard.append(type(event).__name__)


def test_a_cancel_by_a_strategy_that_hears_a_fill_is_answered() -> None:
    """It used to be lost when both orders met the same bar."""
    strategy = HearsOrders()
    ran(a_backtest(strategy, [(10, 10, 10, 10), (10, 10, 8, 9), (9, 9, 8, 9)], model=Touch()))
    assert strategy.heard == ["OrderAccepted", "OrderAccepted", "fill 9.50", "OrderCanceled"]
