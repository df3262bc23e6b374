"""The exchange's own band around the market, in continuous trading (RELIABILITY 4.1, row 11)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.market import Quote
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView


class PriceCage(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No settings: how far a limit may reach beyond the best price of the other side is the rule book's to say (102 %
    or ten ticks on the main board, 24 spreads in Hong Kong). Without a quote the last price is the base."""

    name: ClassVar[str] = "price_cage"

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        price = order.price
        if price is None:
            return None
        instrument = view.instruments[order.instrument]
        book = view.cages.get(instrument.market)
        if book is None or not book.cages(now_ns):
            return None
        base = self._base(order, view)
        if base is None:
            return Denial("STALE_DATA", f"price cage not known: no price of {order.instrument}")
        edge = book.price_cage(order.side, instrument, base)
        if edge is None or (price <= edge if order.side.sign > 0 else price >= edge):
            return None
        word = "above" if order.side.sign > 0 else "below"
        return Denial("PRICE_RULE", f"price cage exceeded: {price} is {word} {edge} (base {base})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        instrument = view.instruments[order.instrument]
        book = view.cages.get(instrument.market)
        if order.price is None or book is None or not book.cages(now_ns):
            return "no cage for this order now"
        base = self._base(order, view)
        edge: Decimal | None = None if base is None else book.price_cage(order.side, instrument, base)
        return f"price {order.price}, base {base or 'not known'}, edge {edge or 'none'}"

    @staticmethod
    def _base(order: SubmitOrder, view: RiskView) -> float | None:
        latest = view.marks.latest.get(order.instrument)
        if isinstance(latest, Quote):
            other = latest.ask if order.side.sign > 0 else latest.bid
            if other > 0:
                return other
        reference = view.reference(order.instrument)
        return None if reference is None else float(reference)
