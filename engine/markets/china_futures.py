"""Index and commodity futures of the mainland: multipliers, margins, fees, nights that belong to the next day.

The table is in ``futures_products``, with its dates and sources. Here:

* Trading day: what is traded from 21:00 on belongs to the next trading day; there is no night before a holiday that is
  not a weekend (broker's table of night hours, crfutu.com.cn, read 2026-11: 法定节假日（不包含双休日）前第一个工作日
  的连续交易不进行). Commodities 09:00-10:15, 10:30-11:30, 13:30-15:00 (same kind of tables); index futures 09:30-11:30
  and 13:00-15:00 (CFFEX contract tables, as quoted by JoinQuant's data dictionary).
* Offsets: SHFE and INE tell today's lots from earlier ones (平今, 平昨), the others close the oldest first (CTP users'
  notes, cnblogs.com/yuyanc/p/17691902).
* Fees of the exchange, times ``fee_factor`` for what a broker adds; margin of the exchange plus ``margin_add``.
* Not modelled: daily price limits (they count from a settlement price no bar tells), auctions before the opening,
  settlement of gains each evening, forced liquidation, delivery: a position is to be closed or rolled before its end.
"""

from decimal import ROUND_HALF_UP, Decimal

import msgspec
from msgspec import Struct

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.ids import code_of
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.money import CENT, ZERO
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS
from engine.domain.verdict import Denial
from engine.markets.china_boards import ZONE, shanghai
from engine.markets.china_history import day_number
from engine.markets.futures_products import PRODUCTS, Product

EVENING_NS = 4 * HOUR_NS
"""Later than this before midnight is the next day's."""
SUNDAY = 6
LOOK_AHEAD_DAYS = 31


def product_of(instrument: Instrument) -> Product | None:
    """By the letters its code begins with; None: it is not in the table."""
    code = code_of(instrument.id)
    return PRODUCTS.get(code.rstrip("0123456789").upper())


def as_contract(instrument: Instrument) -> Instrument:
    """An instrument nobody described as the contract its code names; one of no known product stays as it is."""
    product = product_of(instrument)
    if product is None or instrument.multiplier != 1:
        return instrument
    terms = {"kind": InstrumentKind.FUTURE, "multiplier": product.multiplier, "tick": product.tick}
    return msgspec.structs.replace(instrument, **terms)


class ChinaFutures(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``fee_factor`` multiplies the exchange's fees, ``margin_add`` is added to its margin: a broker's own terms."""

    name: str = "china_futures"
    timezone: str = ZONE
    currency: str = "CNY"
    fee_factor: Decimal = Decimal(1)
    margin_add: Decimal = ZERO

    def check(self, order: SubmitOrder, instrument: Instrument, now_ns: int, held: int) -> Denial | None:
        product = product_of(instrument)
        if product is None:
            return Denial("INSTRUMENT", f"{instrument.id} is of no futures product this book knows")
        if instrument.multiplier != product.multiplier:
            wrong = f"multiplier {instrument.multiplier} of {instrument.id} is not its product's"
            return Denial("INSTRUMENT", f"{wrong}, {product.multiplier}")
        if order.type not in (OrderType.MARKET, OrderType.LIMIT) or order.side not in (Side.BUY, Side.SELL):
            return Denial("UNSUPPORTED", "futures are bought and sold by limit or market orders, with an offset")
        if order.quantity > product.most:
            return Denial("MAX_QTY", f"quantity {order.quantity} is above {product.most}, the most of an order")
        if order.price is not None and order.price % product.tick:
            return Denial("PRICE_RULE", f"price {order.price} is not on the tick of {product.tick}")
        if not self._trades(product, now_ns):
            return Denial("SESSION", f"market closed: hours of {product.code} are {product.hours}")
        return None

    def price_band(
        self, instrument: Instrument, previous_close: float | None, ts_ns: int = 0
    ) -> tuple[float, float] | None:
        """Limits count from the settlement price, which is not known here."""
        return None

    def fee(
        self,
        order_type: OrderType,
        side: Side,
        quantity: int,
        price: Decimal,
        instrument: Instrument,
        ts_ns: int = 0,
    ) -> Decimal:
        """At worst: the dearer of opening and closing today."""
        opened = self.futures_fee(instrument, price, quantity, 0, 0, ts_ns)
        return max(opened, self.futures_fee(instrument, price, 0, 0, quantity, ts_ns))

    def futures_fee(
        self, instrument: Instrument, price: Decimal, opened: int, closed: int, closed_today: int, ts_ns: int = 0
    ) -> Decimal:
        """Of one fill, by what it does; each part rounded to the cent."""
        product = product_of(instrument)
        if product is None:
            return ZERO
        unit = price * instrument.multiplier
        rates = product.fees_on(day_number(ts_ns))
        parts = zip((opened, closed, closed_today), rates, strict=True)
        return sum(
            ((fee.of(unit) * quantity * self.fee_factor).quantize(CENT, ROUND_HALF_UP) for quantity, fee in parts), ZERO
        )

    def margin_rate(self, instrument: Instrument, ts_ns: int) -> Decimal:
        product = product_of(instrument)
        return Decimal(1) if product is None else product.margin + self.margin_add

    def names_today(self, instrument: Instrument) -> bool:
        product = product_of(instrument)
        return product is not None and product.exchange in ("SHFE", "INE")

    def sellable_from_ns(self, bought_ns: int) -> int:
        return bought_ns

    def is_open(self, ts_ns: int) -> bool:
        """Whether any product trades."""
        return any(self._trades(product, ts_ns) for product in PRODUCTS.values())

    def trading_day(self, ts_ns: int) -> int:
        """An evening belongs to the next trading day; so does the small hour after it, over a weekend too."""
        return shanghai().trading_day(ts_ns + EVENING_NS)

    def opens_ns(self, instrument: Instrument, ts_ns: int) -> int | None:
        """The first instant from one on at which a contract trades, to the minute; None: not within a month."""
        product = product_of(instrument)
        at = -(-ts_ns // MINUTE_NS) * MINUTE_NS
        last = at + LOOK_AHEAD_DAYS * DAY_NS
        while product is not None and at < last:
            if self._trades(product, at):
                return at
            _day, minute = _local(at)
            later = [start for start, _ in product.spans if start > minute]
            at += ((later[0] if later else 24 * 60) - minute) * MINUTE_NS
        return None

    def _trades(self, product: Product, ts_ns: int) -> bool:
        day, minute = _local(ts_ns)
        if any(start <= minute < end for start, end in product.day):
            return shanghai().day(day) is not None
        start, end = product.night
        if start <= minute < end:
            return has_night(day)
        return minute + 24 * 60 < end and has_night(day - 1)


def _local(ts_ns: int) -> tuple[int, int]:
    """Day number and minute of the day in Shanghai."""
    return day_number(ts_ns), (ts_ns + 8 * HOUR_NS) % DAY_NS // MINUTE_NS


def has_night(day: int) -> bool:
    """Whether an evening is followed by its trading day with nothing but a weekend between."""
    following = shanghai().next_day(day)
    if shanghai().day(day) is None or following is None:
        return False
    return all((between + SUNDAY) % 7 >= SUNDAY - 1 for between in range(day + 1, following))
