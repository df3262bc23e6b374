"""What the change of a holding says of orders whose venue says nothing, and the books it is measured against."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import combinations, product

from msgspec import Struct

from engine.domain.account import AccountSnapshot, Baseline, OrderRow
from engine.domain.commands import SIZED_BY_VENUE
from engine.domain.ids import InstrumentId, VenueOrderId
from engine.domain.money import ZERO
from engine.domain.order import Evidence, Order, OrderReport, OrderState

ROW_EARLY_NS = 2_000_000_000
"""A venue's clock may place our row this much before our intent (3.5)."""

CREDIBLE_MOVE = Decimal("0.35")
"""A price worked out from cash that is further than this from the latest one speaks of something else."""


class AccountBooks(Struct, frozen=True):
    """What we believe of one account: when our doing last changed it, what it holds, its cash, the latest prices.

    ``answering``: instruments with an order whose answer is on its way: what they hold may be its doing already.
    ``reserved``: cash that our orders may still cost, those of unknown outcome included. ``live``: venue ids of our
    orders that are known to work.
    """

    changed_ns: int
    answering: frozenset[InstrumentId]
    held: Callable[[InstrumentId], int]
    cash: Decimal
    mark: Callable[[InstrumentId], Decimal | None]
    sellable: Callable[[InstrumentId], int]
    reserved: Decimal
    live: frozenset[VenueOrderId]


def open_of(order: Order) -> int:
    """What it can still fill, or could if it turned out to be alive."""
    return order.quantity - order.cum


SETS_MAX = 6
"""Of more orders that need evidence on one instrument only the newest are combined: 2^6 sets."""


def explanation(orders: Sequence[Order], moved: int, books: AccountBooks) -> Sequence[Order]:
    """The likeliest orders to have moved the position by so much; none if no choice of them does.

    One that is UNKNOWN is likelier than those that two readings proved absent, and of these the newest: they come back
    only where a venue took longer than its own bound. Which of two alike it was changes no position.
    """
    newest = sorted(orders, key=lambda order: -order.sent_ns)[:SETS_MAX]
    chosen = [c for size in range(1, len(newest) + 1) for c in combinations(newest, size) if _makes_up(c, moved, books)]

    def doubts(choice: Sequence[Order]) -> tuple[int, int, int]:
        absent = [order for order in choice if order.state is OrderState.NOT_PLACED]
        return len(absent), len(choice), -sum(order.sent_ns for order in choice)

    return min(chosen, key=doubts, default=())


def _makes_up(orders: Sequence[Order], moved: int, books: AccountBooks) -> bool:
    """Whether these orders, filled, move the position by so much.

    One that the venue sizes may have done less, and a sale more, up to all we held: locks end while it is on its way.
    """
    request = orders[0].request
    if len(orders) == 1 and request.type in SIZED_BY_VENUE:
        done = moved * request.side.sign
        return 0 < done <= max(orders[0].quantity, books.held(request.instrument) if request.side.sign < 0 else 0)
    return sum(order.request.side.sign * open_of(order) for order in orders) == moved


Plan = tuple[int, ...]
"""How much each of several orders has filled unseen."""


def plans(gone: Sequence[Order], unknown: Sequence[Order], moved: int) -> list[Plan]:
    """Every way in which orders whose end nobody saw can have moved the position by so much.

    Each did all or nothing; only where that fits in no way was one of ``gone`` withdrawn half way. Money does not tell
    ways apart: they move the same number of shares, at prices known to no better than the fees.
    """
    pool = [*gone, *unknown]
    if len(pool) > SETS_MAX:
        return []
    whole, parted = dict[Plan, None](), dict[Plan, None]()
    for done in product(*((0, open_of(order)) for order in pool)):
        rest = moved - sum(order.request.side.sign * quantity for order, quantity in zip(pool, done, strict=True))
        if rest == 0:
            whole[done] = None
        for place, order in enumerate(gone):
            part = rest * order.request.side.sign
            if not done[place] and 0 < part < open_of(order):
                parted[(*done[:place], part, *done[place + 1 :])] = None
    return list(whole or parted)


