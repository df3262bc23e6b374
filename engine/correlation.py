"""Which order do these traces belong to? The core's one matcher, for venues that give no id back (RELIABILITY 3.5).

Pure: an account's reading and what we know go in, evidence comes out. Absence is proven, never read once.
"""

from collections.abc import Container, Mapping, Sequence, Set
from decimal import Decimal

from msgspec import Struct

from engine.domain.account import AccountSnapshot, Baseline, Capabilities, OrderRow
from engine.domain.ids import ClientOrderId, VenueOrderId
from engine.domain.order import LIVE, Evidence, Order, OrderReport, OrderState, Proof
from engine.holdings import (
    AccountBooks,
    explanation,
    filled_by,
    is_at_rest,
    is_held_back,
    is_overtaken,
    moves,
    not_before,
    open_of,
    plans,
    report_on,
    shared,
    speaks_against_absence,
)

READS_APART_NS = 5_000_000_000
"""Two readings that agree prove absence only if they are this far apart (3.5 b)."""

HELD_READS = 4
"""So many readings in a row that hide an order for which something is held back are no failed copies any more."""
UNCLEAR = -1
NO_LIST = "its trading day is over, no list of its day can be read, and the holdings show nothing of it"


class Absence(Struct):
    """First reading after the lag that showed no trace of an order, or no more of it; the second one proves it."""

    as_of_ns: int
    filled: int = 0
    """What the order has done to the position unseen."""


