"""How far an order can bring a position at worst, with all open orders of its side filled."""

from decimal import Decimal

from engine.domain.commands import SubmitOrder
from engine.risk.view import RiskView


def reached_units(order: SubmitOrder, view: RiskView) -> int:
    """How far on the order's own side the position can get; below 0 it stays on the other."""
    held = view.position(order.account, order.instrument)
    working = view.working(order.account, order.instrument, order.side)
    return held * order.side.sign + working + order.quantity


def reached_value(order: SubmitOrder, view: RiskView, reached: int) -> Decimal | None:
    """Of so many units, in the instrument's currency: at the latest price, or at the order's if that is higher."""
    reference = view.reference(order.instrument)
    price = order.price
    if reference is None:
        return None
    highest = reference if price is None else max(price, reference)
    return highest * reached * view.instruments[order.instrument].multiplier


def in_base(value: Decimal, order: SubmitOrder, view: RiskView) -> Decimal:
    """A value in the instrument's currency, in the account's own.

    Raises:
        DataError: no rate is known.
    """
    currency, base = view.instruments[order.instrument].currency, view.portfolio.accounts[order.account].currency
    return value if currency == base else value * view.portfolio.rate(currency, base)
