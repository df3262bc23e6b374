"""What would become of an order: every limit's answer, and what it would hold back; nothing is placed or counted."""

from decimal import Decimal

from msgspec import Struct

from engine.domain.commands import SubmitOrder
from engine.domain.errors import DataError
from engine.domain.verdict import Verdict
from engine.risk.checker import FAILURES, RiskChecker
from engine.risk.cost import worst_case_cost, worst_case_value
from engine.risk.reach import reached_units, reached_value
from engine.risk.view import RiskView


class Effects(Struct, frozen=True, kw_only=True):
    """What the order would change if it passed. Money in the instrument's currency, unless said; None: not known."""

    currency: str
    value: Decimal | None
    """Price x quantity x multiplier, at worst."""
    reserved_cash: Decimal | None
    """Held back for it: value x the cost factor + fees; 0 for a sale."""
    available_cash: Decimal
    """Before it."""
    available_cash_after: Decimal | None
    held: int
    """Units of the account, before it."""
    position_at_worst: int
    """Signed: with all open orders of its side and this one filled."""
    position_value_at_worst: Decimal | None
    sellable_after: int | None
    """What else could be sold then; None for a purchase."""
    reduces: bool
    """It can only shrink the account's position."""
    equity: Decimal | None
    """Of the account, in its own currency."""
    invested: Decimal | None
    """All its positions, before it, in its own currency."""


class WhatIf(Struct, frozen=True, kw_only=True):
    """The answer to ``what_if``."""

    allowed: bool
    code: str
    """Of the first limit that says no."""
    reason: str
    checks: list[Verdict]
    effects: Effects | None
    """None for an order whose account or instrument is not known."""


def what_if(checker: RiskChecker, order: SubmitOrder, now_ns: int) -> WhatIf:
    """Ask every limit and reckon the effects. It changes no counter, book or latch, and journals nothing."""
    checks = checker.explain(order, now_ns)
    refusal = next((verdict for verdict in checks if not verdict.passed), None)
    return WhatIf(
        allowed=refusal is None,
        code="" if refusal is None else refusal.code,
        reason="" if refusal is None else refusal.reason,
        checks=checks,
        effects=_effects(checker.view, order, now_ns),
    )


def _effects(view: RiskView, order: SubmitOrder, now_ns: int) -> Effects | None:
    try:
        return _reckoned(view, order, now_ns)
    except FAILURES:
        # An order that is not well-formed has no effects; the checks say what is wrong with it.
        return None


def _reckoned(view: RiskView, order: SubmitOrder, now_ns: int) -> Effects:
    instrument, sign = view.instruments[order.instrument], order.side.sign
    value = worst_case_value(order, view)
    reserved = None if value is None else worst_case_cost(order, view)
    available = view.available_cash(order.account, instrument.currency)
    reached = reached_units(order, view)
    sellable = None if sign > 0 else view.sellable(order.account, order.instrument, now_ns) - order.quantity
    try:
        worth = view.valuation.of(order.account, now_ns)
    except DataError:
        worth = None
    return Effects(
        currency=instrument.currency,
        value=value,
        reserved_cash=reserved,
        available_cash=available,
        available_cash_after=None if reserved is None else available - reserved,
        held=view.position(order.account, order.instrument),
        position_at_worst=reached * sign,
        position_value_at_worst=reached_value(order, view, reached),
        sellable_after=sellable,
        reduces=view.reduces(order),
        equity=None if worth is None else worth.equity,
        invested=None if worth is None else worth.gross,
    )
