"""Which order do these traces belong to? The core's one matcher, for venues that give no id back (RELIABILITY 3.5).

Pure: an account's reading and what we know go in, evidence comes out. Absence is proven, never read once.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import combinations

from msgspec import Struct

from engine.domain.account import AccountSnapshot, Baseline, Capabilities, OrderRow
from engine.domain.commands import SIZED_BY_VENUE
from engine.domain.ids import ClientOrderId, InstrumentId, VenueOrderId
from engine.domain.money import ZERO
from engine.domain.order import LIVE, Evidence, Order, OrderReport, OrderState, Proof

READS_APART_NS = 5_000_000_000
"""Two readings that agree prove absence only if they are this far apart (3.5 b)."""

CREDIBLE_MOVE = Decimal("0.35")
"""A price worked out from cash that is further than this from the latest one speaks of something else."""

ROW_EARLY_NS = 2_000_000_000
"""A venue's clock may place our row this much before our intent (3.5)."""


class Absence(Struct):
    """First reading after the lag that showed no trace of an order; the second one proves it."""

    as_of_ns: int


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


class Matcher:
    """Keeps, per undecided order, whether one reading has already shown no trace of it."""

    def __init__(self) -> None:
        self._absences: dict[ClientOrderId, Absence] = {}

    def forget(self, client_id: ClientOrderId) -> None:
        self._absences.pop(client_id, None)

    def match(
        self,
        order: Order,
        baseline: Baseline | None,
        snapshot: AccountSnapshot,
        sheet: Capabilities,
        owned: Mapping[VenueOrderId, ClientOrderId],
        books: AccountBooks,
    ) -> Sequence[OrderReport]:
        """Evidence in the venue's order list about one order that needs it.

        Empty if the reading proves nothing. An order whose answer promised nothing is PENDING_NEW: a row of it is
        proof, the lack of one is not.

        Args:
            owned: venue ids that are another order's already.
        """
        if not needs_evidence(order, sheet) or snapshot.as_of_ns <= order.sent_ns or snapshot.orders is None:
            return ()
        rows = _new_rows(order, baseline, snapshot.orders, sheet, owned)
        candidates = [row for row in rows if _fits(row, order, sheet)]
        if order.state is OrderState.PENDING_NEW:
            return row_evidence(order, candidates[0], snapshot) if len(candidates) == 1 else ()
        if len(candidates) > 1:
            listed = ", ".join(str(row.venue_id) for row in candidates)
            return (_report(order, snapshot, Evidence.CANDIDATES, reason=f"rows {listed} all fit"),)
        if candidates:
            self.forget(order.request.client_id)
            return row_evidence(order, candidates[0], snapshot)
        if not sheet.echoes_client_id and _speaks_against_absence(order, rows, snapshot, books):
            self.forget(order.request.client_id)
            return ()
        return self._absent(order, snapshot, sheet)

    def match_positions(
        self,
        orders: Sequence[Order],
        books: AccountBooks,
        snapshot: AccountSnapshot,
        sheet: Capabilities,
        *,
        proves_absence: bool = True,
    ) -> Sequence[OrderReport]:
        """Evidence in what the account holds, for venues without an order list, or with one that may be short.

        What the venue holds beyond our book was done by an order of unknown outcome: the one set of orders whose
        quantities make up the difference. The book is taken as it is now and not as it was when the order was
        decided: orders that stood before it in the queue have moved it since.

        Args:
            orders: all of the account that need evidence.
            books: what we believe the account holds.
            proves_absence: whether a position that did not move is evidence too.
        """
        settled_ns = books.changed_ns + sheet.max_lag_ns
        if snapshot.positions is None or snapshot.as_of_ns <= settled_ns:
            return ()
        theirs = {row.instrument: row.quantity for row in snapshot.positions}
        reports: list[OrderReport] = []
        for instrument in dict.fromkeys(order.request.instrument for order in orders):
            if instrument in books.answering:
                continue
            moved = theirs.get(instrument, 0) - books.held(instrument)
            mine = [order for order in orders if order.request.instrument == instrument]
            if moved or proves_absence:
                reports += self._explain(mine, moved, books, snapshot, sheet)
        return reports

    def _explain(
        self, orders: Sequence[Order], moved: int, books: AccountBooks, snapshot: AccountSnapshot, sheet: Capabilities
    ) -> Sequence[OrderReport]:
        """Which of the orders of one instrument did it."""
        if moved == 0:
            return [report for order in orders for report in self._absent(order, snapshot, sheet)]
        chosen = _explanation(orders, moved, books)
        if chosen:
            for order in chosen:
                self.forget(order.request.client_id)
            alone = len(chosen) == 1
            return [report for order in chosen for report in _filled(order, moved if alone else None, books, snapshot)]
        names = ", ".join(str(order.request.client_id) for order in orders)
        reason = f"the position moved by {moved:+d}, which no choice among {names} explains"
        return [
            _report(order, snapshot, Evidence.CANDIDATES, reason=reason)
            for order in orders
            if order.state is OrderState.UNKNOWN
        ]

    def _absent(self, order: Order, snapshot: AccountSnapshot, sheet: Capabilities) -> Sequence[OrderReport]:
        bound_ns = order.sent_ns + max(sheet.max_lag_ns, sheet.late_max_ns)
        if order.state is not OrderState.UNKNOWN or snapshot.as_of_ns <= bound_ns:
            return ()
        first = self._absences.get(order.request.client_id)
        if first is None:
            self._absences[order.request.client_id] = Absence(snapshot.as_of_ns)
            return ()
        if snapshot.as_of_ns - first.as_of_ns < READS_APART_NS:
            return ()
        self.forget(order.request.client_id)
        reason = "two readings after the longest lag show no trace of it"
        return (_report(order, snapshot, Evidence.ABSENT, reason=reason),)


