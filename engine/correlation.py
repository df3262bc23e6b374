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
from engine.domain.order import Evidence, Order, OrderReport, OrderState, Proof

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
    """

    changed_ns: int
    answering: frozenset[InstrumentId]
    held: Callable[[InstrumentId], int]
    cash: Decimal
    mark: Callable[[InstrumentId], Decimal | None]


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
    ) -> Sequence[OrderReport]:
        """Evidence in the venue's order list about one UNKNOWN order, or one only inferred to be absent.

        Empty if the reading proves nothing.

        Args:
            owned: venue ids that are another order's already.
        """
        if not needs_evidence(order) or snapshot.as_of_ns <= order.sent_ns or snapshot.orders is None:
            return ()
        found = self._by_rows(order, baseline, snapshot, sheet, owned)
        if found is not None:
            self.forget(order.request.client_id)
            return found
        return self._absent(order, snapshot, sheet)

    def match_positions(
        self, orders: Sequence[Order], books: AccountBooks, snapshot: AccountSnapshot, sheet: Capabilities
    ) -> Sequence[OrderReport]:
        """Evidence in what the account holds, for venues without an order list.

        What the venue holds beyond our book was done by an order of unknown outcome: the one set of orders whose
        quantities make up the difference. The book is taken as it is now and not as it was when the order was
        decided: orders that stood before it in the queue have moved it since.

        Args:
            orders: all of the account that need evidence.
            books: what we believe the account holds.
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

    def _by_rows(
        self,
        order: Order,
        baseline: Baseline | None,
        snapshot: AccountSnapshot,
        sheet: Capabilities,
        owned: Mapping[VenueOrderId, ClientOrderId],
    ) -> Sequence[OrderReport] | None:
        request = order.request
        rows = snapshot.orders or ()
        if sheet.echoes_client_id:
            candidates = [row for row in rows if row.client_tag == request.client_id]
        else:
            before = set(baseline.order_ids) if baseline is not None else set()
            candidates = [
                row
                for row in rows
                if row.venue_id not in before and row.venue_id not in owned and _fits(row, order, sheet)
            ]
        if len(candidates) > 1:
            listed = ", ".join(str(row.venue_id) for row in candidates)
            return (_report(order, snapshot, Evidence.CANDIDATES, reason=f"rows {listed} all fit"),)
        return row_evidence(order, candidates[0], snapshot) if candidates else None

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
    """What one row of the venue's list says of the order it belongs to."""
    as_of = row.as_of_ns or snapshot.as_of_ns
    report = OrderReport(
        account=snapshot.account,
        client_id=order.request.client_id,
        kind=Evidence.WORKING if row.status is Evidence.FILL else row.status,
        ts_ns=snapshot.ts_ns,
        as_of_ns=as_of,
        venue_id=row.venue_id,
        cum=row.cum,
        price=row.average_price,
        reason=row.reason,
    )
    return (report,)


def needs_evidence(order: Order) -> bool:
    """Whether a trace in the account may still decide it. PENDING_NEW is not: its answer is on the way."""
    return order.state is OrderState.UNKNOWN or (order.state is OrderState.NOT_PLACED and order.proof is Proof.INFERRED)


def _fits(row: OrderRow, order: Order, sheet: Capabilities) -> bool:
    request = order.request
    if row.instrument != request.instrument or row.quantity != request.quantity:
        return False
    if row.side is not None and row.side.sign != request.side.sign:
        return False
    if request.price is not None and row.price is not None and row.price != request.price:
        return False
    if row.ts_ns:
        return request.ts_ns - ROW_EARLY_NS <= row.ts_ns <= order.sent_ns + sheet.max_lag_ns
    return True


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
