"""Which order do these traces belong to? The core's one matcher, for venues that give no id back (RELIABILITY 3.5).

Pure: an account's reading and what we know go in, evidence comes out. Absence is proven, never read once.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from engine.domain.account import AccountSnapshot, Baseline, Capabilities, OrderRow
from engine.domain.commands import SIZED_BY_VENUE
from engine.domain.ids import ClientOrderId, VenueOrderId
from engine.domain.money import ZERO
from engine.domain.order import Evidence, Order, OrderReport, OrderState, Proof

READS_APART_NS = 5_000_000_000
"""Two readings that agree prove absence only if they are this far apart (3.5 b)."""

ROW_EARLY_NS = 2_000_000_000
"""A venue's clock may place our row this much before our intent (3.5)."""


class Absence(Struct):
    """First reading after the lag that showed no trace of an order; the second one proves it."""

    as_of_ns: int


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
        """Evidence about one UNKNOWN order, or one only inferred to be absent; empty if the reading proves nothing.

        Args:
            owned: venue ids that are another order's already.
        """
        if not needs_evidence(order) or snapshot.as_of_ns <= order.sent_ns:
            return ()
        if snapshot.orders is not None:
            found = self._by_rows(order, baseline, snapshot, sheet, owned)
        elif snapshot.positions is not None and baseline is not None:
            found = self._by_position(order, baseline, snapshot)
        else:
            return ()
        if found is not None:
            self.forget(order.request.client_id)
            return found
        return self._absent(order, snapshot, sheet)

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

    def _by_position(self, order: Order, baseline: Baseline, snapshot: AccountSnapshot) -> Sequence[OrderReport] | None:
        request = order.request
        held = next((p.quantity for p in snapshot.positions or () if p.instrument == request.instrument), 0)
        moved = (held - baseline.position) * request.side.sign
        if moved == 0:
            return None
        sized_by_venue = request.type in SIZED_BY_VENUE
        if moved < 0 or moved > request.quantity or (moved < request.quantity and not sized_by_venue):
            reason = f"the position moved by {held - baseline.position}, the order is {request.side} {request.quantity}"
            return (_report(order, snapshot, Evidence.CANDIDATES, reason=reason),)
        fill = _report(
            order,
            snapshot,
            Evidence.FILL,
            quantity=moved,
            price=_price_from_cash(order, baseline, snapshot, moved),
            fill_id=request.client_id,
            reason="read from the change of the position",
        )
        if moved == request.quantity:
            return (fill,)
        return (fill, _report(order, snapshot, Evidence.CANCELED, reason="the venue sized it"))

    def _absent(self, order: Order, snapshot: AccountSnapshot, sheet: Capabilities) -> Sequence[OrderReport]:
        if order.state is not OrderState.UNKNOWN or snapshot.as_of_ns <= order.sent_ns + sheet.max_lag_ns:
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


def _price_from_cash(order: Order, baseline: Baseline, snapshot: AccountSnapshot, quantity: int) -> Decimal:
    """The price the cash speaks of; of a venue that keeps whole coins it is right to one coin in all."""
    if baseline.cash is None or snapshot.balances is None:
        return order.price or ZERO
    cash = sum((balance.total for balance in snapshot.balances), ZERO)
    return abs(baseline.cash - cash) / quantity


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