def row_evidence(order: Order, row: OrderRow, snapshot: AccountSnapshot) -> Sequence[OrderReport]:
    """What one row of the venue's list says of the order it belongs to.

    A venue may refuse what it first listed as working: nothing filled, and over, is a withdrawal (RELIABILITY 2.2, 5).
    """
    as_of = row.as_of_ns or snapshot.as_of_ns
    status = row.status
    if status is Evidence.REJECT and (order.state in LIVE or order.state is OrderState.CANCELED):
        status = Evidence.CANCELED
    report = OrderReport(
        account=snapshot.account,
        client_id=order.request.client_id,
        kind=Evidence.WORKING if status is Evidence.FILL else status,
        ts_ns=snapshot.ts_ns,
        as_of_ns=as_of,
        venue_id=row.venue_id,
        cum=row.cum,
        price=row.average_price,
        reason=row.reason,
    )
    return (report,)


def needs_evidence(order: Order, sheet: Capabilities) -> bool:
    """Whether a trace in the account may still decide it.

    PENDING_NEW is not: its answer is on the way; but where answers are claims, and only a row is acceptance, its row
    may be in a reading that began after them.
    """
    state = order.state
    if state is OrderState.PENDING_NEW:
        return sheet.lists_orders and not sheet.echoes_client_id
    return state is OrderState.UNKNOWN or (state is OrderState.NOT_PLACED and order.proof is Proof.INFERRED)


def _new_rows(
    order: Order,
    baseline: Baseline | None,
    rows: Sequence[OrderRow],
    sheet: Capabilities,
    owned: Mapping[VenueOrderId, ClientOrderId],
) -> list[OrderRow]:
    """Rows of its instrument and side that may be its: nobody else's, and not there before it."""
    if sheet.echoes_client_id:
        return [row for row in rows if row.client_tag == order.request.client_id]
    before = set(baseline.order_ids) if baseline is not None else set()
    return [
        row
        for row in rows
        if not any(name and (name in before or name in owned) for name in (row.venue_id, row.other_id))
        and row.instrument == order.request.instrument
        and (row.side is None or row.side.sign == order.request.side.sign)
        and _not_before(row, order)
    ]


def _not_before(row: OrderRow, order: Order) -> bool:
    return not row.ts_ns or row.ts_ns >= order.request.ts_ns - ROW_EARLY_NS


def _fits(row: OrderRow, order: Order, sheet: Capabilities) -> bool:
    if sheet.echoes_client_id:
        return True
    request = order.request
    priced = request.price is not None and row.price is not None
    last_ns = order.sent_ns + max(sheet.max_lag_ns, sheet.late_max_ns)
    return row.quantity == request.quantity and row.ts_ns <= last_ns and not (priced and row.price != request.price)


