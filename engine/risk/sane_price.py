"""A reference price that jumped is not believed at once (RELIABILITY 4.1, row 12: 5 % from the minute's median)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.money import exact
from engine.domain.verdict import Denial
from engine.risk.limit import Limit, refuse_unless_positive
from engine.risk.prices import Minute
from engine.risk.view import RiskView

WIDER = 4
"""Prices move further in ten minutes than in one: about as the root of the time, 3.2 times, and room."""


class SanePrice(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``percent``: how far the latest price may be from the median of the last minute, one sample a second. A minute
    of fewer than nine samples is too short a witness: there the price must also lie within four times ``percent`` of
    the median of the last nine samples of ten minutes. And it must lie within the day's price limits, where they are
    known. With no price but the latest there is nothing to compare with: that it is fresh is ``price_collar``'s to
    see."""

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
        minute = self._minute(order, view)
        if minute is not None and (jump := self._jump(price, minute, now_ns)):
            return Denial("STALE_DATA", f"price jumped: {jump}")
        instrument = view.instruments[order.instrument]
        band = view.books[instrument.market].price_band(
            instrument, view.previous_close.get(order.instrument), order.ts_ns
        )
        if band is None or exact(band[0]) <= price <= exact(band[1]):
            return None
        return Denial("STALE_DATA", f"price {price} is outside the day's limits {band[0]} to {band[1]}: not believed")

    def _jump(self, price: float, minute: Minute, now_ns: int) -> str:
        """From what it is too far; empty where it is near enough, or nothing is known."""
        median = minute.median(now_ns)
        if median is not None and abs(price - median) * 100 > float(self.percent) * median:
            return f"{price} is more than {self.percent}% from the median {median}"
        few = minute.last_few(now_ns)
        if not few:
            return ""
        middle, reach = few[(len(few) - 1) // 2], self.percent * WIDER
        if abs(price - middle) * 100 <= float(reach) * middle:
            return ""
        return f"{price} is more than {reach}% from {middle}, the median of the last {len(few)}"

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        price, minute = view.marks.get(order.instrument), self._minute(order, view)
        median = None if minute is None else minute.median(now_ns)
        return f"latest {price}, median of the last minute {median or 'none'}, cap {self.percent}%"

    @staticmethod
    def _minute(order: SubmitOrder, view: RiskView) -> Minute | None:
        if view.prices is None:
            raise LookupError("prices are not watched")
        return view.prices.minutes.get(order.instrument)
