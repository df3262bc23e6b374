"""Holding the engine's beliefs against what really happened: while it flies, and when it has landed.

The simulator's ledger is the oracle. A booked trade without a fill is lost; a fill without a booked trade is a ghost;
two requests of one order that were booked are a duplicate.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.clock import ReplayClock
from engine.domain.commands import SIZED_BY_VENUE, Side, SubmitOrder
from engine.domain.events import (
    Alert,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderDisputed,
    OrderNotPlaced,
    OrderRejected,
    OrderSubmitted,
    OrderUnknown,
    PositionAdjusted,
    StrategyStopped,
)
from engine.domain.ids import ClientOrderId, StrategyId
from engine.domain.order import TERMINAL, Order, OrderState
from engine.domain.timestamps import SECOND_NS
from engine.journal.memory import MemoryJournal
from engine.journal.sqlite import SqliteJournal
from engine.runtime.live import LiveRun
from engine.runtime.wiring import Core

Accuse = Callable[[str], None]

PRICE_AGE_NS = 80_000_000_000
"""Two polls of the scenario's feed: older prices must deny (RELIABILITY 4.1, row 13)."""
WAIT_NS = 240 * SECOND_NS
"""How long an order may be undecided where nothing goes wrong: twice what a person is told of (RELIABILITY 3.5)."""