def _speaks_against_absence(
    order: Order, rows: Sequence[OrderRow], snapshot: AccountSnapshot, books: AccountBooks
) -> bool:
    """Whether this reading, though it has no row of the order, can not prove that there is none (3.5, b and c).

    The list may be short; a row nobody owns may be this order at another price; the position moved, cash is frozen or
    shares are held back that no order known to us explains.
    """
    listed = {name for row in snapshot.orders or () for name in (row.venue_id, row.other_id)}
    if not snapshot.whole or rows or not books.live <= listed:
        return True
    instrument, leaves = order.request.instrument, _open(order)
    strangers = [row for row in snapshot.orders or () if _is_strangers(row, order, books)]
    held = next((row for row in snapshot.positions or () if row.instrument == instrument), None)
    if snapshot.positions is not None and (held.quantity if held is not None else 0) != books.held(instrument):
        return True
    if order.request.side.sign < 0:
        if held is None or held.sellable is None:
            return False
        selling = sum(row.quantity - row.cum for row in strangers if row.instrument == instrument)
        # What we count as sellable is without this order's own shares already.
        return held.sellable + selling < books.sellable(instrument) + leaves
    if snapshot.balances is None:
        return False
    price = order.price or books.mark(instrument) or ZERO
    frozen = sum((balance.total - balance.available for balance in snapshot.balances), ZERO)
    buying = sum(((row.price or ZERO) * (row.quantity - row.cum) for row in strangers), ZERO)
    return frozen - buying > books.reserved - price * leaves / 2


def _is_strangers(row: OrderRow, order: Order, books: AccountBooks) -> bool:
    """Whether it holds back cash or shares for somebody else, on the side of the order."""
    ours = row.venue_id in books.live or row.other_id in books.live
    side = row.side
    return row.status is Evidence.WORKING and not ours and side is not None and side.sign == order.request.side.sign


def _open(order: Order) -> int:
    """What it can still fill, or could if it turned out to be alive."""
    return order.quantity - order.cum


SETS_MAX = 6
"""Of more orders that need evidence on one instrument only the newest are combined: 2^6 sets."""


def _explanation(orders: Sequence[Order], moved: int, books: AccountBooks) -> Sequence[Order]:
    """The likeliest orders to have moved the position by so much; none if no choice of them does.

    One that is UNKNOWN is likelier than those that two readings proved absent, and of these the newest: they come back
    only where a venue took longer than its own bound. Which of two alike it was changes no position.
    """
    newest = sorted(orders, key=lambda order: -order.sent_ns)[:SETS_MAX]
    chosen = [c for size in range(1, len(newest) + 1) for c in combinations(newest, size) if _makes_up(c, moved, books)]

    def doubts(choice: Sequence[Order]) -> tuple[int, int, int]:
        absent = [order for order in choice if order.state is not OrderState.UNKNOWN]
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
    return sum(order.request.side.sign * _open(order) for order in orders) == moved


def _filled(order: Order, moved: int | None, books: AccountBooks, snapshot: AccountSnapshot) -> Sequence[OrderReport]:
    quantity = _open(order) if moved is None else abs(moved)
    fill = _report(
        order,
        snapshot,
        Evidence.FILL,
        quantity=quantity,
        price=_price(order, quantity, None if moved is None or books.answering else books.cash, books, snapshot),
        fill_id=order.request.client_id,
        reason="read from the change of the position",
    )
    if quantity >= _open(order):
        return (fill,)
    return (fill, _report(order, snapshot, Evidence.CANCELED, reason="the venue sized it"))


def _price(
    order: Order, quantity: int, cash_before: Decimal | None, books: AccountBooks, snapshot: AccountSnapshot
) -> Decimal:
    """The price the cash speaks of (right to one coin in all, where a venue keeps whole coins), if that is credible."""
    known = books.mark(order.request.instrument) or order.price or ZERO
    if cash_before is None or snapshot.balances is None:
        return known
    price = abs(cash_before - sum((balance.total for balance in snapshot.balances), ZERO)) / quantity
    return price if not known or abs(price / known - 1) <= CREDIBLE_MOVE else known


def _report(
    order: Order,
    snapshot: AccountSnapshot,
    kind: Evidence,
    *,
    quantity: int = 0,
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
        price=price,
        fee=ZERO if kind is Evidence.FILL else None,
        fill_id=fill_id,
        reason=reason,
    )
