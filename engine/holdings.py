"""What the change of a holding says of orders whose venue says nothing, and the books it is measured against."""

from collections.abc import Callable, Container, Mapping, Sequence
from decimal import Decimal
from itertools import combinations, product

from msgspec import Struct

from engine.domain.account import AccountSnapshot, Baseline, Capabilities, OrderRow
from engine.domain.commands import SIZED_BY_VENUE
from engine.domain.events import Fill
from engine.domain.ids import ClientOrderId, InstrumentId, VenueOrderId
from engine.domain.money import ZERO
from engine.domain.order import Evidence, Order, OrderReport, OrderState

ROW_EARLY_NS = 2_000_000_000
"""A venue's clock may place our row this much before our intent (3.5)."""

CREDIBLE_MOVE = Decimal("0.35")
"""A price worked out from cash that is further than this from the latest one speaks of something else."""


class AccountBooks(Struct, frozen=True):
    """What we believe of one account: when our doing last changed it, what it holds, its cash, the latest prices.

    ``moved_ns``: when our doing last changed what it holds of an instrument, or may have.
    ``answering``: instruments with an order whose answer is on its way: what they hold may be its doing already.
    ``reserved``: cash that our orders may still cost, those of unknown outcome included. ``live``: venue ids of our
    orders that are known to work, and when each was sent. ``decided``: the price an order was decided on; None where
    its journal lacks it.
    ``charged``: whether every purchase and sale costs a fee.
    """

    changed_ns: int
    moved_ns: Callable[[InstrumentId], int]
    answering: frozenset[InstrumentId]
    held: Callable[[InstrumentId], int]
    cash: Decimal
    mark: Callable[[InstrumentId], Decimal | None]
    sellable: Callable[[InstrumentId], int]
    reserved: Decimal
    live: Mapping[VenueOrderId, int]
    decided: Callable[[ClientOrderId], Decimal | None]
    charged: Callable[[InstrumentId], bool]

    def is_untouched(self, instrument: InstrumentId, snapshot: AccountSnapshot) -> bool:
        """Whether a reading shows the very cash that we believe in, and nothing is traded there for nothing."""
        if not snapshot.balances or not self.charged(instrument):
            return False
        return sum((row.total for row in snapshot.balances), ZERO) == self.cash

    def price_of(self, order: Order) -> Decimal | None:
        """About what a unit of an order costs: the latest price, else its limit, else the price it was decided on.

        A life that just began has no prices of its own. None: nobody can say.
        """
        client_id = order.request.client_id
        return self.mark(order.request.instrument) or order.price or self.decided(client_id)


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


def plans(
    gone: Sequence[Order],
    unknown: Sequence[Order],
    moved: int,
    *,
    still: bool = False,
    withdrawn: Container[ClientOrderId] = (),
) -> list[Plan]:
    """Every way in which orders whose end nobody saw can have moved the position by so much.

    An order of ``gone`` that nobody asked to withdraw filled: that ends it by itself. Only where that fits in no way
    may it have ended as one of those that were asked may: withdrawn, or expired, with any part of it filled. Of
    ``unknown`` each did all or nothing, but a disputed one that was seen to work before: that may have ended with any
    part of it filled, as if it were one of ``gone``. Where more than one way is left the position does not tell, and
    money tells no more, unless it did not move at all: it knows prices to no better than the fees.

    Args:
        withdrawn: those that may have ended with a part open though we know of nobody who asked: with their day, or
            in a life before, whose journal failed.
        still: neither a holding nor money moved, where trading costs something: nothing was done.
    """
    pool = [*gone, *unknown]
    if still:
        return [(0,) * len(pool)]
    if len(pool) > SETS_MAX:
        return []
    left = [order.cancel_pending or order.request.client_id in withdrawn for order in gone]
    seen = [order.state is OrderState.DISPUTED and bool(order.venue_id) for order in unknown]
    likely = _ways(gone, unknown, moved, [*left, *seen])
    return likely or _ways(gone, unknown, moved, [True] * len(gone) + seen)


def _ways(gone: Sequence[Order], unknown: Sequence[Order], moved: int, left: Sequence[bool]) -> list[Plan]:
    """``left``: which of both may have left something open; of these no more than one in part."""
    pool = [*gone, *unknown]
    choices = [(0, open_of(order)) if free else (open_of(order),) for order, free in zip(gone, left, strict=False)]
    found = dict[Plan, None]()
    for done in product(*choices, *((0, open_of(order)) for order in unknown)):
        rest = moved - sum(order.request.side.sign * quantity for order, quantity in zip(pool, done, strict=True))
        if rest == 0:
            found[done] = None
        for place, order in enumerate(pool):
            part = rest * order.request.side.sign
            if left[place] and not done[place] and 0 < part < open_of(order):
                found[(*done[:place], part, *done[place + 1 :])] = None
    return list(found)


