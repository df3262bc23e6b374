"""The most one order may be worth (RELIABILITY 4.1, row 14: 100 000; a person is told from 50 000)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.events import KillLevel
from engine.domain.money import exact
from engine.domain.verdict import Denial
from engine.risk.cost import worst_case_value
from engine.risk.limit import Finding, Limit, Subject, refuse_unless_positive
from engine.risk.view import RiskView


class MaxOrderValue(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``value``: in the instrument's currency, itself allowed; an order without a limit counts at the day's highest
    price where that is known, else at the latest. An order of more than ``soft`` passes, and a person is told."""

    name: ClassVar[str] = "max_order_value"
    monitors: ClassVar[bool] = True
    value: Decimal = Decimal(100_000)
    soft: Decimal = Decimal(50_000)

    def __post_init__(self) -> None:
        refuse_unless_positive("value", self.value)
        refuse_unless_positive("soft", self.soft)

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        value = self._value(order, view)
        if value is None:
            return Denial("STALE_DATA", f"order value not known: no reference price of {order.instrument}")
        if value <= self.value:
            return None
        return Denial("MAX_NOTIONAL", f"order value exceeded: {value} (cap {self.value})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        value = self._value(order, view)
        return f"value {'not known' if value is None else value}, cap {self.value}, told from {self.soft}"

    def finding(self, subject: Subject, view: RiskView, now_ns: int) -> Finding | None:
        if not isinstance(subject, SubmitOrder) or self.soft >= self.value:
            return None
        value = self._value(subject, view)
        if value is None or value <= self.soft:
            return None
        cause = f"an order of {value} in {subject.instrument} by {subject.strategy} (told from {self.soft})"
        return Finding(KillLevel.RUN, f"account:{subject.account}", cause, key=subject.client_id)

    @staticmethod
    def _value(order: SubmitOrder, view: RiskView) -> Decimal | None:
        value = worst_case_value(order, view)
        if order.price is not None or not view.previous_close or value is None:
            return value
        instrument = view.instruments[order.instrument]
        band = view.books[instrument.market].price_band(
            instrument, view.previous_close.get(order.instrument), order.ts_ns
        )
        return value if band is None else max(value, exact(band[1]) * order.quantity * instrument.multiplier)
