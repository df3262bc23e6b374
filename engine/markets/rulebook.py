"""What every market's rule book answers. One market a file; each figure with its date and source."""

from decimal import Decimal
from typing import Protocol, runtime_checkable

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.instrument import Instrument
from engine.domain.verdict import Denial


class RuleBook(Protocol):
    """The rules of one market. Quantities in whole units, prices in the instrument's currency, times ns UTC."""

    @property
    def name(self) -> str: ...

    @property
    def timezone(self) -> str: ...

    @property
    def currency(self) -> str: ...

    def check(self, order: SubmitOrder, instrument: Instrument, now_ns: int, held: int) -> Denial | None:
        """Lot, tick, session and size rules for one order; ``held`` is the account's position.

        Price limits and cages that need a reference price are ``price_band``'s.
        """

    def price_band(
        self, instrument: Instrument, previous_close: float | None, ts_ns: int = 0
    ) -> tuple[float, float] | None:
        """Lowest and highest price of the day, or None where the market has none or the close is not known.

        ``ts_ns``, here and below: by the rules of that instant's day; 0 for the newest.
        """

    def fee(
        self,
        order_type: OrderType,
        side: Side,
        quantity: int,
        price: Decimal,
        instrument: Instrument,
        ts_ns: int = 0,
    ) -> Decimal:
        """What one fill costs besides its price."""

    def sellable_from_ns(self, bought_ns: int) -> int:
        """When shares bought at an instant may be sold; that instant itself where they may at once."""

    def is_open(self, ts_ns: int) -> bool: ...

    def trading_day(self, ts_ns: int) -> int:
        """Number of the trading day (proleptic ordinal): daily caps turn over with it."""


@runtime_checkable
class ChargesByOrder(Protocol):
    """A rule book whose fees have a part that counts once an order, as a minimum commission."""

    def order_fee(self, side: Side, quantity: int, value: Decimal, instrument: Instrument, ts_ns: int = 0) -> Decimal:
        """What an order costs in all that has filled ``quantity`` units worth ``value`` so far."""


class FeesOfOrders:
    """Makes the fee of one fill that of a whole order: of an order filled in parts it may count a minimum too often."""

    __slots__ = ()

    def order_fee(self, side: Side, quantity: int, value: Decimal, instrument: Instrument, ts_ns: int = 0) -> Decimal:
        """See ``ChargesByOrder``."""
        raise NotImplementedError

    def fee(
        self,
        order_type: OrderType,
        side: Side,
        quantity: int,
        price: Decimal,
        instrument: Instrument,
        ts_ns: int = 0,
    ) -> Decimal:
        return self.order_fee(side, quantity, price * quantity * instrument.multiplier, instrument, ts_ns)


@runtime_checkable
class CagesPrices(Protocol):
    """A rule book whose exchange refuses limits too far beyond the market."""

    def cages(self, ts_ns: int) -> bool:
        """Whether the cage holds at an instant: in continuous trading."""

    def price_cage(self, side: Side, instrument: Instrument, base: float) -> Decimal | None:
        """Highest price to buy, lowest to sell, ``base`` being the best price of the other side; None: no cage."""


@runtime_checkable
class RefusesCancels(Protocol):
    """A rule book whose exchange acts on no cancel at times."""

    def may_cancel(self, ts_ns: int) -> bool: ...

    def next_order_ns(self, ts_ns: int) -> int | None:
        """The first instant from ``ts_ns`` on at which orders are taken; None past the last day known."""


@runtime_checkable
class SellsSameDay(Protocol):
    """A rule book that locks what was bought, but not of every instrument."""

    def sells_same_day(self, instrument: Instrument) -> bool:
        """Whether what was bought today may be sold today."""


@runtime_checkable
class ClosesByAuction(Protocol):
    """A rule book whose exchange ends the day with a call auction: all its deals have one price, at its end."""

    def auction_end_ns(self, instrument: Instrument, ts_ns: int) -> int | None:
        """When the closing auction that is on at an instant ends; None: none is on."""


@runtime_checkable
class Suspends(Protocol):
    """A rule book whose exchange suspends instruments for days, or deals in none while nothing trades."""

    def is_suspended(self, instrument: Instrument, ts_ns: int) -> bool:
        """Whether an instrument does not trade on an instant's day, as far as is known."""


@runtime_checkable
class OpensAgain(Protocol):
    """A rule book that knows when its market trades next."""

    def next_open_ns(self, ts_ns: int) -> int | None:
        """The first instant of continuous trading from ``ts_ns`` on; None past the last day known."""


@runtime_checkable
class TradesFutures(Protocol):
    """A rule book of contracts that are opened and closed on margin."""

    def futures_fee(
        self, instrument: Instrument, price: Decimal, opened: int, closed: int, closed_today: int, ts_ns: int = 0
    ) -> Decimal:
        """What a fill costs by what it does: so many opened, of earlier days closed, of today's closed."""

    def margin_rate(self, instrument: Instrument, ts_ns: int) -> Decimal: ...

    def names_today(self, instrument: Instrument) -> bool: ...

    def trading_day(self, ts_ns: int) -> int: ...

    def opens_ns(self, instrument: Instrument, ts_ns: int) -> int | None: ...
