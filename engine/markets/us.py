"""Rules of the United States' stock exchanges (RELIABILITY 4.1, rows 8 to 11; contracts/futu.md 4, 5).

* Whole shares, no board lot. Tick 0.01 from 1 USD up, 0.0001 below (Regulation NMS, rule 612, 2005); the half-cent
  ticks the SEC adopted in 2024 are finer than this and so do not forbid anything here.
* Sessions 09:30-16:00 New York, half days and holidays from the exchange calendar (XNYS); with ``extended``, limit
  orders also 04:00-20:00.
* Fees: sellers pay the SEC's section 31 fee and FINRA's trading activity fee; both change every year, so they are
  settings. Their defaults are the higher of the rates of 2025 and 2026 as far as known here (27.80 USD a million,
  until 2025-05-14; 0.000195 USD a share, at most 9.79, from 2026-01-01), so that a bill is not higher than reckoned.
  Broker's fees: Futu's fixed plan as known here (not confirmed): 0.0049 and 0.005 USD a share, 0.99 and 1 at least,
  settlement 0.003 a share.
"""

from decimal import ROUND_UP, Decimal
from typing import Literal

from msgspec import Struct

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.instrument import Instrument
from engine.domain.money import CENT
from engine.domain.timestamps import HOUR_NS, MINUTE_NS
from engine.domain.verdict import Denial
from engine.markets.sessions import Sessions, sessions_of

ZONE = "America/New_York"
ONE_DOLLAR = Decimal(1)
SMALL_TICK = Decimal("0.0001")
BEFORE_NS = 5 * HOUR_NS + 30 * MINUTE_NS
"""Pre-market begins this much before the opening."""
AFTER_NS = 4 * HOUR_NS
SHARES_MAX = 1_000_000
"""One order's most, by our own judgement: the exchanges' own limits were not read."""


class UnitedStates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``extended``: limit orders outside regular hours too; the gateway needs ``outside_rth`` for it."""

    name: str = "us"
    timezone: str = ZONE
    currency: str = "USD"
    extended: bool = False
    hours: Literal["exchange", "always"] = "exchange"
    """``always``: for a simulator that trades round the clock; profile ``live`` refuses it."""
    commission: Decimal = Decimal("0.0049")
    commission_min: Decimal = Decimal("0.99")
    platform: Decimal = Decimal("0.005")
    platform_min: Decimal = Decimal(1)
    settlement: Decimal = Decimal("0.003")
    section_31: Decimal = Decimal("0.0000278")
    activity: Decimal = Decimal("0.000195")
    activity_max: Decimal = Decimal("9.79")

    def check(self, order: SubmitOrder, instrument: Instrument, now_ns: int, held: int) -> Denial | None:
        closed = self._session(order, now_ns) if self.hours == "exchange" else None
        if closed is not None:
            return closed
        if order.quantity % instrument.lot:
            return Denial("LOT", f"quantity {order.quantity} is no multiple of {instrument.lot}")
        if order.quantity > SHARES_MAX:
            return Denial("MAX_QTY", f"quantity {order.quantity} is above {SHARES_MAX} shares")
        price = order.price
        if price is not None:
            step = CENT if price >= ONE_DOLLAR else SMALL_TICK
            if price % step:
                return Denial("PRICE_RULE", f"price {price} is not on the tick of {step}")
        return None

    def _session(self, order: SubmitOrder, now_ns: int) -> Denial | None:
        session = self._sessions().on(now_ns)
        if session is None:
            return Denial("SESSION", "market closed: no session today that is known")
        if not session.has(now_ns):
            inside = session.open_ns - BEFORE_NS <= now_ns < session.close_ns + AFTER_NS
            if not (self.extended and inside and order.type is OrderType.LIMIT):
                return Denial("SESSION", "market closed: hours are 09:30-16:00 America/New_York")
        return None

    def price_band(
        self, instrument: Instrument, previous_close: float | None, ts_ns: int = 0
    ) -> tuple[float, float] | None:
        """No daily limits; halts by limit-up limit-down refuse no orders."""
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
        fee = max(self.commission * quantity, self.commission_min)
        fee += max(self.platform * quantity, self.platform_min) + self.settlement * quantity
        if side.sign < 0:
            fee += price * quantity * self.section_31 + min(self.activity * quantity, self.activity_max)
        return fee.quantize(CENT, ROUND_UP)

    def sellable_from_ns(self, bought_ns: int) -> int:
        return bought_ns

    def is_open(self, ts_ns: int) -> bool:
        session = self._sessions().on(ts_ns)
        return self.hours == "always" or (session is not None and session.has(ts_ns))

    def next_open_ns(self, ts_ns: int) -> int | None:
        """Regular hours alone, whatever ``extended`` says."""
        return ts_ns if self.hours == "always" else self._sessions().next_open_ns(ts_ns)

    def trading_day(self, ts_ns: int) -> int:
        return self._sessions().trading_day(ts_ns)

    def _sessions(self) -> Sessions:
        return sessions_of("XNYS", self.timezone)
