"""An account's reading as evidence: which of its rows, fills and positions speak of which order of ours.

Judges nothing: what it finds is reported, and ``judge.py`` joins it. Rows of known orders come first, so that what is
left over is measured against books that know them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from engine.clock import Clock
from engine.correlation import Matcher, needs_evidence, row_evidence
from engine.domain.account import AccountSnapshot, Baseline, Capabilities
from engine.domain.commands import TimeInForce
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, VenueOrderId
from engine.domain.money import ZERO
from engine.domain.order import LIVE, Evidence, Order, OrderReport, OrderState
from engine.holdings import AccountBooks
from engine.portfolio import Portfolio

ENDS_WITH_DAY = frozenset({TimeInForce.DAY, TimeInForce.IOC, TimeInForce.FOK})
_SOUGHT = LIVE | {OrderState.PENDING_NEW, OrderState.UNKNOWN}


class Orders(Protocol):
    """As ``Judge``: the orders, and when each account last changed by our doing."""

    orders: dict[ClientOrderId, Order]
    working: dict[ClientOrderId, Order]
    last_change_ns: dict[AccountId, int]
    last_moves_ns: dict[tuple[AccountId, InstrumentId], int]

    def undecided(self, account: AccountId) -> Sequence[Order]: ...


class Readings:
    """Reads accounts for one judge."""

    def __init__(
        self,
        judge: Orders,
        venue_ids: Mapping[tuple[AccountId, VenueOrderId], ClientOrderId],
        baselines: Mapping[ClientOrderId, Baseline],
        clock: Clock,
        portfolio: Portfolio,
        mark: Callable[[InstrumentId], Decimal | None],
        charged: Callable[[InstrumentId], bool],
        day_of: Callable[[InstrumentId, int], int | None],
    ) -> None:
        """``venue_ids``, ``baselines``: the judge's own, as they are at any time. ``day_of``: the trading day of an
        instrument at an instant."""
        self._judge = judge
        self._venue_ids = venue_ids
        self._baselines = baselines
        self._clock = clock
        self._portfolio = portfolio
        self._mark = mark
        self._charged = charged
        self._day_of = day_of
        self._matcher = Matcher()
        self._listed: dict[AccountId, tuple[str, ...]] = {}
        self._unseen: set[ClientOrderId] = set()
        """Orders of a life before that no reading of this one has shown yet."""

    def listed(self, account: AccountId) -> tuple[str, ...]:
        """Every order's number in the last reading, whoever's it is."""
        return self._listed.get(account, ())

    def begin_life(self, left_open: Iterable[ClientOrderId]) -> None:
        """A life before may have asked for withdrawals that its journal, failed, has not: of what it left open nobody
        can say that it was to stay, until it is seen working."""
        self._unseen = set(left_open)

    def forget(self, client_id: ClientOrderId) -> None:
        self._matcher.forget(client_id)
        self._unseen.discard(client_id)

    def evidence_in(self, snapshot: AccountSnapshot, sheet: Capabilities) -> Iterable[OrderReport]:
        """Evidence in one reading; each piece must be taken in before the next is asked for."""
        account = snapshot.account
        for row in snapshot.orders or ():
            owner = self._owner(account, row.venue_id) or self._owner(account, row.other_id)
            if owner is not None:
                self._unseen.discard(owner.request.client_id)
                yield from self._executions(owner, (row.venue_id, row.other_id), snapshot, sheet)
                yield from row_evidence(owner, row, snapshot)
        owned = {venue: client for (holder, venue), client in self._venue_ids.items() if holder == account}
        orders = [o for o in self._judge.orders.values() if o.request.account == account and needs_evidence(o, sheet)]
        if orders and snapshot.orders is None:
            over = {o.request.client_id for o in orders if o.request.tif in ENDS_WITH_DAY and self._turned(o, snapshot)}
            yield from self._matcher.match_positions(orders, self._books_of(account), snapshot, sheet, over)
        elif orders:
            yield from self._by_rows(orders, owned, snapshot, sheet)
        if snapshot.orders is not None:
            yield from self._by_holdings(orders, snapshot, sheet)
        if snapshot.orders is not None:
            self._listed[account] = tuple(
                name for row in snapshot.orders for name in (row.venue_id, row.other_id) if name
            )

    def of_before(self, orders: Iterable[Order], now_ns: int) -> list[Order]:
        """Those sent on an earlier trading day that are not over, and no person's case."""
        return [o for o in orders if o.state in _SOUGHT and self._is_of_before(o, now_ns)]

    def _turned(self, order: Order, snapshot: AccountSnapshot) -> bool:
        return self._is_of_before(order, snapshot.as_of_ns)

    def _is_of_before(self, order: Order, now_ns: int) -> bool:
        """Whether its trading day is over: the venue's list of today need not show it (RELIABILITY 3.3, C26)."""
        instrument = order.request.instrument
        day, today = self._day_of(instrument, order.sent_ns), self._day_of(instrument, now_ns)
        return bool(order.sent_ns) and day is not None and today is not None and day < today

    def _owner(self, account: AccountId, venue_id: VenueOrderId) -> Order | None:
        client_id = self._venue_ids.get((account, venue_id)) if venue_id else None
        return self._judge.orders.get(client_id) if client_id is not None else None

    def _executions(
        self, order: Order, numbers: Sequence[VenueOrderId], snapshot: AccountSnapshot, sheet: Capabilities
    ) -> Iterable[OrderReport]:
        """Executions that bear a number of this order; those without are known by their orders' totals alone."""
        if not sheet.lists_fills or sheet.echoes_client_id:
            return
        for row in snapshot.fills or ():
            if not row.venue_id or row.venue_id not in numbers or order.has_fill(row.fill_id):
                continue
            yield OrderReport(
                account=snapshot.account,
                client_id=order.request.client_id,
                kind=Evidence.FILL,
                ts_ns=snapshot.ts_ns,
                as_of_ns=row.ts_ns or snapshot.as_of_ns,
                quantity=row.quantity,
                price=row.price,
                fee=row.fee,
                fill_id=row.fill_id,
            )

    def _by_rows(
        self,
        orders: Sequence[Order],
        owned: dict[VenueOrderId, ClientOrderId],
        snapshot: AccountSnapshot,
        sheet: Capabilities,
    ) -> Iterable[OrderReport]:
        """One after another: a row that was found to be one order's is no candidate for the next."""
        for order in orders:
            client_id = order.request.client_id
            books = self._books_of(snapshot.account)
            before, turned = self._baselines.get(client_id), self._turned(order, snapshot)
            for report in self._matcher.match(order, before, snapshot, sheet, owned, books, turned=turned):
                if report.venue_id:
                    owned[report.venue_id] = client_id
                    yield from self._executions(order, (report.venue_id,), snapshot, sheet)
                yield report

    def _by_holdings(
        self, orders: Sequence[Order], snapshot: AccountSnapshot, sheet: Capabilities
    ) -> Iterable[OrderReport]:
        """What the list of a venue may not show: orders that are over, those of unknown outcome, those of before."""
        short = not snapshot.shows_all and not sheet.echoes_client_id
        asked = snapshot.past is not None or not sheet.lists_past
        listed = {name for row in snapshot.orders or () for name in (row.venue_id, row.other_id) if name}
        mine = [order for order in self._judge.working.values() if order.request.account == snapshot.account]
        old = {order.request.client_id for order in mine if self._turned(order, snapshot)}
        gone, unknown, past = list[Order](), list[Order](), set[ClientOrderId]()
        for order in mine:
            client_id, turned = order.request.client_id, order.request.client_id in old
            if order.state in LIVE and order.venue_id not in listed:
                if turned and order.request.tif in ENDS_WITH_DAY and asked:
                    gone.append(order)
                    past.add(client_id)
                elif not turned and short and snapshot.live_only and order.venue_id:
                    gone.append(order)
            elif order.state is OrderState.UNKNOWN:
                if turned and not snapshot.past and asked:
                    unknown.append(order)
                    past.add(client_id)
                elif short and (not turned or snapshot.past):
                    unknown.append(order)
        if not gone and not unknown:
            return
        # What a disputed one may have done is unknown as well, and must not be taken for another's doing.
        unknown += [order for order in mine if order.state is OrderState.DISPUTED]
        gone.sort(key=_sent)
        yield from self._matcher.match_short(
            gone, unknown, self._books_of(snapshot.account), snapshot, sheet, past, self._unseen
        )

    def _books_of(self, account: AccountId) -> AccountBooks:
        portfolio, now_ns = self._portfolio, self._clock.now_ns
        book = portfolio.accounts[account]
        return AccountBooks(
            changed_ns=self._judge.last_change_ns.get(account, 0),
            moved_ns=lambda instrument: self._judge.last_moves_ns.get((account, instrument), 0),
            answering=frozenset(
                order.request.instrument
                for order in self._judge.undecided(account)
                if order.state is OrderState.PENDING_NEW
            ),
            held=lambda instrument: portfolio.account_quantity(account, instrument),
            cash=sum(book.cash.values(), ZERO),
            mark=self._mark,
            sellable=lambda instrument: portfolio.sellable(account, instrument, now_ns),
            # What is held back for instructions no venue has frozen.
            reserved=sum(book.reserved.values(), ZERO) - sum(book.promised.values(), ZERO),
            live={
                order.venue_id: order.sent_ns
                for order in self._judge.working.values()
                if order.request.account == account and order.state in LIVE and order.venue_id
            },
            decided=self._decided,
            charged=self._charged,
        )

    def _decided(self, client_id: ClientOrderId) -> Decimal | None:
        baseline = self._baselines.get(client_id)
        return None if baseline is None else baseline.price


def _sent(order: Order) -> int:
    return order.sent_ns