class Watcher:
    """Hears every outcome of every life, and looks at the orders each time."""

    def __init__(
        self,
        accuse: Accuse,
        checked: Counter[str],
        trace: Callable[[str], None],
        booked: Callable[[ClientOrderId], bool],
        price_age_ns: int | Callable[[SubmitOrder], int] = PRICE_AGE_NS,
        *,
        ill: Callable[[StrategyId], bool] = lambda _name: False,
        sane: Callable[[SubmitOrder, float], bool] = lambda _order, _price: True,
        shut: Callable[[SubmitOrder], bool] = lambda _order: False,
    ) -> None:
        """
        Args:
            booked: whether the venue has booked an order by now.
            price_age_ns: how old a price an order may be decided on.
            ill: whether a strategy was brought in to fail.
            sane: whether a price could be one of an order's market.
            shut: whether the venue, and not our rule book, has its market closed now.
        """
        self._ill = ill
        self._sane = sane
        self._shut = shut
        self._price_age_ns = price_age_ns
        self._accuse = accuse
        self._booked = booked
        self._trace = trace
        self._checked = checked
        self._run: LiveRun | None = None
        self._cums: dict[ClientOrderId, int] = {}
        self.heard: Counter[str] = Counter()
        self.alerts: list[Alert] = []

    def ears(self) -> Sequence[tuple[type, Callable[[Any], None]]]:
        """For ``LiveRun(watchers=...)``."""
        kinds = (
            Fill, OrderAccepted, OrderRejected, OrderUnknown, OrderNotPlaced, OrderCanceled, OrderDisputed,
            PositionAdjusted, OrderDenied, StrategyStopped, Alert,
        )  # fmt: skip
        return (*((kind, self.on_event) for kind in kinds), (OrderSubmitted, self.on_submitted))

    def look_at(self, run: LiveRun) -> None:
        """A new life began; what it recovers from the journal is checked as it goes."""
        self._run = run
        self._cums.clear()

    def on_submitted(self, event: OrderSubmitted) -> None:
        """I16: no decision on a price that is old, or on none."""
        assert self._run is not None
        age_ns = event.ts_ns - (self._run.core.portfolio.marks_ns.get(event.order.instrument) or 0)
        allowed_ns = self._price_age_ns if isinstance(self._price_age_ns, int) else self._price_age_ns(event.order)
        if age_ns > allowed_ns:
            self._accuse(f"I16: {event.client_id} was let through on a price {age_ns / 1e9:g} s old")
        price = event.order.price
        if price is not None and not self._sane(event.order, float(price)) and self._knew_better(event.order):
            self._accuse(f"I16: {event.client_id} was let through at {price}, which is no price")
        self._checked["prices"] += 1

    def _knew_better(self, order: SubmitOrder) -> bool:
        """Whether half of what it heard of the last minute was true: an engine told mostly lies is excused."""
        assert self._run is not None
        prices = self._run.core.view.prices
        minute = None if prices is None else prices.minutes.get(order.instrument)
        if minute is None:
            return True
        true = sum(self._sane(order, price) for _, price in minute.samples)
        return not minute.samples or 2 * true >= len(minute.samples)

    def on_event(self, event: Any) -> None:
        """After everybody else heard it."""
        run = self._run
        assert run is not None
        self.heard[type(event).__name__] += 1
        self._trace(f"{event}")
        match event:
            case Alert():
                self.alerts.append(event)
            case StrategyStopped():
                if event.reason != run.stop_reason and not self._ill(event.strategy):
                    self._accuse(f"I13: strategy {event.strategy} was stopped: {event.reason}")
            case PositionAdjusted():
                if event.quantity and not event.reason.startswith("opening"):
                    self._accuse(f"lost: {event.quantity:+d} {event.instrument} had to be booked: {event.reason}")
            case OrderDenied():
                self._checked[self._denied(event)] += 1
            case _:
                if isinstance(event, OrderNotPlaced | OrderRejected) and self._booked(event.client_id):
                    self._accuse(f"I7: {event.client_id} was called {event.state} though the venue had booked it")
                order = run.core.manager.orders.get(event.client_id)
                if order is not None:
                    self._check(order)

    def _denied(self, event: OrderDenied) -> str:
        """What a denial is counted as: some kinds of them explain a flight without orders."""
        if event.code == "MAX_QTY":
            # Strategies of flights order far too much now and then, for this.
            return "denied as planned"
        if self._shut(event.order) or event.code == "SESSION":
            return "denied while closed"
        return "denied while latched" if event.code == "KILLED" else "denied"

    def _check(self, order: Order) -> None:
        """I1, I2, and of I3 what needs no venue to be known."""
        self._checked["orders looked at"] += 1
        name = order.request.client_id
        if order.state in TERMINAL:
            if order.leaves:
                self._accuse(f"I1: {name} is {order.state} and still open for {order.leaves}")
        elif order.cum + order.leaves != order.quantity and order.state is not OrderState.DISPUTED:
            self._accuse(f"I1: {name} is {order.state} with {order.cum} + {order.leaves} of {order.quantity}")
        # Whoever else trades the account, no venue fills more than was asked for, where it was asked for so many:
        # something was counted twice.
        asked = max(order.quantity, order.request.quantity)
        if order.cum > asked and order.request.type not in SIZED_BY_VENUE:
            self._accuse(f"I3 duplicated: {name} is {order.state} with {order.cum} filled of {asked}")
        before = self._cums.get(name, 0)
        if order.cum < before:
            self._accuse(f"I2: {name} fell from {before} filled to {order.cum}")
        self._cums[name] = order.cum

    def on_calm(self, run: LiveRun, now_ns: int, calm_ns: int) -> None:
        """I7 and I6 after the calm: nothing has waited for minutes in it, nothing is reserved for what is over."""
        room: Counter[tuple[str, str, Side]] = Counter()
        for order in run.core.manager.working.values():
            request = order.request
            side = Side.BUY if request.side.sign > 0 else Side.SELL
            room[request.account, request.instrument, side] += order.exposure
            age_ns = min(now_ns - max(request.ts_ns, order.sent_ns), calm_ns)
            # A limit order may be held by the engine itself until its price comes.
            waits = order.state is OrderState.QUEUED and request.price is None
            if age_ns > WAIT_NS and (waits or order.state in (OrderState.PENDING_NEW, OrderState.UNKNOWN)):
                self._accuse(f"I7 hung: {request.client_id} is {order.state} for {age_ns / 1e9:g} s of calm")
        if run.core.view.locks or not run.ready.is_set():
            return
        for account in run.spec.accounts:
            for name in run.spec.instruments:
                for side in (Side.BUY, Side.SELL):
                    held, due = run.core.view.working(account.id, name, side), room[account.id, name, side]
                    if held != due:
                        self._accuse(f"I6: {held} {name} are reserved to {side}, {due} are open")

    def replay(self, run: LiveRun, path: Path) -> None:
        """I10: the file's chain holds, its digest is the memory's, and replaying it gives the same books."""
        journal = SqliteJournal(path, inline=True)
        try:
            records = [record for _, record in journal.records()]
            if journal.digest() != run.journal.digest():
                self._accuse("I10: the file's digest is not the one in memory")
        finally:
            journal.close()
        self._checked["records replayed"] += len(records)
        self._trace(f"journal {len(records)} {run.journal.digest()}")
        twin = _twin(run)
        twin.manager.recover(records, twin.relive)
        for name, ours, theirs in (
            ("positions", _positions(run.core), _positions(twin)),
            ("cash", _cash(run.core), _cash(twin)),
            ("orders", _orders(run.core), _orders(twin)),
            # A life that was stopped before it was ready never seated its strategies.
            ("counts", _counts(run) if run.ready.is_set() else twin.manager.orders_made, twin.manager.orders_made),
            ("latches", dict(run.core.view.latches), dict(twin.view.latches)),
        ):
            if ours != theirs:
                self._accuse(f"I10: replay gives other {name}: {_difference(ours, theirs)}")


