"""A reference price that jumped is not believed at once (RELIABILITY 4.1, row 12: 5 % from the minute's median)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.money import exact
from engine.domain.verdict import Denial
from engine.risk.limit import Limit, refuse_unless_positive
from engine.risk.view import RiskView


class SanePrice(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``percent``: how far the latest price may be from the median of the last minute, one sample a second; and it must
    lie within the day's price limits, where they are known. With no price but the latest in the last minute there is
    nothing to compare with: that it is fresh is ``price_collar``'s to see."""

    name: ClassVar[str] = "sane_price"
    percent: Decimal = Decimal(5)

    def __post_init__(self) -> None:
        refuse_unless_positive("percent", self.percent)

    def prepare(self, view: RiskView) -> None:
        view.watch_prices()

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        price = view.marks.get(order.instrument)
        if price is None:
            return Denial("STALE_DATA", f"no reference price of {order.instrument}")
        median = self._median(order, view, now_ns)
        if median is not None and abs(price - median) * 100 > float(self.percent) * median:
            return Denial("STALE_DATA", f"price jumped: {price} is more than {self.percent}% from the median {median}")
        instrument = view.instruments[order.instrument]
        band = view.books[instrument.market].price_band(
            instrument, view.previous_close.get(order.instrument), order.ts_ns
        )
        if band is None or exact(band[0]) <= price <= exact(band[1]):
            return None
        return Denial("STALE_DATA", f"price {price} is outside the day's limits {band[0]} to {band[1]}: not believed")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        price, median = view.marks.get(order.instrument), self._median(order, view, now_ns)
        return f"latest {price}, median of the last minute {median or 'none'}, cap {self.percent}%"

    @staticmethod
    def _median(order: SubmitOrder, view: RiskView, now_ns: int) -> float | None:
        if view.prices is None:
            raise LookupError("prices are not watched")
        minute = view.prices.minutes.get(order.instrument)
        return None if minute is None else minute.median(now_ns)
