"""The market without rules: any quantity, any price, any hour, sold as soon as bought.

For indices (000001.SH can not be traded anywhere, but everybody tests on it), crypto, and oracles.
"""

from decimal import Decimal

from msgspec import Struct

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.instrument import Instrument
from engine.domain.timestamps import DAY_NS
from engine.domain.verdict import Denial

_EPOCH_ORDINAL = 719_163  # date(1970, 1, 1).toordinal()


class Free(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Commission is a share of the value, not rounded."""

    commission: Decimal = Decimal("0.0003")
    name: str = "free"
    timezone: str = "UTC"
    currency: str = "CNY"

    def check(self, order: SubmitOrder, instrument: Instrument, now_ns: int, held: int) -> Denial | None:
        return None

    def price_band(
        self, instrument: Instrument, previous_close: float | None, ts_ns: int = 0
    ) -> tuple[float, float] | None:
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
        value = price * quantity if instrument.multiplier == 1 else price * quantity * instrument.multiplier
        return value * self.commission

    def sellable_from_ns(self, bought_ns: int) -> int:
        return bought_ns

    def is_open(self, ts_ns: int) -> bool:
        return True

    def trading_day(self, ts_ns: int) -> int:
        return _EPOCH_ORDINAL + ts_ns // DAY_NS
