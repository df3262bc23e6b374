"""Every subscription of the engine, on one screen, in reading order (DESIGN, decision 17)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from engine import traps
from engine.algos.held_limit import HeldLimits
from engine.bus import Bus
from engine.clock import Clock
from engine.domain.account import AccountSnapshot, Capabilities
from engine.domain.algos import AlgoChanged, AlgoEnded, AlgoNoted, AlgoStarted, SubmitAlgo
from engine.domain.commands import CancelOrder, ReplaceOrder, SubmitOrder
from engine.domain.events import (
    ORDER_EVENTS,
    AccountLink,
    AccountObserved,
    Alert,
    CallAnswered,
    DayPriced,
    EquitySampled,
    Fill,
    InstructionChanged,
    InstructionDenied,
    InstructionSent,
    InstructionSettled,
    InstructionSubmitted,
    JournalRecord,
    LatchCleared,
    LatchSet,
    OrderCanceled,
    OrderDenied,
    OrderSubmitted,
    PositionAdjusted,
    PressNoted,
    StrategyStopped,
    SubscriptionRequested,
)
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.instructions import InstructionReport, SubmitInstruction
from engine.domain.instrument import Instrument
from engine.domain.jobs import KEPT
from engine.domain.market import Bar, FeedStatus, OrderBook, Quote, Trade
from engine.domain.order import OrderReport
from engine.domain.reconciled import ReconcileEnded, ReconcileRow, ReconcileStarted
from engine.execution import KEEP_ENDED_NS, CancelWanted, OrderManager, ReplaceWanted
from engine.explanations import Surroundings
from engine.history import History
from engine.instructions import InstructionDesk
from engine.markets.rulebook import RuleBook, SellsSameDay, TradesFutures
from engine.portfolio import Portfolio
from engine.ports import Journal
from engine.reconciliation import OPENING, Reconciler
from engine.risk.checker import RiskChecker
from engine.risk.limit import Limit
from engine.risk.view import RiskView
from engine.risk.watch import RiskWatch
from engine.runner import Outside, StrategyRunner
from engine.runtime.kept import Kept
from engine.runtime.playing import algo_desk
from engine.strangers import Strangers

INSTRUCTION_RECORDS: tuple[type, ...] = (
    InstructionDenied, InstructionSubmitted, InstructionSent, InstructionReport, InstructionSettled,
)  # fmt: skip
PARENTS_HEAR: tuple[type, ...] = (
    AlgoStarted, AlgoNoted, AlgoEnded, OrderSubmitted, OrderDenied, Fill, *ORDER_EVENTS,
)  # fmt: skip
"""What parents are put together from again."""
RECONCILE_RECORDS: tuple[type, ...] = (ReconcileStarted, ReconcileRow, ReconcileEnded)


class Venue(Protocol):
    """Where orders leave the core: a queue to a gateway in live, the simulated venue in replay."""

    def on_submitted(self, event: OrderSubmitted) -> None: ...

    def on_cancel_wanted(self, event: CancelWanted) -> None: ...

    def on_replace_wanted(self, event: ReplaceWanted) -> None: ...


class Reconciles(Protocol):
    """Who compares accounts with our book (live)."""

    def on_account(self, event: AccountObserved) -> None: ...

    def on_link(self, event: AccountLink) -> None: ...


class Core:
    """The objects of one run, made and joined; the mode's loop drives them."""

    runner_class = StrategyRunner

    def __init__(
        self,
        *,
        clock: Clock,
        journal: Journal,
        instruments: Mapping[InstrumentId, Instrument],
        books: Mapping[str, RuleBook],
        limits: Sequence[Limit],
        sheets: Mapping[AccountId, Capabilities],
        outside: Outside,
        note: Callable[[str, Mapping[str, Any]], None],
        record: Callable[[JournalRecord], int | None] | None = None,
        keep_ended_ns: int = KEEP_ENDED_NS,
        bus: Bus | None = None,
    ) -> None:
        """``record``: a quicker way into the journal for the order gate, which then gets no numbers back (replay).

        ``bus``: the live one, which knows where a turn begins (``turns.py``)."""
        self.bus = bus or Bus()
        self.clock, self.journal, self.record = clock, journal, record or journal.append
        self.instruments, self.books = instruments, books
        # Asking a class whether it keeps a protocol costs more than all the rest of a fill.
        self._same_day = {name: book for name, book in books.items() if isinstance(book, SellsSameDay)}
        self.portfolio = self._portfolio()
        self.view = RiskView(self.portfolio, instruments, books)
        self.view.capabilities.update(sheets)
        self.checker = RiskChecker(limits, self.view)
        self.history = History(lambda: clock.now_ns)
        self.manager = OrderManager(
            clock=clock,
            publish=self.bus.publish,
            record=self.record,
            portfolio=self.portfolio,
            checker=self.checker,
            view=self.view,
            instruments=instruments,
            books=books,
            sheets=sheets,
            keep_ended_ns=keep_ended_ns,
        )
        self.watch = self._watch(limits, self.record)
        self.instructions = InstructionDesk(
            clock=clock,
            publish=self.bus.publish,
            record=self.record,
            portfolio=self.portfolio,
            checker=self.checker,
            view=self.view,
            orders=self.manager.working.values,
        )
        self.reconciler = Reconciler(self._surroundings(sheets))
        self.runner = self.runner_class(
            clock=clock,
            publish=self.bus.publish,
            working=lambda strategy: [*self.manager.working_of(strategy), *self.algos.waiting_of(strategy)],
            outside=outside,
            note=note,
        )
        self.algos = algo_desk(self, self.record)
        self.kept = Kept(self.runner, journal.append, clock)

    def _portfolio(self) -> Portfolio:
        portfolio = Portfolio(self.instruments, self._sellable_from)
        for market in dict.fromkeys(spec.market for spec in self.instruments.values()):
            if isinstance(book := self.books.get(market), TradesFutures):
                portfolio.futures[market] = book
        return portfolio

    def _surroundings(self, sheets: Mapping[AccountId, Capabilities]) -> Surroundings:
        return Surroundings(
            portfolio=self.portfolio,
            instruments=self.instruments,
            sheets=sheets,
            strangers=Strangers(self.manager.is_ours, self.manager.is_like_ours),
            quiet_since_ns=self._quiet_since_ns,
            disputed=self.manager.disputed,
            instructions=self.instructions.unbooked,
        )

    def _watch(self, limits: Sequence[Limit], record: Callable[[JournalRecord], int | None]) -> RiskWatch:
        return RiskWatch(
            limits,
            self.view,
            now_ns=lambda: self.clock.now_ns,
            latch=self.manager.latch,
            record=record,
            publish=self.bus.publish,
        )

    def _sellable_from(self, instrument: InstrumentId, bought_ns: int) -> int:
        spec = self.instruments[instrument]
        book = self.books[spec.market]
        same_day = self._same_day.get(spec.market)
        at_once = same_day is not None and same_day.sells_same_day(spec)
        return bought_ns if at_once else book.sellable_from_ns(bought_ns)

    def _quiet_since_ns(self, account: AccountId) -> int | None:
        return None if self.manager.undecided(account) else self.manager.last_change_ns.get(account, 0)

    def book(self, adjustment: PositionAdjusted) -> None:
        """Journal and book a difference found at the venue; a person is told, but of fees and rounding."""
        self.journal.append(adjustment)
        traps.passed("C14")
        self.bus.publish(adjustment)
        small = abs(adjustment.cash) <= self.reconciler.explanations.settings.cash_tolerance
        if not adjustment.reason.startswith(OPENING) and (adjustment.quantity or not small):
            about = f"account:{adjustment.account}"
            self.bus.publish(Alert(ts_ns=adjustment.ts_ns, about=about, text=adjustment.reason))

    def reconciled(self, row: ReconcileStarted | ReconcileRow | ReconcileEnded) -> None:
        """A step of a reconciliation, into the journal and into what the reconciler knows."""
        self.journal.append(row)
        self.reconciler.on_record(row)

    def settles(self, snapshot: AccountSnapshot) -> bool:
        """Whether our book equals this reading; then it has what instructions did that were over before."""
        agrees = self.reconciler.agrees(snapshot)
        if agrees:
            self.instructions.settle(snapshot)
        return agrees

    def relive(self, event: Any) -> None:
        """What the journal's events change besides the orders themselves: the books and the counters."""
        handlers: dict[type, tuple[Callable[[Any], None], ...]] = {
            OrderSubmitted: (self.portfolio.on_submitted, self.view.on_submitted),
            OrderDenied: (self.view.on_denied,),
            Fill: (self.portfolio.on_relived, self.view.on_fill, self.reconciler.explanations.on_fill),
            PositionAdjusted: (self.portfolio.on_adjusted, self.view.on_adjusted, self.reconciler.on_adjusted),
            EquitySampled: (self.view.on_equity,),
            DayPriced: (self.view.on_priced,),
            PressNoted: (self.view.on_press,),
            LatchSet: (self.view.on_latch,),
            LatchCleared: (self.view.on_unlatch,),
            **dict.fromkeys(INSTRUCTION_RECORDS, (self.instructions.relive,)),
            **dict.fromkeys(RECONCILE_RECORDS, (self.reconciler.on_record,)),
            **dict.fromkeys(KEPT, (self.kept.on_record,)),
        }
        for handler in handlers.get(type(event), ()):
            handler(event)
        if isinstance(event, PARENTS_HEAR):
            self.algos.relive(event)