def filled_by(order: Order, moved: int | None, books: AccountBooks, snapshot: AccountSnapshot) -> Sequence[OrderReport]:
    quantity = open_of(order) if moved is None else abs(moved)
    fill = report_on(
        order,
        snapshot,
        Evidence.FILL,
        quantity=quantity,
        price=_price(order, quantity, None if moved is None or books.answering else books.cash, books, snapshot),
        fill_id=order.request.client_id,
        reason="read from the change of the position",
    )
    if quantity >= open_of(order):
        return (fill,)
    return (fill, report_on(order, snapshot, Evidence.CANCELED, reason="the venue sized it"))


def _price(
    order: Order, quantity: int, cash_before: Decimal | None, books: AccountBooks, snapshot: AccountSnapshot
) -> Decimal:
    """The price the cash speaks of (right to one coin in all, where a venue keeps whole coins), if that is credible."""
    known = books.mark(order.request.instrument) or order.price or ZERO
    if cash_before is None or snapshot.balances is None:
        return known
    price = abs(cash_before - sum((balance.total for balance in snapshot.balances), ZERO)) / quantity
    return price if not known or abs(price / known - 1) <= CREDIBLE_MOVE else known


def report_on(
    order: Order,
    snapshot: AccountSnapshot,
    kind: Evidence,
    *,
    quantity: int = 0,
    cum: int = 0,
    price: Decimal | None = None,
    fill_id: str = "",
    reason: str = "",
) -> OrderReport:
    return OrderReport(
        account=snapshot.account,
        client_id=order.request.client_id,
        kind=kind,
        ts_ns=snapshot.ts_ns,
        as_of_ns=snapshot.as_of_ns,
        quantity=quantity,
        cum=cum,
        price=price,
        fee=ZERO if kind is Evidence.FILL else None,
        fill_id=fill_id,
        reason=reason,
    )


def not_before(row: OrderRow, order: Order) -> bool:
    return not row.ts_ns or row.ts_ns >= order.request.ts_ns - ROW_EARLY_NS


def is_explained(
    order: Order,
    baseline: Baseline | None,
    strangers: Sequence[OrderRow],
    snapshot: AccountSnapshot,
    books: AccountBooks,
) -> bool:
    """Whether the position is our book's, but for what strangers did: all that a row newer than the order has filled,
    and of an older one any part, as its beginning may be booked already."""
    instrument = order.request.instrument
    moved = next((row.quantity for row in snapshot.positions or () if row.instrument == instrument), 0)
    moved -= books.held(instrument)
    before = set(baseline.order_ids) if baseline is not None else set()
    least = most = 0
    for row in strangers:
        if row.instrument == instrument and row.side is not None:
            done = row.cum * row.side.sign
            new = row.venue_id not in before and row.other_id not in before and not_before(row, order)
            least += done if new else min(0, done)
            most += done if new else max(0, done)
    return least <= moved <= most


def is_held_back(
    order: Order, filled: int, strangers: Sequence[OrderRow], snapshot: AccountSnapshot, books: AccountBooks
) -> bool:
    """Whether money is frozen, or shares are, for what the order has not filled: then it works.

    Args:
        filled: what it has filled unseen.
    """
    instrument, sign = order.request.instrument, order.request.side.sign
    live = [r for r in strangers if r.status is Evidence.WORKING and r.side is not None and r.side.sign == sign]
    if sign < 0:
        held = next((row for row in snapshot.positions or () if row.instrument == instrument), None)
        if held is None or held.sellable is None:
            return False
        selling = sum(row.quantity - row.cum for row in live if row.instrument == instrument)
        # What strangers bought today may be locked, and what they sold is not held any more: our book may know neither.
        done = sum(row.cum for row in strangers if row.instrument == instrument and row.side is not None)
        # What we count as sellable is without this order's own shares already.
        return held.sellable + selling + done < books.sellable(instrument) + open_of(order) - filled
    if snapshot.balances is None:
        return False
    price = order.price or books.mark(instrument) or ZERO
    frozen = sum((balance.total - balance.available for balance in snapshot.balances), ZERO)
    buying = sum(((row.price or ZERO) * (row.quantity - row.cum) for row in live), ZERO)
    return frozen - buying > books.reserved - price * open_of(order) / 2
