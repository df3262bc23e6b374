"""The market's own rules: session, lot, tick, exchange sizes and price limits (RELIABILITY 4.1, rows 8 to 11)."""

from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.money import exact
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView


class MarketRules(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No settings: the figures are in the rule book of the instrument's market, whose code a denial keeps."""

    name: ClassVar[str] = "market_rules"

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        name = order.instrument
        instrument = view.instruments[name]
        book = view.books[instrument.market]
        position = view.portfolio.accounts[order.account].positions.get(name)
        close = None
        if view.waits and (acts_ns := view.acts_ns(name, now_ns)) != now_ns:
            # What the last price will be is the close before, on the day the order is for.
            now_ns, close = acts_ns, view.coming_close(name, now_ns, acts_ns)
        denial = book.check(order, instrument, now_ns, position.quantity if position is not None else 0)
        if denial is not None or order.price is None:
            return denial
        band = book.price_band(instrument, close or view.previous_close.get(order.instrument), now_ns)
        # A limit as a float lies beside the decimal it stands for: the highest price itself must pass.
        if band is None or exact(band[0]) <= order.price <= exact(band[1]):
            return None
        return Denial("PRICE_RULE", f"price {order.price} is outside the day's limits {band[0]} to {band[1]}")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        instrument = view.instruments[order.instrument]
        held = view.position(order.account, order.instrument)
        return f"market {instrument.market}, lot {instrument.lot}, tick {instrument.tick}, held {held}"
