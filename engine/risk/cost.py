"""What an order may come to at worst: its value, and for a purchase the cash it may take."""

from decimal import Decimal

from engine.domain.commands import Offset, OrderType, Side, SubmitOrder
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.domain.order_types import TWO_SIDED
from engine.risk.view import RiskView

_OPENING = frozenset({Offset.OPEN, Offset.AUTO})
_SELL = Side.SELL
_SELL_SHORT = Side.SELL_SHORT
_LIMIT = OrderType.LIMIT


def worst_price(order: SubmitOrder, view: RiskView) -> Decimal | None:
    """Its limit; without one the latest price, or the stop if that is higher; None if neither is known."""
    price, stop = order.price, order.stop_price
    if price is not None and (order.type is _LIMIT or order.type not in TWO_SIDED):
        return price
    reference = view.reference(order.instrument)
    if reference is None:
        return None
    return max(reference, price or reference, stop or reference)


def worst_case_value(order: SubmitOrder, view: RiskView) -> Decimal | None:
    """Price x quantity x multiplier of either side, in the instrument's currency; None without a price.

    Asked by several limits for one order at one price it works once.
    """
    mark = view.marks.latest.get(order.instrument)
    memo = view.value_memo
    if memo is not None and memo[0] is order and memo[1] is mark:
        return memo[2]
    price = worst_price(order, view)
    if price is None:
        return None
    multiplier = view.instruments[order.instrument].multiplier
    value = price * order.quantity if multiplier == 1 else price * order.quantity * multiplier
    view.value_memo = (order, mark, value)
    return value


def purchase_cost(order: SubmitOrder, view: RiskView) -> Decimal | None:
    """As ``worst_case_cost``, of a purchase; None without a price."""
    mark = view.marks.latest.get(order.instrument)
    memo = view.cost_memo
    if memo is not None and memo[0] is order and memo[1] is mark:
        return memo[2]
    price = order.price
    if price is None:
        price = view.reference(order.instrument) if order.stop_price is None else worst_price(order, view)
    elif order.type is not _LIMIT and order.type in TWO_SIDED:
        price = worst_price(order, view)
    if price is None:
        return None
    instrument = view.instruments[order.instrument]
    if view.portfolio.futures and instrument.market in view.portfolio.futures:
        cost = _futures_cost(order, view, instrument, price)
    else:
        cost = cost_at(price, order, instrument, view)
    view.cost_memo = (order, mark, cost)
    return cost


def cost_at(price: Decimal, order: SubmitOrder, instrument: Instrument, view: RiskView) -> Decimal:
    """What a purchase of no future may take of the cash at a price."""
    quantity = order.quantity
    cost = price * quantity
    if instrument.multiplier != 1:
        cost *= instrument.multiplier
    if view.cost_factor is not None:
        cost *= view.cost_factor
    return cost + view.books[instrument.market].fee(order.type, order.side, quantity, price, instrument, order.ts_ns)


def worst_case_cost(order: SubmitOrder, view: RiskView) -> Decimal:
    """Cash to reserve: value x ``view.cost_factor`` + fees (RELIABILITY 4.1, row 21); 0 for a sale.

    Asked twice for one order at one price (by the cash limit, then by the order gate) it works once.

    Raises:
        LookupError: a purchase without a limit, and no price is known.
    """
    if order.side is _SELL or order.side is _SELL_SHORT:
        futures = view.portfolio.futures
        if not futures or view.instruments[order.instrument].market not in futures:
            return ZERO
    cost = purchase_cost(order, view)
    if cost is None:
        raise LookupError(f"no reference price of {order.instrument}")
    return cost


def _futures_cost(order: SubmitOrder, view: RiskView, instrument: Instrument, price: Decimal) -> Decimal:
    """Margin of what the order opens at worst, times ``view.cost_factor``, and the fee; of either side."""
    portfolio, quantity, now_ns = view.portfolio, order.quantity, order.ts_ns
    what = (order.instrument, order.side.sign > 0, quantity, order.offset)
    opened = portfolio.split(order.account, what, now_ns).opened if order.offset in _OPENING else 0
    rate = portfolio.futures[instrument.market].margin_rate(instrument, now_ns)
    margin = price * opened * instrument.multiplier * rate * (view.cost_factor or 1)
    return margin + view.books[instrument.market].fee(order.type, order.side, quantity, price, instrument, now_ns)
