"""What was won or lost since the trading day began: realised and marked, by strategy and by account.

Of each holding: what it is worth now, less what it was worth when the day began, less what was paid and plus what was
received today, fees taken off. A holding's worth at the day's beginning is its quantity at the close before, or at the
first price of the day where the close is not known; that price is journaled (``DayPriced``), so that a restart does not
begin a day of its own.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from msgspec import Struct

from engine.domain.errors import DataError
from engine.domain.events import DayPriced, EquitySampled, Fill, PositionAdjusted
from engine.domain.ids import EXTERNAL, AccountId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.domain.timestamps import DAY_NS
from engine.portfolio import Portfolio


class Line(Struct, gc=False):
    """One instrument of one strategy on one account. ``paid``: what today's fills cost, sales taken off."""

    day: int = -1
    start: int = 0
    """Units held when the day began."""
    held: int = 0
    paid: Decimal = ZERO
    won: Decimal = ZERO
    won_by: tuple[int, Decimal, tuple[int, Decimal]] | None = None
    """What ``won`` was reckoned from: day, latest price, first price of the day. None: not since the last booking."""


Key = tuple[StrategyId, AccountId]


class DayProfit:
    """One an engine; rebuilt from the journal by the same writers."""

    def __init__(
        self,
        portfolio: Portfolio,
        instruments: Mapping[InstrumentId, Instrument],
        day: Callable[[InstrumentId, int], int | None],
        latest: Callable[[InstrumentId], Decimal | None],
    ) -> None:
        """``latest``: a price this life of the engine has seen; one out of the journal is too old to mark by."""
        self.lines: dict[Key, dict[InstrumentId, Line]] = {}
        self.first: dict[InstrumentId, tuple[int, Decimal]] = {}
        """Instrument -> the trading day it was last priced for, and the price that day began with."""
        self.worth: dict[AccountId, tuple[int, Decimal]] = {}
        """Account -> the day (of the UTC clock) and its equity as first sampled that day."""
        self.accounts: dict[AccountId, list[Key]] = {}
        self._portfolio = portfolio
        self._instruments = instruments
        self._day = day
        self._latest = latest

    # --- writers -----------------------------------------------------------------------------------------------------

    def on_fill(self, fill: Fill) -> None:
        quantity = fill.quantity if fill.side.sign > 0 else -fill.quantity
        value = fill.price * quantity * self._instruments[fill.instrument].multiplier
        self._book(fill.strategy, fill.account, fill.instrument, fill.ts_ns, quantity, value + fill.fee)

    def on_adjusted(self, event: PositionAdjusted) -> None:
        """What a venue took back or restated is won or lost by its strategy. What nobody of ours did came at no known
        price: it counts from the day's beginning, as what was always there."""
        if event.instrument not in self._instruments:
            return
        if event.strategy != EXTERNAL:
            self._book(event.strategy, event.account, event.instrument, event.ts_ns, event.quantity, -event.cash)
        elif event.quantity:
            line = self._book(event.strategy, event.account, event.instrument, event.ts_ns, event.quantity, ZERO)
            line.start += event.quantity
            line.won_by = None

    def on_priced(self, event: DayPriced) -> None:
        known = self.first.get(event.instrument)
        if known is None or event.day > known[0]:
            self.first[event.instrument] = (event.day, event.price)

    def on_equity(self, event: EquitySampled) -> None:
        """The first sample of a day is what losses are measured against."""
        day = event.ts_ns // DAY_NS
        known = self.worth.get(event.account)
        if known is None or day > known[0]:
            self.worth[event.account] = (day, event.equity)

    def _book(
        self,
        strategy: StrategyId,
        account: AccountId,
        instrument: InstrumentId,
        ts_ns: int,
        quantity: int,
        paid: Decimal,
    ) -> Line:
        key = (strategy, account)
        if key not in self.lines:
            self.lines[key] = {}
            self.accounts.setdefault(account, []).append(key)
        line = self.lines[key].setdefault(instrument, Line())
        day = self._day(instrument, ts_ns)
        if day is not None and day > line.day:
            line.day, line.start, line.paid = day, line.held, ZERO
        line.held += quantity
        line.paid += paid
        line.won_by = None
        return line

    # --- readers -----------------------------------------------------------------------------------------------------

    def of_strategy(self, strategy: StrategyId, account: AccountId, now_ns: int) -> Decimal:
        """In the account's currency; O(instruments it trades).

        Raises:
            DataError: a price, or a rate, is not known.
        """
        lines = self.lines.get((strategy, account))
        if lines is None:
            return ZERO
        base = self._portfolio.accounts[account].currency
        total = ZERO
        for instrument, line in lines.items():
            won = self._won(instrument, line, now_ns)
            currency = self._instruments[instrument].currency
            total += won if currency == base or not won else won * self._portfolio.rate(currency, base)
        return total

    def of_account(self, account: AccountId, now_ns: int) -> Decimal:
        """Of all its strategies. Raises: DataError."""
        return sum(
            (self.of_strategy(strategy, account, now_ns) for strategy, _ in self.accounts.get(account, ())), ZERO
        )

    def _won(self, instrument: InstrumentId, line: Line, now_ns: int) -> Decimal:
        day = self._day(instrument, now_ns)
        if day is None:
            raise DataError(f"{instrument} has no trading day")
        start, paid = (line.start, line.paid) if line.day == day else (line.held, ZERO)
        if not start and not line.held:
            return -paid
        first, latest = self.first.get(instrument), self._latest(instrument)
        if latest is None or first is None or first[0] != day:
            if start == line.held and not paid:
                # Held and not traded, and no price of today: it has not moved as far as anybody knows.
                return ZERO
            raise DataError(f"no price of {instrument} today")
        # Losses are looked at once a second over everything held; most of it was not priced since.
        if line.won_by is None or line.won_by != (day, latest, first):
            line.won = (latest * line.held - first[1] * start) * self._instruments[instrument].multiplier - paid
            line.won_by = (day, latest, first)
        return line.won
