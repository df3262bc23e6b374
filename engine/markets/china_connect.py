"""Shanghai and Shenzhen through the connect from Hong Kong (northbound): RELIABILITY 4.1, rows 8 to 11.

* Limit orders only; no change of an order, only cancel (contracts/futu.md 5, ModifyOrderOp). T+1: what is bought today
  is sold on the next trading day at the earliest. No short sales here.
* Open on days that are trading days in Shanghai and in Hong Kong; opening auction 09:15-09:25, 09:30-11:30,
  13:00-15:00, whose last three minutes are the closing auction.
* Lots: buy in hundreds; a rest below a hundred is sold whole. STAR (688, 689): 200 at least, then singly (RELIABILITY
  4.1, row 9). At most 1 000 000 shares an order, ChiNext (300, 301) 300 000, STAR 100 000 (row 10).
* Tick 0.01 CNY. Price limits by the previous close: 10 %, ChiNext and STAR 20 %. Those of ST shares changed in 2025
  and 2026 and their present figure is not known here: the narrower of the two, 5 %, which no rule forbids.
* Fees: HKEX, "Stock Connect: fees": handling 0.00341 % and stamp duty 0.05 % of sales (both 2023-08-28), securities
  management 0.002 %, transfer 0.001 % (2022-04-29) and 0.002 % (HKSCC). The broker's own are settings.
"""

from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.ids import code_of
from engine.domain.instrument import Instrument
from engine.domain.money import CENT, exact
from engine.domain.timestamps import MINUTE_NS, day_of
from engine.domain.verdict import Denial
from engine.markets.sessions import Session, Sessions, sessions_of

ZONE = "Asia/Shanghai"
AUCTION_NS = (15 * MINUTE_NS, 5 * MINUTE_NS)
"""The opening auction: from and to, before the opening."""
LEVIES = Decimal("0.0000341") + Decimal("0.00002") + Decimal("0.00001") + Decimal("0.00002")
STAMP_DUTY = Decimal("0.0005")
NEVER_NS = 2**62
TICK = Decimal("0.01")


class ChinaConnect(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Broker's fees as known of Futu (not confirmed): 0.03 %, 3 CNH at least, and 15 CNH an order, charged a fill."""

    name: str = "china_connect"
    timezone: str = ZONE
    currency: str = "CNH"
    commission: Decimal = Decimal("0.0003")
    commission_min: Decimal = Decimal(3)
    platform_fee: Decimal = Decimal(15)

    def check(self, order: SubmitOrder, instrument: Instrument, now_ns: int, held: int) -> Denial | None:
        session = self._session(now_ns)
        if session is None:
            return Denial("SESSION", "market closed: no northbound session today that is known")
        first, last = AUCTION_NS
        auction = session.open_ns - first <= now_ns < session.open_ns - last
        if not auction and not session.has(now_ns):
            return Denial("SESSION", "market closed: hours are 09:15-09:25, 09:30-11:30, 13:00-15:00 Asia/Shanghai")
        if order.type is not OrderType.LIMIT or order.price is None:
            return Denial("UNSUPPORTED", "northbound orders are limit orders")
        if order.side not in (Side.BUY, Side.SELL):
            return Denial("UNSUPPORTED", "no short sales northbound")
        if order.price % TICK:
            return Denial("PRICE_RULE", f"price {order.price} is not on the tick of {TICK}")
        return self._lot(order, instrument, held)

    def _lot(self, order: SubmitOrder, instrument: Instrument, held: int) -> Denial | None:
        code, quantity = code_of(instrument.id), order.quantity
        star = code.startswith(("688", "689"))
        most = 100_000 if star else 300_000 if code.startswith(("300", "301")) else 1_000_000
        if quantity > most:
            return Denial("MAX_QTY", f"quantity {quantity} is above {most} shares an order")
        whole_rest = order.side is Side.SELL and quantity == held
        if whole_rest:
            return None
        if star:
            return None if quantity >= 200 else Denial("LOT", f"quantity {quantity} is below 200")
        if quantity % 100 and not (order.side is Side.SELL and quantity % 100 == held % 100 and quantity < held):
            return Denial("LOT", f"quantity {quantity} is no multiple of 100")
        return None

    def price_band(self, instrument: Instrument, previous_close: float | None) -> tuple[float, float] | None:
        if not previous_close:
            return None
        code = code_of(instrument.id)
        share = Decimal("0.2") if code.startswith(("300", "301", "688", "689")) else Decimal("0.1")
        if instrument.name.upper().startswith(("ST", "*ST", "SST", "S*ST", "XDST", "XD*ST")):
            share = min(share, Decimal("0.05"))
        close = exact(previous_close)
        low, high = ((close * (1 + sign * share)).quantize(TICK, ROUND_HALF_UP) for sign in (-1, 1))
        return float(low), float(high)

    def fee(self, order_type: OrderType, side: Side, quantity: int, price: Decimal, instrument: Instrument) -> Decimal:
        value = price * quantity * instrument.multiplier
        fee = value * LEVIES + max(value * self.commission, self.commission_min) + self.platform_fee
        if side is Side.SELL:
            fee += value * STAMP_DUTY
        return fee.quantize(CENT, ROUND_HALF_UP)

    def sellable_from_ns(self, bought_ns: int) -> int:
        """The opening of the next northbound day; never, past the last one known."""
        day = day_of(bought_ns, self.timezone).toordinal()
        while (following := self._shanghai().next_day(day)) is not None:
            session = self._shanghai().day(following)
            if session is not None and self._hong_kong().day(following) is not None:
                return session.open_ns
            day = following
        return NEVER_NS

    def is_open(self, ts_ns: int) -> bool:
        session = self._session(ts_ns)
        return session is not None and session.has(ts_ns)

    def trading_day(self, ts_ns: int) -> int:
        return self._shanghai().trading_day(ts_ns)

    def _session(self, ts_ns: int) -> Session | None:
        session = self._shanghai().on(ts_ns)
        return session if session is not None and self._hong_kong().on(ts_ns) is not None else None

    @staticmethod
    def _shanghai() -> Sessions:
        return sessions_of("XSHG", ZONE)

    @staticmethod
    def _hong_kong() -> Sessions:
        return sessions_of("XHKG", "Asia/Hong_Kong")
