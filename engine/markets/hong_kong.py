"""Hong Kong's rules for securities (HKEX; RELIABILITY 4.1, rows 8 to 11; contracts/futu.md 4, 9).

Board lots are each stock's own and come with the instrument, from the gateway's static info. Figures and their sources:

* Spread table: HKEX Rules, second schedule, part A; phase 1 of its reduction from 2025-08-04 (HKEX, "Reduction of
  Minimum Spreads"). Phase 2 (0.50 to 10 HKD, 0.01 to 0.005) was announced for mid-2026 (HKEX, 2024-12-17; press of
  2026 says the same) without a day we could read: prices there must lie on 0.01, which is legal in both tables. Before
  2006 spreads were wider in places (HKEX, 2006-06-02): they are not kept here. Exchange traded products have tables of
  their own: theirs is the instrument's tick.
* Sessions: pre-opening 09:00-09:30, 09:30-12:00, 13:00-16:00, closing auction 16:00-16:10 (HKEX, "Trading hours",
  2026-11); half days and holidays from the exchange calendar.
* At most 3 000 board lots an order (RELIABILITY 4.1, row 10).
* Fees of the day: ``hong_kong_fees``. The broker's own fees are settings.
"""

from bisect import bisect_right
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from msgspec import Struct

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.money import CENT, ZERO, exact
from engine.domain.timestamps import MINUTE_NS, day_of
from engine.domain.verdict import Denial
from engine.markets.hong_kong_fees import duty, levies
from engine.markets.rulebook import FeesOfOrders
from engine.markets.sessions import Sessions, sessions_of

ZONE = "Asia/Hong_Kong"
LOTS_MAX = 3_000
SPREADS_MAX = 24
"""How far beyond the other side's best price a limit may reach (RELIABILITY 4.1, row 11)."""
PRE_OPENING_NS = 30 * MINUTE_NS
"""Before the opening."""
CLOSING_AUCTION_NS = 10 * MINUTE_NS
"""After the close."""

# From this price up, this spread.
Table = tuple[tuple[Decimal, Decimal], ...]


def _table(text: str) -> Table:
    rows = [row.split() for row in text.split(",")]
    return tuple((Decimal(price), Decimal(spread)) for price, spread in rows)


_UPPER = "50 0.05, 100 0.1, 200 0.2, 500 0.5, 1000 1, 2000 2, 5000 5"
SPREADS: tuple[tuple[date, Table], ...] = (
    (date(2000, 1, 1), _table(f"0 0.001, 0.25 0.005, 0.5 0.01, 10 0.02, 20 0.05, {_UPPER}")),
    (date(2025, 8, 4), _table(f"0 0.001, 0.25 0.005, 0.5 0.01, 10 0.01, 20 0.02, {_UPPER}")),
)
"""Day from which -> table."""
AUCTION_TYPES = frozenset({OrderType.AUCTION, OrderType.AUCTION_LIMIT})


def spread(price: Decimal, day: date) -> Decimal:
    """The smallest step of a stock's price on a day."""
    tables = [table for since, table in SPREADS if since <= day]
    table = tables[-1] if tables else SPREADS[0][1]
    return table[bisect_right(table, price, key=lambda row: row[0]) - 1][1]