def shared(orders: Sequence[Order], moved: int) -> Plan:
    """As much of a move as each can have done, the oldest first: which of two alike it was changes no position."""
    way: list[int] = []
    for order in orders:
        filled = min(max(0, moved * order.request.side.sign), open_of(order))
        moved -= filled * order.request.side.sign
        way.append(filled)
    return tuple(way)


def filled_by(order: Order, moved: int | None, books: AccountBooks, snapshot: AccountSnapshot) -> Sequence[OrderReport]:
    """What the order filled, as the position says; nothing while no price of it is known: the book takes no guess of 0.

    The fill is named after its order, which says that its price is a guess (``is_guessed``).
    """
    quantity = open_of(order) if moved is None else abs(moved)
    paid = None if moved is None or books.answering else _paid(quantity, books, snapshot)
    known = books.price_of(order)
    if paid is None or (known and abs(paid / known - 1) > CREDIBLE_MOVE):
        paid = None
    price = known if paid is None else paid
    if price is None:
        return ()
    fill = report_on(
        order,
        snapshot,
        Evidence.FILL,
        quantity=quantity,
        price=price,
        # What the cash says has the fee in it; what the market says has not.
        fee=None if paid is None else ZERO,
        fill_id=order.request.client_id,
        reason="read from the change of the position",
    )
    if quantity >= open_of(order):
        return (fill,)
    return (fill, report_on(order, snapshot, Evidence.CANCELED, reason="the venue sized it"))


def is_guessed(fill: Fill) -> bool:
    """Whether a fill's price is read off the market or the cash, as its venue told none."""
    return fill.fill_id == fill.client_id


def _paid(quantity: int, books: AccountBooks, snapshot: AccountSnapshot) -> Decimal | None:
    """The price the cash speaks of, right to one coin in all where a venue keeps whole coins."""
    if snapshot.balances is None:
        return None
    return abs(books.cash - sum((balance.total for balance in snapshot.balances), ZERO)) / quantity


def report_on(
    order: Order,
    snapshot: AccountSnapshot,
    kind: Evidence,
    *,
    quantity: int = 0,
    cum: int = 0,
    price: Decimal | None = None,
    fee: Decimal | None = None,
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
        fee=fee,
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
    price = order.price or books.price_of(order) or ZERO
    frozen = sum((balance.total - balance.available for balance in snapshot.balances), ZERO)
    buying = sum(((row.price or ZERO) * (row.quantity - row.cum) for row in live), ZERO)
    return frozen - buying > books.reserved - price * open_of(order) / 2


def speaks_against_absence(
    order: Order,
    baseline: Baseline | None,
    strangers: Sequence[OrderRow],
    snapshot: AccountSnapshot,
    books: AccountBooks,
) -> bool:
    """Whether this whole reading, though it has no row of the order, can not prove that there is none (3.5, b and c).

    An order known to work when it began is not in it; the position moved, cash is frozen or shares are held back that
    no order known to us explains.

    Args:
        strangers: rows of the list that are no order's of ours.
    """
    listed = {name for row in snapshot.orders or () for name in (row.venue_id, row.other_id)}
    if any(sent_ns < snapshot.as_of_ns and name not in listed for name, sent_ns in books.live.items()):
        return True
    if snapshot.positions is not None and not is_explained(order, baseline, strangers, snapshot, books):
        return True
    return is_held_back(order, 0, strangers, snapshot, books)


def is_overtaken(order: Order, snapshot: AccountSnapshot, books: AccountBooks) -> bool:
    """Whether what we did since a reading began moved what it would tell an order by: then it says nothing."""
    buys = order.request.side.sign > 0
    return (books.changed_ns if buys else books.moved_ns(order.request.instrument)) > snapshot.as_of_ns


def is_at_rest(changed_ns: int, snapshot: AccountSnapshot, sheet: Capabilities) -> bool:
    """Whether a reading began when all that our doing changed was surely in it."""
    return snapshot.as_of_ns > changed_ns + sheet.max_lag_ns


def moves(
    orders: Sequence[Order],
    books: AccountBooks,
    snapshot: AccountSnapshot,
    sheet: Capabilities,
    moved_ns: Callable[[InstrumentId], int],
) -> dict[InstrumentId, int]:
    """How far the position of each order's instrument is from our book, where a reading can say it: nothing of ours
    moved it within the longest lag, and no answer is on its way.

    Args:
        moved_ns: when our doing last moved what is held of an instrument.
    """
    if snapshot.positions is None:
        return {}
    theirs = {row.instrument: row.quantity for row in snapshot.positions}
    names = dict.fromkeys(order.request.instrument for order in orders)
    return {
        name: theirs.get(name, 0) - books.held(name)
        for name in names
        if name not in books.answering and is_at_rest(moved_ns(name), snapshot, sheet)
    }
