"""The live run: starts, connects and stops things; it decides nothing.

Used with real gateways, with simulators over real sockets (demo, paper) and, with virtual time and an in-memory
network, by the simulation. Order of starting: journal, recovery, gateways, evidence for what the last run left open,
reconciliation, feeds, strategies (RELIABILITY 3.2).
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import anyio.lowlevel

from engine.algos.held_limit import HeldLimits
from engine.clock import LiveClock
from engine.domain.commands import CancelOrder, OrderType
from engine.domain.errors import ConfigError, DataError
from engine.domain.events import (
    Alert,
    CallAnswered,
    EquitySampled,
    OrderSubmitted,
    RunStarted,
    SubscriptionRequested,
)
from engine.domain.ids import AccountId, StrategyId
from engine.domain.order import OrderState
from engine.domain.rates import Rates
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.execution import CancelWanted
from engine.outside import ask_outside
from engine.ports import Gateway, Journal
from engine.runtime.arrivals import SETTLE_NS, Arrivals
from engine.runtime.evidence import EvidenceSeeker
from engine.runtime.gate import close_gate, environment_of, sample
from engine.runtime.history_gate import LiveCore
from engine.runtime.instruction_outbox import Instructions
from engine.runtime.live_spec import AccountSpec, LiveSpec
from engine.runtime.outbox import Outbox
from engine.runtime.outboxes import Outboxes
from engine.runtime.pace import Pace
from engine.runtime.recent_actions import recent_actions
from engine.runtime.reconciling import Reconciling
from engine.runtime.safety import EnduringJournal, SafetyOfRun
from engine.runtime.seating import Seating
from engine.runtime.sheets import foreseers_of, sheets_of
from engine.runtime.turns import Turns
from engine.runtime.wiring import join
from engine.strategy import CallRequest

__all__ = ["AccountSpec", "LiveRun", "LiveSpec"]

LAST_LOOKS = 5
"""So often a stop reads an account that differs from our book: what two readings agree on is booked."""


class _HeldVenue:
    """The way out of the core: limits a venue does not know are held, everything else goes to its outbox."""

    def __init__(self, boxes: Outboxes, held: HeldLimits) -> None:
        self.on_submitted: Callable[[OrderSubmitted], None] = held.on_submitted
        self.on_replace_wanted = boxes.on_replace_wanted
        self.on_cancel_wanted: Callable[[CancelWanted], None] = boxes.on_cancel_wanted


class LiveRun:
    """One run. Make it, ``await run()`` it, ask it to stop with ``stop()``."""

    drain_seconds = float("inf")
    """How long a stop may take to bring what is under way to an end (real time)."""
    patience_seconds = float("inf")
    """How long a start waits for gateways that do not answer (real time; see ``Arrivals``)."""

    def __init__(
        self,
        spec: LiveSpec,
        *,
        clock: LiveClock,
        journal: Journal,
        gateways: Mapping[str, Gateway],
        note: Callable[[str, Mapping[str, Any]], None] = lambda _text, _fields: None,
        watchers: Sequence[tuple[type, Callable[[Any], None]]] = (),
        turns: Turns | None = None,
    ) -> None:
        """
        Args:
            watchers: (event class, who looks on), called after everybody else. turns: where they are written down.

        Raises: ConfigError: an account names a gateway that has no order side.
        """
        self.spec, self.clock, self.gateways = spec, clock, gateways
        self.turns = turns or Turns(clock)
        self.journal = EnduringJournal(self.turns.journal(journal))
        self.ready = anyio.Event()
        """Set once trading is enabled."""
        self.stop_reason = ""
        self._stopping, self._rescheduled = anyio.Event(), anyio.Event()
        self._tasks: Any = None
        sheets = sheets_of(spec.accounts, gateways)
        self.core = core = LiveCore(
            clock=clock,
            journal=self.journal,
            instruments=spec.instruments,
            books=spec.books,
            limits=spec.limits,
            sheets=sheets,
            outside=self._outside,
            note=note,
            bus=self.turns.bus,
        )
        close_gate(core, spec)
        self.pace = Pace(spec.limits, {account: sheet.orders_per_minute for account, sheet in sheets.items()})
        self.boxes: dict[AccountId, Outbox] = {}
        self.seekers: dict[AccountId, EvidenceSeeker] = {}
        for account in spec.accounts:
            self._open(account)
        self.reconciling = self._who_reconciles()
        boxes = Outboxes(self.boxes)
        self.held = HeldLimits(boxes.on_submitted, self._takes_limits)
        self.instructions = Instructions(spec.accounts, gateways, core)
        self.safety = SafetyOfRun(self)
        self.seating = Seating(self)
        self.turns.guard(self)
        join(
            core,
            _HeldVenue(boxes, self.held),
            keep_history=True,
            subscriptions=self._on_subscription,
            held=self.held,
            reconcile=self.reconciling,
            instruct=self.instructions.on_submitted,
            watchers=(*self.safety.ears(), *watchers),
        )

    def _open(self, account: AccountSpec) -> None:
        """Its book, its way out, and who looks for evidence."""
        core, clock = self.core, self.clock
        router = self.gateways[account.gateway].router
        assert router is not None
        box = Outbox(router, core.manager, core.view, self.journal, clock, core.bus.publish, self.pace)
        self.boxes[account.id] = box
        seeker = EvidenceSeeker(router, core.manager, clock, core.bus.publish, box.poke)
        self.seekers[account.id], box.look = seeker, seeker.look
        core.portfolio.open_account(account.id, account.currency, Decimal(0))

    def _who_reconciles(self) -> Reconciling:
        """Who reconciles all of them."""
        environments = {a.id: partial(environment_of, self.gateways[a.gateway]) for a in self.spec.accounts}
        self.core.reconciler.explanations.settings = self.spec.reconcile
        self.core.reconciler.explanations.actions = recent_actions(
            self.spec.reconcile.actions, lambda name: self.core.view.day_of(name, self.clock.now_ns)
        )
        return Reconciling(self.core, self.boxes, self.seekers, self.clock, self.ready.is_set, environments)

    # --- life --------------------------------------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """Ask the run to end; it drains what is under way first."""
        self.stop_reason = self.stop_reason or reason
        self._stopping.set()

    async def run(self, *, observe: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """Until ``stop``; ``observe`` runs beside it (a screen, a deadline).

        Raises:
            ConfigError: credentials, environment or config are wrong. JournalError: the journal failed.
        """
        self._learn()
        async with self.turns.lasting(self) as fresh, anyio.create_task_group() as tasks:
            self._tasks = tasks
            tasks.start_soon(self.journal.run)
            tasks.start_soon(self.turns.run)
            if observe is not None:
                tasks.start_soon(observe)
            tasks.start_soon(self._until_stopped, tasks)
            arrivals = Arrivals(self, tasks)
            await arrivals.log_in()
            self.safety.start(tasks)
            await arrivals.reconcile()
            arrivals.go_on()
            self.core.runner.rescheduled = self._on_rescheduled
            self._start_strategies(fresh)
            arrivals.seek()
            self.instructions.start(tasks)
            tasks.start_soon(self.reconciling.run)
            tasks.start_soon(self._fire_timers)
            tasks.start_soon(self._sample_equity)
            self.ready.set()

    async def _until_stopped(self, tasks: Any) -> None:
        await self._stopping.wait()
        with anyio.CancelScope(shield=True):
            self.core.kept.save()
            self.core.runner.stop()
            with anyio.move_on_after(self.drain_seconds) as limit:
                await self._drain()
            if limit.cancelled_caught:
                self._alert("run", f"not all was decided within {self.drain_seconds:g} s; the next start finds out")
            for account in self.spec.accounts:
                self._sample(account.id)
            await self.safety.seal(tasks.cancel_scope.cancel)

    async def _drain(self) -> None:
        """Withdraw what has not left; wait for answers under way; find out what is unknown."""
        deadline_ns = self.clock.now_ns + SETTLE_NS
        for order in list(self.core.manager.working.values()):
            if order.state is OrderState.QUEUED:
                command = CancelOrder(client_id=order.request.client_id, ts_ns=self.clock.now_ns, who="engine")
                self.core.manager.on_cancel(command)
        self.instructions.withdraw()
        if not self.ready.is_set():
            return
        while not self._idle() and self.clock.now_ns < deadline_ns:
            await self.clock.sleep(SECOND_NS)
        await self.safety.settle()
        async with anyio.create_task_group() as ends:
            for account in self.spec.accounts:
                ends.start_soon(self._settle, account.id, deadline_ns)

    async def _settle(self, account: AccountId, deadline_ns: int) -> None:
        """What is unknown of one account, and what may show up late: beside the others, each has its own lag."""
        if not await self.seekers[account].settle(deadline_ns):
            self._alert(f"account:{account}", "stopped with orders whose outcome is unknown")
        for looks in range(0 if self._untouched(account) else LAST_LOOKS):
            await self.clock.sleep(self.boxes[account].sheet.max_lag_ns + SECOND_NS)
            snapshot = await self.seekers[account].look()
            if looks and snapshot is not None and self.core.reconciler.agrees(snapshot):
                break

    def _untouched(self, account: AccountId) -> bool:
        """Whether no order of ours worked or left in this run: then none can show up late."""
        return account not in self._had_orders and not self.boxes[account].send_seconds

    def _idle(self) -> bool:
        return self.instructions.idle and all(box.idle for box in self.boxes.values())

    def _learn(self) -> None:
        """What currencies are worth, and what each gateway would refuse by limits of its own."""
        rates, core = Rates(self.spec.rates), self.core
        core.portfolio.rate = lambda currency, base: rates.at(currency, base, self.clock.now_ns)
        core.view.foresees.update(foreseers_of(self.spec.accounts, self.gateways))
        for market in {self.spec.instruments[i].market: None for _, s in self.spec.strategies for i in s.instruments}:
            # Calendars take a second or two to read: now, and not at the first order.
            self.spec.books[market].is_open(self.clock.now_ns)
        self._unvalued: set[AccountId] = set()

    def _recover(self) -> bool:
        """Replay the journal; True if it was empty."""
        fresh, spec = self.journal.next_seq == 1, self.spec
        self.journal.append(
            RunStarted(
                ts_ns=self.clock.now_ns,
                mode=spec.mode,
                config_hash=self.core.checker.limits_hash,
                strategies=tuple(
                    {"name": s.name, "path": s.path, "parameters": s.parameters} for _, s in spec.strategies
                ),
                accounts=tuple({"account": a.id, "currency": a.currency, "cash": "0"} for a in spec.accounts),
            )
        )
        # One by one: a year of them would not fit into memory.
        self.core.manager.recover((record for _, record in self.journal.records()), self.core.relive)
        self.core.begin()
        self._had_orders = {order.request.account for order in self.core.manager.working.values()}
        self.core.instructions.left_open()
        for order in self.core.manager.orders.values():
            if order.sent_ns > self.clock.now_ns - 2 * MINUTE_NS:
                # When the venue counted it is not known: at the latest now.
                self.pace.leaves(order.request).over_ns = self.clock.now_ns
        return fresh

    def _start_strategies(self, fresh: bool) -> None:
        self.seating.begin(fresh=fresh)

    # --- while it runs -----------------------------------------------------------------------------------------------

    async def _fire_timers(self) -> None:
        runner = self.core.runner
        while True:
            self._rescheduled = anyio.Event()
            wait_ns = min(runner.next_due_ns - self.clock.now_ns, MINUTE_NS)
            if wait_ns > 0:
                with anyio.move_on_after(self.clock.real_seconds(wait_ns)):
                    await self._rescheduled.wait()
            else:
                runner.fire_due(self.clock.now_ns)
                await anyio.lowlevel.checkpoint()

    def _on_rescheduled(self) -> None:
        self._rescheduled.set()

    async def _sample_equity(self) -> None:
        while True:
            for account in self.spec.accounts:
                self._sample(account.id)
            await self.clock.sleep(self.spec.sample_ns)

    def _sample(self, account: AccountId) -> None:
        portfolio = self.core.portfolio
        book = portfolio.accounts[account]
        try:
            equity = portfolio.equity(account)
        except DataError as error:
            # Said once; a sum with a part left out would be worse than none.
            if account not in self._unvalued:
                self._unvalued.add(account)
                self._alert(f"account:{account}", f"equity is not known: {error}")
            return
        self._unvalued.discard(account)
        cash = book.cash[book.currency]
        sample(self.core, EquitySampled(account=account, ts_ns=self.clock.now_ns, equity=equity, cash=cash))

    def _on_subscription(self, event: SubscriptionRequested) -> None:
        refusals = []
        for name, gateway in self.gateways.items():
            if gateway.feed is None:
                continue
            try:
                gateway.feed.subscribe(event.instrument, event.kind, event.interval_ns)
            except ConfigError as error:
                refusals.append(f"{name}: {error}")
            else:
                self.core.view.feed_interval_ns[event.instrument] = gateway.feed.pace_ns
                self.core.runner.listen(event.strategy, event.kind, event.instrument, event.interval_ns)
                return
        reasons = "; ".join(refusals) or "no gateway of this run has a feed"
        raise ConfigError(f"{event.strategy} wants {event.kind} of {event.instrument}; {reasons}")

    def _outside(self, strategy: StrategyId, number: int, request: CallRequest) -> None:
        self._tasks.start_soon(self._answer, strategy, number, request)

    async def _answer(self, strategy: StrategyId, number: int, request: CallRequest) -> None:
        value, error = await ask_outside(request, threads=self.spec.threads)
        answer = CallAnswered(strategy=strategy, call=number, ts_ns=self.clock.now_ns, value=value, error=error)
        self.core.bus.publish(answer)

    async def _query(self, gateway: str, route: str, args: Mapping[str, str]) -> Any:
        found = self.gateways.get(gateway)
        if found is None:
            raise ConfigError(f"there is no gateway {gateway!r}; this run has: {', '.join(self.gateways)}")
        if route not in found.reads():
            raise ConfigError(
                f"{gateway} {route} is no reading route; strategies may ask: {', '.join(sorted(found.reads()))}"
            )
        return await found.call(route, args)

    def _takes_limits(self, account: AccountId) -> bool:
        return OrderType.LIMIT in self.boxes[account].sheet.order_types

    def _alert(self, about: str, text: str) -> None:
        self.core.bus.publish(Alert(ts_ns=self.clock.now_ns, about=about, text=text))
