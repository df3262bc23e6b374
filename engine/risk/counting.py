"""What limits ask to be counted, each in its ``prepare``; what nobody asks for costs nothing."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from engine.domain.commands import SubmitOrder
from engine.domain.events import Fill, LatchCleared
from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, Quote, Trade
from engine.portfolio import Portfolio
from engine.risk.behaviour import MarketVolume, Messages, OppositeTrades, OwnVolume, Presses, QuickCancels
from engine.risk.counters import DayRateCounter, RateCounter
from engine.risk.crossing import Crossing
from engine.risk.day_profit import DayProfit
from engine.risk.exposure import Exposures
from engine.risk.fill_windows import FillWindows
from engine.risk.open_count import OpenCount
from engine.risk.prices import NewDay, Prices
from engine.risk.scopes import Scope
from engine.risk.turnover import OpenValue, Turnover, ValueSum
from engine.risk.windows import RecentKeys


class Counting:
    """The half of ``RiskView`` that holds the counters."""

    def __init__(self, portfolio: Portfolio, instruments: Mapping[InstrumentId, Instrument]) -> None:
        self.portfolio = portfolio
        self.instruments = instruments
        self.exposures = Exposures()
        self.rates: dict[str, RateCounter] = {}
        self.day_rates: dict[str, DayRateCounter] = {}
        self.turnovers: dict[str, Turnover] = {}
        self.open_value: OpenValue | None = None
        self.recent: RecentKeys | None = None
        self.open_count: OpenCount | None = None
        self.crossing: Crossing | None = None
        self.prices: Prices | None = None
        self.profit: DayProfit | None = None
        self.fill_windows: FillWindows | None = None
        self.quick_cancels: QuickCancels | None = None
        self.messages: Messages | None = None
        self.press_days: Presses | None = None
        self.market_volume: MarketVolume | None = None
        self.own_volume: OwnVolume | None = None
        self.opposite: OppositeTrades | None = None
        self.sums: list[ValueSum] = []
        """What values of open orders are added up in."""
        self.left: list[Callable[[SubmitOrder, int], None]] = []
        """Told of each order that passed, with its moment."""
        self.canceled: list[Callable[[SubmitOrder, int, int], None]] = []
        """Told of each cancel or replace: the order, when its bytes left (0: never), the moment."""
        self.filled: list[Callable[[Fill], None]] = []
        """Told of each fill."""
        self.seen: list[Callable[[LatchCleared], None]] = []
        """Told when a person has looked and lowered a latch."""

    def count_rate(self, name: str, scope: Scope, span_ns: int, cap: int) -> None:
        self.rates[name] = RateCounter(scope, span_ns, cap)

    def count_day(self, name: str, scope: Scope) -> None:
        self.day_rates[name] = DayRateCounter(scope)

    def count_turnover(self, name: str, scope: Scope) -> None:
        turnover = self.turnovers[name] = Turnover(scope)
        self.sums.append(turnover)

    def count_open_value(self) -> None:
        if self.open_value is None:
            self.open_value = OpenValue()
            self.sums.append(self.open_value)

    def count_open(self, scope: Scope) -> None:
        self.open_count = OpenCount(scope)
        self.exposures.followers += (self.open_count,)

    def watch_crossing(self, scope: Scope) -> None:
        self.crossing = Crossing(scope)
        self.exposures.followers += (self.crossing,)

    def watch_prices(self) -> Prices:
        """What prices did in the last minute; the same for all who ask."""
        if self.prices is None:
            self.prices = Prices(self.day_of)
            self.prices.new_day = (self.on_new_day,)
        return self.prices

    def count_profit(self) -> None:
        if self.profit is None:
            prices = self.watch_prices()
            self.profit = DayProfit(self.portfolio, self.instruments, self.day_of, prices.latest)
            self.filled.append(self.profit.on_fill)

    def count_fills(self, span_ns: int, cap: int) -> None:
        windows = self.fill_windows = FillWindows(span_ns, cap)
        self.filled.append(windows.on_fill)
        self.seen.append(windows.on_seen)

    def count_quick_cancels(self, span_ns: int) -> None:
        """Of all orders that passed; a cancel of one that never left is none the exchange sees."""
        counts = self.quick_cancels = QuickCancels(span_ns)

        def on_left(order: SubmitOrder, ts_ns: int) -> None:
            day = self.day_of(order.instrument, ts_ns)
            counts.on_order((order.account, self.instruments[order.instrument].market), day or 0)

        def on_canceled(order: SubmitOrder, sent_ns: int, ts_ns: int) -> None:
            if sent_ns:
                day = self.day_of(order.instrument, ts_ns)
                key = (order.account, self.instruments[order.instrument].market)
                counts.on_cancel(key, day or 0, ts_ns - sent_ns)

        self.left.append(on_left)
        self.canceled.append(on_canceled)

    def count_messages(self, cap: int) -> None:
        """Orders that passed, and cancels of orders that left."""
        messages = self.messages = Messages(cap)

        def add(order: SubmitOrder, ts_ns: int) -> None:
            market = self.instruments[order.instrument].market
            messages.add(order.account, market, ts_ns, self.day_of(order.instrument, ts_ns) or 0)

        def on_canceled(order: SubmitOrder, sent_ns: int, ts_ns: int) -> None:
            if sent_ns:
                add(order, ts_ns)

        self.left.append(add)
        self.canceled.append(on_canceled)

    def count_presses(self) -> None:
        self.press_days = Presses(self.day_of)

    def count_own_volume(self) -> None:
        if self.own_volume is None:
            self.own_volume = OwnVolume(lambda name: self.instruments[name].multiplier)
            self.filled.append(self.own_volume.on_fill)

    def watch_market_volume(self) -> None:
        self.watch_prices()
        if self.market_volume is None:
            self.market_volume = MarketVolume()

    def watch_opposite_trades(self) -> None:
        opposite = self.opposite = OppositeTrades(self.day_of)
        self.left.append(opposite.on_order)
        self.filled.append(opposite.on_fill)
        self.exposures.followers += (opposite,)

    @property
    def ears(self) -> list[tuple[type, Callable[[Any], None]]]:
        """Which market data it must be told, and where."""
        ears: list[tuple[type, Callable[[Any], None]]] = []
        if self.prices is not None:
            ears += [(Bar, self.prices.on_bar), (Quote, self.prices.on_quote), (Trade, self.prices.on_trade)]
        if self.market_volume is not None:
            ears += [(Bar, self.market_volume.on_bar), (Trade, self.market_volume.on_trade)]
        return ears

    def remember_orders(self, span_ns: int) -> None:
        self.recent = RecentKeys(span_ns)

    @abstractmethod
    def day_of(self, instrument: InstrumentId, ts_ns: int) -> int | None:
        """See ``RiskView``."""

    @abstractmethod
    def on_new_day(self, turn: NewDay) -> None:
        """See ``RiskView``."""
