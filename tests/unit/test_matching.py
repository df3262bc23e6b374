"""Fill models by table, and the simulated venue's care with time in force, cancels and changes."""

from decimal import Decimal
from typing import Any

import pytest

from engine import Bar, ClientOrderId, Fill, OrderEvent, OrderType, Side, Strategy, TimeInForce
from engine.domain.events import OrderAccepted, OrderCanceled, OrderExpired, OrderReplaced, OrderSubmitted
from engine.domain.order import Evidence, OrderReport
from engine.domain.timestamps import DAY_NS, MINUTE_NS
from engine.matching import FILL_MODELS, AtQuote, BookWalk, NextOpen, Path, Touch, VolumeShare
from engine.matching.fill_model import FillModel
from tests.builders import START_NS, BarsOf, Row, a_backtest, a_bar, flat_rows, ran

BAR = a_bar(open_=10.0, high=11.0, low=9.0, close=10.5, volume=1_000.0)
TABLE: list[tuple[FillModel, bool, str | None, int, tuple[int, str] | None]] = [
    # Model, whether it buys, its limit, what is left of it, and what it fills at which price.
    (NextOpen(), True, None, 70, (70, "10.0")),
    (NextOpen(), False, None, 70, (70, "10.0")),
    (NextOpen(), True, "10.0", 70, (70, "10.0")),
    (NextOpen(), True, "10.3", 70, (70, "10.0")),
    (NextOpen(), True, "9.9", 70, None),
    (NextOpen(), False, "9.9", 70, (70, "10.0")),
    (NextOpen(), False, "10.1", 70, None),
    (Touch(), True, None, 70, (70, "10.0")),
    (Touch(), True, "10.2", 70, (70, "10.0")),
    (Touch(), True, "9.0", 70, (70, "9.0")),
    (Touch(), True, "8.99", 70, None),
    (Touch(), False, "11.0", 70, (70, "11.0")),
    (Touch(), False, "11.01", 70, None),
    (VolumeShare(share=0.1), True, None, 70, (70, "10.0")),
    (VolumeShare(share=0.1), True, None, 170, (100, "10.0")),
    (VolumeShare(share=0.1), False, "11.0", 170, (100, "11.0")),
    (VolumeShare(share=0.0005), True, None, 170, None),
    (VolumeShare(share=0.1), True, "8.0", 170, None),
    (VolumeShare(share=1.0), True, None, 5_000, (1_000, "10.0")),
    (Path(), True, None, 70, (70, "10.0")),
    (Path(), False, "11.0", 70, (70, "11.0")),
    (Path(), False, "11.01", 70, None),
    (AtQuote(), True, None, 70, None),
    (BookWalk(), True, None, 70, None),
]


@pytest.mark.parametrize(("model", "buys", "limit", "leaves", "found"), TABLE)
def test_each_fill_model_fills_what_its_docstring_says(
    model: FillModel, buys: bool, limit: str | None, leaves: int, found: tuple[int, str] | None
) -> None:
    """Quantity and price from one bar 10 11 9 10.5 with 1000 traded."""
    answer = model.match(buys, None if limit is None else Decimal(limit), leaves, BAR)
    assert answer == (None if found is None else (found[0], Decimal(found[1])))


def test_every_model_of_the_registry_is_in_the_table() -> None:
    """A new model gets rows."""
    assert {type(row[0]) for row in TABLE} == set(FILL_MODELS.values())


@pytest.mark.parametrize("share", [0.0, -1.0, 1.01])
def test_a_share_is_a_share(share: float) -> None:
    """Above 0, at most 1."""
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        VolumeShare(share=share)


class Once(Strategy):
    """Does one thing on the first bar, and writes down what becomes of it."""

    def __init__(self, side: Side = Side.BUY, quantity: int = 10, price: float | None = None, **terms: Any) -> None:
        super().__init__()
        self.order = (side, quantity, price, terms)
        self.heard: list[Any] = []
        self.bars = 0
        self.id = ClientOrderId("")

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        if self.bars == 1:
            side, quantity, price, terms = self.order
            self.id = self.ctx.submit(side, bar.instrument, quantity, price, **terms)
        self.later(bar)

    def later(self, bar: Bar) -> None: ...

    def on_order(self, event: OrderEvent) -> None:
        self.heard.append(event)

    def on_fill(self, fill: Fill) -> None:
        self.heard.append(fill)

    @property
    def words(self) -> list[str]:
        return [
            f"Fill {event.quantity}@{event.price}" if isinstance(event, Fill) else type(event).__name__
            for event in self.heard
        ]


def hear(strategy: Once, rows: list[Row], **terms: Any) -> list[str]:
    result, _ = ran(a_backtest(strategy, rows, **terms))
    assert not result.stopped
    return strategy.words


