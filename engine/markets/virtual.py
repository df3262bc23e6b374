"""The game market's rules (contracts/virtual_market.md 4 and 7, as observed 2026-11).

Whole units, no lots; 08:00 to 24:00 server time every calendar day; each lot locked for 60 minutes; selling costs 1 %.
Ticks do not bind orders: there are market orders only.
"""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from msgspec import Struct

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.instrument import Instrument
from engine.domain.money import CENT
from engine.domain.timestamps import MINUTE_NS, datetime_from_ns
from engine.domain.verdict import Denial

SELL_FEE = Decimal("0.01")


class Virtual(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours and lock are settings of the server, so they are ours too."""

    name: str = "virtual"
    timezone: str = "Asia/Shanghai"
    currency: str = "COIN"
    open_hour: int = 8
    close_hour: int = 24
    lock_minutes: int = 60

    def check(self, order: SubmitOrder, instrument: Instrument, now_ns: int, held: int) -> Denial | None:
        if not self.is_open(now_ns):
            hours = f"{self.open_hour:02d}:00-{self.close_hour:02d}:00 {self.timezone}"
            return Denial("SESSION", f"market closed: hours are {hours}")
        return None

    def price_band(
        self, instrument: Instrument, previous_close: float | None, ts_ns: int = 0
    ) -> tuple[float, float] | None:
        return None if not previous_close else (0.01, previous_close * 2)

    def fee(
        self,
        order_type: OrderType,
        side: Side,
        quantity: int,
        price: Decimal,
        instrument: Instrument,
        ts_ns: int = 0,
    ) -> Decimal:
        if side is Side.BUY:
            return Decimal(0)
        return (price * quantity).quantize(CENT, ROUND_HALF_UP) * SELL_FEE

    def sellable_from_ns(self, bought_ns: int) -> int:
        return bought_ns + self.lock_minutes * MINUTE_NS

    def is_open(self, ts_ns: int) -> bool:
        return self.open_hour <= self._local(ts_ns).hour < self.close_hour

    def trading_day(self, ts_ns: int) -> int:
        return self._local(ts_ns).date().toordinal()

    def next_open_ns(self, ts_ns: int) -> int:
        """The next instant the market opens, strictly after ``ts_ns``."""
        local = self._local(ts_ns)
        opening = local.replace(hour=self.open_hour, minute=0, second=0, microsecond=0)
        if opening <= local:
            opening += timedelta(days=1)
        return round(opening.astimezone(ZoneInfo("UTC")).timestamp()) * 1_000_000_000

    def _local(self, ts_ns: int) -> datetime:
        return datetime_from_ns(ts_ns, self.timezone)