def join(
    core: Core,
    venue: Venue,
    *,
    keep_history: bool,
    subscriptions: Callable[[Any], None],
    held: HeldLimits | None = None,
    reconcile: Reconciles | None = None,
    instruct: Callable[[InstructionSubmitted], None] | None = None,
    watchers: Sequence[tuple[type, Callable[[Any], None]]] = (),
) -> None:
    """Subscribe everything.

    Args:
        keep_history: append each bar to the history as it is published (live; replay loads whole batches).
        subscriptions: who serves ``SubscriptionRequested``.
        held: limit orders the engine holds for venues that know none (live).
        reconcile: who compares readings of accounts with our book (live).
        instruct: who takes instructions to their brokers (live).
        watchers: who only looks on, after everybody else: a screen, a log, the simulation's invariants.
    """
    _join_market_data(core, held, keep_history=keep_history)
    core.bus.subscribe(SubscriptionRequested, subscriptions)
    _join_orders(core, venue, plays=keep_history)
    _join_instructions(core, instruct)
    if reconcile is not None:
        _join_reconciliation(core, reconcile)
    _join_outcomes(core)
    _join_algos(core, prices=keep_history)
    _join_watch(core)
    for event_type, watcher in watchers:
        core.bus.subscribe(event_type, watcher)
    # Looks subscribers up once and for all: nobody may subscribe after this.
    core.manager.bind(core.bus.publisher)