def compare(hangar: Any, run: LiveRun) -> None:
    """At the end of a flight over the virtual market: every order decided, every trade booked once, our books its."""
    ledger, user, witness = hangar.venue.ledger, hangar.user.login, hangar.witness
    accuse, checked = hangar.accuse, hangar.flight.checked
    orders, book = hangar.orders(run), run.core.portfolio.accounts[hangar.account_name]
    for order in orders.values():
        checked["orders"] += 1
        if order.state not in TERMINAL and order.state is not OrderState.DISPUTED:
            accuse(f"I7: {order.request.client_id} is still {order.state} at the end")
        if order.state is OrderState.DISPUTED:
            checked["disputed"] += 1
    booked: defaultdict[ClientOrderId, Counter[tuple[str, str]]] = defaultdict(Counter)
    requests: defaultdict[ClientOrderId, set[int]] = defaultdict(set)
    trades = ledger.trades(user)
    held: Counter[str] = Counter()
    for trade in trades:
        checked["trades"] += 1
        name = f"{trade.code}.VSM"
        owners = [o for o in witness.owners.get(trade.request, ()) if o.instrument == name]
        if not owners:
            accuse(f"lost: {trade.side} {trade.quantity} {name} of request {trade.request} belongs to no order")
            continue
        client_id = owners[0].client_id
        booked[client_id][name, trade.side.value] += trade.quantity
        requests[client_id].add(trade.request)
        held[name] += trade.side.sign * trade.quantity
        cap = hangar.cap_of(owners[0])
        if trade.quantity > hangar.max_order:
            accuse(f"I6 breach: {trade.quantity} {trade.code} in one trade (cap {hangar.max_order})")
        if trade.side.sign > 0 and held[name] > cap:
            accuse(f"I6 breach: {held[name]} {trade.code} held at the venue (cap {cap})")
    for client_id, numbers in requests.items():
        if len(numbers) > 1:
            accuse(f"I5 duplicated: {client_id} was booked by requests {sorted(numbers)}")
    for client_id in sorted({*booked, *orders}):
        known = orders.get(client_id)
        theirs = sum(booked[client_id].values()) if client_id in booked else 0
        ours = known.cum if known is not None else 0
        if ours < theirs and not (known is not None and known.state is OrderState.DISPUTED):
            accuse(f"lost: {client_id} {known and known.state}: {theirs} were booked at the venue, {ours} by us")
        elif ours > theirs:
            accuse(f"I3 duplicated: {client_id} {known and known.state}: {ours} booked by us, {theirs} at the venue")
    positions = {i: p.quantity for i, p in book.positions.items() if p.quantity}
    holdings = {f"{code}.VSM": n for code, n in ledger.holdings(user).items() if n}
    if positions != holdings:
        accuse(f"I3: we hold {positions}, the venue says {holdings}")
    cash = book.cash[book.currency]
    if cash != ledger.coins(user):
        accuse(f"I3: our cash is {cash}, the venue's {ledger.coins(user)}")


def _twin(run: LiveRun) -> Core:
    """A core like the run's, knowing nothing yet, which nobody listens to."""
    spec = run.spec
    twin = Core(
        clock=ReplayClock(run.clock.now_ns),
        journal=MemoryJournal(),
        instruments=spec.instruments,
        books=spec.books,
        limits=spec.limits,
        sheets=dict(run.core.view.capabilities),
        outside=lambda _strategy, _number, _request: None,
        note=lambda _text, _fields: None,
    )
    for account in spec.accounts:
        twin.portfolio.open_account(account.id, account.currency, Decimal(0))
    return twin


def _positions(core: Core) -> dict[str, int]:
    return {
        f"{name}/{instrument}": position.quantity
        for name, book in core.portfolio.accounts.items()
        for instrument, position in book.positions.items()
        if position.quantity
    } | {f"{s}:{i}": p.quantity for (s, i), p in core.portfolio.strategy_positions.items() if p.quantity}


def _cash(core: Core) -> dict[str, Any]:
    return {name: dict(book.cash) for name, book in core.portfolio.accounts.items()}


def _orders(core: Core) -> dict[str, Any]:
    return {name: (o.state.value, o.cum, o.value, o.fee) for name, o in core.manager.orders.items()}


def _counts(run: LiveRun) -> dict[str, int]:
    made = {name: seat.context.orders_made for name, seat in run.core.runner.seats.items()}
    return {name: count for name, count in made.items() if count}


def _difference(ours: Any, theirs: Any) -> str:
    names = sorted({*ours, *theirs})
    parts = [f"{n}: {ours.get(n)} in memory, {theirs.get(n)} replayed" for n in names if ours.get(n) != theirs.get(n)]
    return "; ".join(parts[:5])