def test_a_market_order_fills_at_the_next_open_and_tells_in_order() -> None:
    """Accepted first, then filled; the fill is of the moment the next bar began."""
    once = Once()
    assert hear(once, flat_rows(10, 11, 12)) == ["OrderAccepted", "Fill 10@11.0"]
    assert once.heard[1].ts_ns == START_NS + MINUTE_NS
    assert isinstance(once.heard[0], OrderAccepted)


@pytest.mark.parametrize(
    ("tif", "volume", "said"),
    [
        (TimeInForce.IOC, 50.0, ["OrderAccepted", "Fill 5@11.0", "OrderCanceled"]),
        (TimeInForce.FOK, 50.0, ["OrderAccepted", "OrderCanceled"]),
        (TimeInForce.FOK, 100.0, ["OrderAccepted", "Fill 10@11.0"]),
        (TimeInForce.GTC, 50.0, ["OrderAccepted", "Fill 5@11.0", "Fill 5@12.0"]),
    ],
)
def test_time_in_force_decides_what_happens_to_the_rest(tif: TimeInForce, volume: float, said: list[str]) -> None:
    """IOC withdraws what the first bar left, FOK everything, others wait."""
    source = BarsOf(flat_rows(10, 11, 12, 13), volume=volume)
    assert hear(Once(tif=tif), [], sources=[source], model=VolumeShare(share=0.1)) == said


@pytest.mark.parametrize(("tif", "said"), [(TimeInForce.DAY, ["OrderAccepted", "OrderExpired"]),
                                           (TimeInForce.GTC, ["OrderAccepted", "Fill 10@5"])])  # fmt: skip
def test_a_day_order_ends_with_its_trading_day(tif: TimeInForce, said: list[str]) -> None:
    """The next day's first bar shows it nothing; good-till-cancelled goes on."""
    ends = [START_NS + MINUTE_NS, START_NS + 2 * MINUTE_NS, START_NS + DAY_NS + 2 * MINUTE_NS]
    source = BarsOf([(10, 10, 10, 10), (10, 10, 10, 10), (6, 6, 4, 5)], ends=ends)
    once = Once(price=5.0, tif=tif)
    assert [word.replace("5.00", "5") for word in hear(once, [], sources=[source], model=Touch())] == said
    if tif is TimeInForce.DAY:
        assert isinstance(once.heard[-1], OrderExpired)


class Cancels(Once):
    def later(self, bar: Bar) -> None:
        if self.bars == 2:
            self.cancel(self.id)
            self.cancel(self.id)


def test_a_cancelled_order_fills_no_more_and_gives_back_what_was_held() -> None:
    """One confirmation, whatever was asked twice; cash is free again."""
    strategy = Cancels(price=9.0)
    backtest = a_backtest(strategy, [(10, 10, 10, 10), (10, 10, 10, 10), (10, 10, 1, 1)], model=Touch())
    result, _ = ran(backtest)
    assert strategy.words == ["OrderAccepted", "OrderCanceled"]
    assert isinstance(strategy.heard[1], OrderCanceled)
    book = next(iter(backtest.core.portfolio.accounts.values()))
    assert book.reserved["CNY"] == 0
    assert result.fills == 0
    assert not backtest.core.manager.working
    assert not backtest.venue.resting


class Replaces(Once):
    def later(self, bar: Bar) -> None:
        if self.bars == 2:
            self.replace(self.id, 6, 10.5)


def test_a_changed_order_fills_as_changed() -> None:
    """Less, and at the new price; the reservation follows."""
    strategy = Replaces(price=9.0)
    backtest = a_backtest(strategy, [(11, 11, 11, 11), (11, 11, 11, 11), (11, 12, 10, 11)], model=Touch())
    ran(backtest)
    assert strategy.words == ["OrderAccepted", "OrderReplaced", "Fill 6@10.50"]
    assert isinstance(strategy.heard[1], OrderReplaced)
    assert strategy.position("000001.SH") == 6
    assert next(iter(backtest.core.portfolio.accounts.values())).reserved["CNY"] == 0


def test_an_order_sized_by_the_venue_spends_what_was_held_for_it() -> None:
    """All-in buys what the reserved cash (100 at 10 and fees) pays at the price it meets; the rest is withdrawn."""
    once = Once(Side.BUY, 100, type=OrderType.ALL_IN)
    said = hear(once, flat_rows(10, 11, 12), cash=2_000)
    assert said == ["OrderAccepted", "Fill 90@11.0", "OrderCanceled"]


def test_the_journal_of_an_order_tells_its_life_in_order() -> None:
    """Intent, send, acknowledgement, fill: enough to rebuild it."""
    _, records = ran(a_backtest(Once(), flat_rows(10, 11)))
    told = [record.kind if isinstance(record, OrderReport) else type(record).__name__ for record in records]
    life = [word for word in told if word in {"OrderSubmitted", "OrderSent", Evidence.ACK, Evidence.FILL}]
    assert life == ["OrderSubmitted", "OrderSent", Evidence.ACK, Evidence.FILL]
    intent = next(record for record in records if isinstance(record, OrderSubmitted))
    assert intent.reserved_cash == Decimal("100.03")