def _join_market_data(core: Core, held: HeldLimits | None, *, keep_history: bool) -> None:
    """Mark the books, then let strategies decide, then let go of held orders the price has touched."""
    subscribe = core.bus.subscribe
    portfolio, runner = core.portfolio, core.runner

    for event_type, handler in core.view.ears:
        subscribe(event_type, handler)
    subscribe(Bar, portfolio.on_bar)
    if keep_history:
        subscribe(Bar, core.history.append)
    subscribe(Bar, runner.on_bar)
    subscribe(Quote, portfolio.on_quote)
    subscribe(Quote, runner.on_quote)
    subscribe(Trade, portfolio.on_trade)
    subscribe(Trade, runner.on_trade)
    subscribe(OrderBook, runner.on_book)
    subscribe(FeedStatus, runner.on_feed)
    if held is not None:
        subscribe(Bar, held.on_bar)
        subscribe(Quote, held.on_quote)
        subscribe(Trade, held.on_trade)
        subscribe(OrderCanceled, held.on_canceled)


def _join_orders(core: Core, venue: Venue, *, plays: bool) -> None:
    """Commands go to the gate, which journals what it decides before it publishes it; evidence goes to the judge.

    ``plays``: orders the venue does not have are kept by the engine (live; the simulated venue has them all).
    """
    subscribe = core.bus.subscribe
    manager = core.manager

    subscribe(SubmitOrder, core.algos.on_order_wanted if plays else manager.on_submit)
    subscribe(CancelOrder, manager.on_cancel)
    subscribe(ReplaceOrder, manager.on_replace)

    # An order that passed: reserve, count, and only then leave.
    subscribe(OrderSubmitted, core.portfolio.on_submitted)
    subscribe(OrderSubmitted, core.view.on_submitted)
    subscribe(OrderSubmitted, venue.on_submitted)
    subscribe(CancelWanted, venue.on_cancel_wanted)
    subscribe(ReplaceWanted, venue.on_replace_wanted)

    subscribe(OrderReport, manager.on_report)
    subscribe(AccountObserved, manager.on_account)