class HongKong(FeesOfOrders, Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Broker's fees as Futu's example bills show them (contracts/examples/futu/085): 0.03 % and 15 HKD an order.

    Both once an order, however many fills it has.
    ``ticks`` ``instrument`` trusts the instrument's own tick instead of the exchange's table.
    """

    name: str = "hong_kong"
    timezone: str = ZONE
    currency: str = "HKD"
    commission: Decimal = Decimal("0.0003")
    commission_min: Decimal = Decimal(0)
    platform_fee: Decimal = Decimal(15)
    ticks: str = "table"
    hours: Literal["exchange", "always"] = "exchange"
    """``always``: for a simulator that trades round the clock; profile ``live`` refuses it."""

    def __post_init__(self) -> None:
        if self.ticks not in ("table", "instrument"):
            raise ValueError(f"ticks {self.ticks!r}: write 'table' or 'instrument'")

    def check(self, order: SubmitOrder, instrument: Instrument, now_ns: int, held: int) -> Denial | None:
        return self._session(order, now_ns) or self._lot(order, instrument, held) or self._tick(order, instrument)

    def _session(self, order: SubmitOrder, now_ns: int) -> Denial | None:
        if self.hours == "always":
            return None
        session = self._sessions().on(now_ns)
        if session is None:
            return Denial("SESSION", "market closed: no session today that is known")
        if order.type in AUCTION_TYPES:
            before = session.open_ns - PRE_OPENING_NS <= now_ns < session.open_ns
            after = session.close_ns <= now_ns < session.close_ns + CLOSING_AUCTION_NS
            if before or after:
                return None
            return Denial("SESSION", "auction orders go in 09:00-09:30 and in the closing auction")
        if session.has(now_ns):
            return None
        return Denial("SESSION", "market closed: hours are 09:30-12:00 and 13:00-16:00 Asia/Hong_Kong")

    def _lot(self, order: SubmitOrder, instrument: Instrument, held: int) -> Denial | None:
        lot, quantity = instrument.lot, order.quantity
        if quantity % lot:
            # An odd lot can only be sold in a market of its own, which orders do not reach.
            return Denial("LOT", f"quantity {quantity} is no multiple of the board lot {lot}")
        if quantity > LOTS_MAX * lot:
            return Denial("MAX_QTY", f"quantity {quantity} is above {LOTS_MAX} board lots of {lot}")
        return None

    def _tick(self, order: SubmitOrder, instrument: Instrument) -> Denial | None:
        price = order.price
        if price is None:
            return None
        table = self.ticks == "table" and instrument.kind is InstrumentKind.STOCK
        step = spread(price, day_of(order.ts_ns, self.timezone)) if table else instrument.tick
        if price % step:
            return Denial("PRICE_RULE", f"price {price} is not on the spread of {step}")
        return None

    def price_band(
        self, instrument: Instrument, previous_close: float | None, ts_ns: int = 0
    ) -> tuple[float, float] | None:
        """No daily limits; the distance to the market (24 spreads) is the price collar's to keep."""
        return None

    def cages(self, ts_ns: int) -> bool:
        session = self._sessions().on(ts_ns)
        return self.hours == "exchange" and session is not None and session.has(ts_ns)

    def price_cage(self, side: Side, instrument: Instrument, base: float) -> Decimal | None:
        """24 of the smaller spreads at that price; by the newest table, since the day is not told."""
        price = exact(base)
        table = self.ticks == "table" and instrument.kind is InstrumentKind.STOCK
        step = spread(price, SPREADS[-1][0]) if table else instrument.tick
        return price + SPREADS_MAX * step if side.sign > 0 else price - SPREADS_MAX * step

    def order_fee(self, side: Side, quantity: int, value: Decimal, instrument: Instrument, ts_ns: int = 0) -> Decimal:
        """Of one order altogether, ``value`` being the sum of price x quantity of its fills; nothing filled, no fee."""
        if not quantity:
            return ZERO
        broker = max(value * self.commission, self.commission_min) + self.platform_fee
        day = day_of(ts_ns, self.timezone) if ts_ns else date.max
        stock = instrument.kind is InstrumentKind.STOCK
        return (levies(value, day) + broker).quantize(CENT, ROUND_HALF_UP) + (duty(value, day) if stock else ZERO)

    def next_open_ns(self, ts_ns: int) -> int | None:
        """Continuous trading alone: auctions take types of their own."""
        return ts_ns if self.hours == "always" else self._sessions().next_open_ns(ts_ns)

    def sellable_from_ns(self, bought_ns: int) -> int:
        return bought_ns

    def is_open(self, ts_ns: int) -> bool:
        session = self._sessions().on(ts_ns)
        return self.hours == "always" or (session is not None and session.has(ts_ns))

    def trading_day(self, ts_ns: int) -> int:
        return self._sessions().trading_day(ts_ns)

    def _sessions(self) -> Sessions:
        return sessions_of("XHKG", self.timezone)