class Matcher:
    """Keeps, per undecided order, whether one reading has already shown no trace of it."""

    def __init__(self) -> None:
        self._absences: dict[ClientOrderId, Absence] = {}
        self._held: dict[ClientOrderId, int] = {}

    def forget(self, client_id: ClientOrderId) -> None:
        self._absences.pop(client_id, None)
        self._held.pop(client_id, None)

    def match(
        self,
        order: Order,
        baseline: Baseline | None,
        snapshot: AccountSnapshot,
        sheet: Capabilities,
        owned: Mapping[VenueOrderId, ClientOrderId],
        books: AccountBooks,
        *,
        turned: bool = False,
    ) -> Sequence[OrderReport]:
        """Evidence in the venue's order list about one order that needs it.

        Empty if the reading proves nothing. An order whose answer promised nothing is PENDING_NEW: a row of it is
        proof, the lack of one is not.

        Args:
            owned: venue ids that are another order's already.
            turned: its trading day is over: a list of today that lacks it says nothing (``match_short``).
        """
        if not needs_evidence(order, sheet) or snapshot.as_of_ns <= order.sent_ns or snapshot.orders is None:
            return ()
        rows, early = _new_rows(order, baseline, snapshot.orders, sheet, owned)
        # Today's row of another may look like it, where nothing says when it was entered.
        dated = turned and not sheet.echoes_client_id
        candidates = [row for row in rows if _fits(row, order, sheet) and (row.ts_ns or not dated)]
        if order.state is OrderState.PENDING_NEW:
            return row_evidence(order, candidates[0], snapshot) if len(candidates) == 1 else ()
        if len(candidates) > 1:
            reason = _listing(candidates, "all fit")
            return (report_on(order, snapshot, Evidence.CANDIDATES, reason=reason),)
        if candidates:
            self.forget(order.request.client_id)
            return row_evidence(order, candidates[0], snapshot)
        if turned and not snapshot.past:
            return ()
        near = [row for row in (*rows, *early) if row.quantity == order.request.quantity]
        if not snapshot.shows_all and not near:
            # That such a list lacks it says nothing: holdings and money are asked, of all such orders at once.
            return ()
        if not sheet.echoes_client_id and snapshot.shows_all:
            strangers = [row for row in snapshot.orders if row.venue_id not in owned and row.other_id not in owned]
            if speaks_against_absence(order, baseline, strangers, snapshot, books):
                if not is_overtaken(order, snapshot, books):
                    self.forget(order.request.client_id)
                return ()
        return self._undone(order, snapshot, sheet, _listing(near, "may be it at another price, or at another time"))

    def match_positions(
        self,
        orders: Sequence[Order],
        books: AccountBooks,
        snapshot: AccountSnapshot,
        sheet: Capabilities,
        over: Container[ClientOrderId] = (),
    ) -> Sequence[OrderReport]:
        """Evidence in what the account holds, for venues without an order list.

        What the venue holds beyond our book was done by an order of unknown outcome: the one set of orders whose
        quantities make up the difference. The book is taken as it is now and not as it was when the order was
        decided: orders that stood before it in the queue have moved it since.

        Args:
            orders: all of the account that need evidence.
            books: what we believe the account holds.
            over: those that ended with their day.
        """
        reports: list[OrderReport] = []
        for instrument, moved in moves(orders, books, snapshot, sheet, lambda _: books.changed_ns).items():
            mine = [order for order in orders if order.request.instrument == instrument]
            if moved == 0:
                reports += [report for order in mine for report in self._idle(order, books, snapshot, sheet, over)]
            else:
                reports += self._explain(mine, moved, books, snapshot)
        return reports

    def _idle(
        self,
        order: Order,
        books: AccountBooks,
        snapshot: AccountSnapshot,
        sheet: Capabilities,
        over: Container[ClientOrderId],
    ) -> Sequence[OrderReport]:
        """It did nothing."""
        if order.state in LIVE and order.request.client_id in over:
            return self._ended(order, 0, books, snapshot, Evidence.EXPIRED)
        return self._absent(order, snapshot, sheet)

    def _explain(
        self, orders: Sequence[Order], moved: int, books: AccountBooks, snapshot: AccountSnapshot
    ) -> Sequence[OrderReport]:
        """Which of the orders of one instrument did it."""
        chosen = explanation(orders, moved, books)
        if chosen:
            for order in chosen:
                self.forget(order.request.client_id)
            alone = len(chosen) == 1
            return [
                report for order in chosen for report in filled_by(order, moved if alone else None, books, snapshot)
            ]
        names = ", ".join(str(order.request.client_id) for order in orders)
        reason = f"the position moved by {moved:+d}, which no choice among {names} explains"
        return [
            report_on(order, snapshot, Evidence.CANDIDATES, reason=reason)
            for order in orders
            if order.state is OrderState.UNKNOWN
        ]

    def match_short(
        self,
        gone: Sequence[Order],
        unknown: Sequence[Order],
        books: AccountBooks,
        snapshot: AccountSnapshot,
        sheet: Capabilities,
        past: Set[ClientOrderId] = frozenset(),
        unseen: Set[ClientOrderId] = frozenset(),
    ) -> Sequence[OrderReport]:
        """Evidence where the list may be short: how orders ended that it shows no more, and of those of unknown outcome
        which were done. The position tells, in two readings that agree, if there is one way only.

        Where it fits no way at all, somebody else moved it as well: what is known to be over is ended with as much of
        it as can be its own, and the unknown is a person's case.

        Args:
            gone: orders that were seen to work, oldest first. unknown: those of unknown outcome, disputed ones too.
            past: of both, those of an earlier trading day that nothing but the holdings speaks of any more.
            unseen: those nobody can say of whether their withdrawal was asked for (``Readings.begin_life``).
        """
        reports: list[OrderReport] = []
        pool = [*gone, *unknown]
        rests = is_at_rest(books.changed_ns, snapshot, sheet)
        for instrument, moved in moves(pool, books, snapshot, sheet, books.moved_ns).items():
            mine = [order for order in pool if order.request.instrument == instrument]
            over = [order for order in gone if order.request.instrument == instrument]
            still = not moved and books.is_untouched(instrument, snapshot)
            ways = plans(over, mine[len(over) :], moved, still=still, withdrawn=past | unseen)
            if len(ways) > 1 or (not ways and len(over) < len(mine)):
                reports += [r for order in mine for r in self._unclear(order, moved, snapshot, sheet)]
                continue
            for number, (order, filled) in enumerate(zip(mine, ways[0] if ways else shared(over, moved), strict=True)):
                if not rests and order.request.side.sign > 0 and filled < open_of(order):
                    # What is frozen for it tells, and every order of the account moves that.
                    continue
                held = filled < open_of(order) and is_held_back(order, filled, (), snapshot, books)
                if order.request.client_id in past:
                    reports += self._of_before(order, filled, held, books, snapshot, sheet)
                elif held:
                    reports += self._still_held(order, snapshot) if number < len(over) else ()
                elif number < len(over):
                    reports += self._ended(order, filled, books, snapshot, Evidence.CANCELED)
                elif 0 < filled < open_of(order):
                    continue  # A part of a disputed order: whether the rest still stands is a person's case.
                elif filled:
                    reports += filled_by(order, None, books, snapshot)
                elif order.request.side.sign < 0 or snapshot.balances is not None:
                    reports += self._absent(order, snapshot, sheet)
        return reports

    def _of_before(
        self,
        order: Order,
        filled: int,
        held: bool,
        books: AccountBooks,
        snapshot: AccountSnapshot,
        sheet: Capabilities,
    ) -> Sequence[OrderReport]:
        """Its day is over, and what it filled is known; no list of that day is there to say whether it was placed.

        Shares and money may be held back until the venue has closed its books, over night: that is waited for.
        """
        if held:
            self.forget(order.request.client_id)
            return ()
        if order.state in LIVE or filled:
            return self._ended(order, filled, books, snapshot, Evidence.EXPIRED)
        return self._undone(order, snapshot, sheet, NO_LIST)

    def _unclear(
        self, order: Order, moved: int, snapshot: AccountSnapshot, sheet: Capabilities
    ) -> Sequence[OrderReport]:
        reason = f"the position moved by {moved:+d}, and it can not be told which of several orders did what"
        if order.state not in LIVE:
            return self._undone(order, snapshot, sheet, reason)
        return self._over(order, UNCLEAR, snapshot, Evidence.CANDIDATES, 0, reason)

    def _still_held(self, order: Order, snapshot: AccountSnapshot) -> Sequence[OrderReport]:
        """The list shows it no more, and still something is held back for it: a copy that failed, once or twice."""
        name = order.request.client_id
        self._absences.pop(name, None)
        seen = self._held[name] = self._held.get(name, 0) + 1
        if seen < HELD_READS:
            return ()
        reason = "the list shows it no more, but shares or money are held back as if it worked"
        return (report_on(order, snapshot, Evidence.CANDIDATES, reason=reason),)

    def _ended(
        self, order: Order, filled: int, books: AccountBooks, snapshot: AccountSnapshot, ending: Evidence
    ) -> Sequence[OrderReport]:
        kind = Evidence.WORKING if filled == open_of(order) else ending
        reason = "the list shows it no more; what it filled is read from the position"
        average = None
        if filled and order.price is None:
            # A limit stands for the price of what was not seen; a market order has none.
            price = books.price_of(order)
            if price is None:
                return ()
            average = (order.value + price * filled) / (order.cum + filled)
        return self._over(order, filled, snapshot, kind, order.cum + filled, reason, average)

    def _over(
        self,
        order: Order,
        seen: int,
        snapshot: AccountSnapshot,
        kind: Evidence,
        cum: int,
        reason: str,
        average: Decimal | None = None,
    ) -> Sequence[OrderReport]:
        """Two readings that agree on what was seen of it."""
        first = self._absences.get(order.request.client_id)
        if first is None or first.filled != seen:
            self._absences[order.request.client_id] = Absence(snapshot.as_of_ns, seen)
            return ()
        if snapshot.as_of_ns - first.as_of_ns < READS_APART_NS:
            return ()
        self.forget(order.request.client_id)
        return (report_on(order, snapshot, kind, cum=cum, price=average, reason=reason),)

    def _absent(self, order: Order, snapshot: AccountSnapshot, sheet: Capabilities) -> Sequence[OrderReport]:
        return self._undone(order, snapshot, sheet, "")

    def _undone(
        self, order: Order, snapshot: AccountSnapshot, sheet: Capabilities, doubt: str
    ) -> Sequence[OrderReport]:
        """Two readings without a trace prove absence; where there is a doubt, they make it a person's case."""
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
        if doubt:
            return (report_on(order, snapshot, Evidence.CANDIDATES, reason=doubt),)
        reason = "two readings after the longest lag show no trace of it"
        return (report_on(order, snapshot, Evidence.ABSENT, reason=reason),)


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
    may be in a reading that began after them. Where a venue lists no orders at all, one that was accepted and not heard
    of again is known by the position alone: a crash between the two left it so (RELIABILITY 3.3, C7 and C8).
    """
    state = order.state
    if state in (OrderState.WORKING, OrderState.PARTIAL):
        return not sheet.lists_orders
    if state is OrderState.PENDING_NEW:
        return sheet.lists_orders and not sheet.echoes_client_id
    return state is OrderState.UNKNOWN or (state is OrderState.NOT_PLACED and order.proof is Proof.INFERRED)


def _new_rows(
    order: Order,
    baseline: Baseline | None,
    rows: Sequence[OrderRow],
    sheet: Capabilities,
    owned: Mapping[VenueOrderId, ClientOrderId],
) -> tuple[list[OrderRow], list[OrderRow]]:
    """Rows of its instrument and side that may be its: nobody else's, and not there before it; and those whose time
    says that they are older, though the baseline did not show them: a clock is wrong, or they are a person's."""
    if sheet.echoes_client_id:
        return [row for row in rows if row.client_tag == order.request.client_id], []
    before = set(baseline.order_ids) if baseline is not None else set()
    strange = [
        row
        for row in rows
        if not any(name and (name in before or name in owned) for name in (row.venue_id, row.other_id))
        and row.instrument == order.request.instrument
        and (row.side is None or row.side.sign == order.request.side.sign)
    ]
    early = [row for row in strange if not not_before(row, order)] if baseline is not None else []
    return [row for row in strange if not_before(row, order)], early


def _fits(row: OrderRow, order: Order, sheet: Capabilities) -> bool:
    if sheet.echoes_client_id:
        return True
    request = order.request
    priced = request.price is not None and row.price is not None
    last_ns = order.sent_ns + max(sheet.max_lag_ns, sheet.late_max_ns)
    return row.quantity == request.quantity and row.ts_ns <= last_ns and not (priced and row.price != request.price)


def _listing(rows: Sequence[OrderRow], why: str) -> str:
    return f"rows {', '.join(str(row.venue_id) for row in rows)} {why}" if rows else ""