def _join_instructions(core: Core, instruct: Callable[[InstructionSubmitted], None] | None) -> None:
    """What is no order: its own gate and judge, which reserve and release by themselves."""
    subscribe = core.bus.subscribe
    desk = core.instructions

    subscribe(SubmitInstruction, desk.on_submit)
    if instruct is not None:
        subscribe(InstructionSubmitted, instruct)
    subscribe(InstructionReport, desk.on_report)
    subscribe(InstructionChanged, core.runner.on_instruction)


def _join_reconciliation(core: Core, reconcile: Reconciles) -> None:
    """After the judge of orders: what a reading says of them is no difference."""
    core.bus.subscribe(AccountObserved, reconcile.on_account)
    core.bus.subscribe(AccountLink, reconcile.on_link)
    core.bus.subscribe(Fill, core.reconciler.explanations.on_fill)
    core.bus.subscribe(PositionAdjusted, core.reconciler.on_adjusted)


def _join_outcomes(core: Core) -> None:
    """What was judged: books and counters first, strategies last."""
    subscribe = core.bus.subscribe
    portfolio, view, manager, runner = core.portfolio, core.view, core.manager, core.runner

    subscribe(Fill, portfolio.on_fill)
    if view.hears_fills:
        subscribe(Fill, view.on_fill)
    subscribe(Fill, runner.on_fill)
    subscribe(PositionAdjusted, portfolio.on_adjusted)
    if view.profit is not None:
        subscribe(PositionAdjusted, view.on_adjusted)
    subscribe(OrderDenied, view.on_denied)
    subscribe(OrderDenied, runner.on_denied)
    for event_type in ORDER_EVENTS:
        subscribe(event_type, runner.on_order)

    # Safety, and answers from outside.
    subscribe(LatchSet, view.on_latch)
    subscribe(LatchSet, core.instructions.on_latch)
    subscribe(LatchCleared, view.on_unlatch)
    subscribe(StrategyStopped, core.journal.append)
    subscribe(StrategyStopped, manager.on_stopped)
    subscribe(StrategyStopped, core.instructions.on_stopped)
    subscribe(CallAnswered, core.journal.append)
    subscribe(CallAnswered, runner.on_answer)


def _join_algos(core: Core, *, prices: bool) -> None:
    """Orders the engine plays itself: after the strategies, who hear a cause before its effect."""
    subscribe, algos = core.bus.subscribe, core.algos

    subscribe(SubmitAlgo, algos.on_submit)
    subscribe(CancelOrder, algos.on_cancel)
    subscribe(Fill, algos.on_fill)
    subscribe(OrderDenied, algos.on_denied)
    for event_type in ORDER_EVENTS:
        subscribe(event_type, algos.on_order)
    subscribe(LatchSet, algos.on_latch)
    subscribe(StrategyStopped, algos.on_stopped)
    subscribe(AlgoChanged, core.runner.on_algo)
    for kind in (Bar, Quote, Trade) if prices else ():
        subscribe(kind, algos.on_price)


def _join_watch(core: Core) -> None:
    """Behaviour and losses, once books and counters know: it latches, or tells a person."""
    subscribe, watch = core.bus.subscribe, core.watch
    if not watch.limits:
        return
    subscribe(OrderSubmitted, watch.on_submitted)
    subscribe(CancelWanted, watch.on_cancel)
    subscribe(Fill, watch.on_fill)
    if core.view.profit is not None:
        subscribe(Bar, watch.on_price)
        subscribe(Quote, watch.on_price)
        subscribe(Trade, watch.on_price)
