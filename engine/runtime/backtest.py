"""Replay of bars: walk two of DESIGN. It moves the clock; everything else is the code that trades."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import anyio
import msgspec

from engine.asking import CallRequest
from engine.bus import nobody
from engine.clock import ReplayClock, cpu_seconds
from engine.context import Context
from engine.data.actions import actions_of
from engine.data.columns import BarSource, Columns
from engine.data.main_contract import Roll
from engine.domain.account import Capabilities
from engine.domain.commands import SubmitOrder
from engine.domain.errors import ConfigError
from engine.domain.events import CallAnswered, EquitySampled, RunEnded, RunStarted, SubscriptionRequested
from engine.domain.ids import AccountId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, DataKind
from engine.domain.timestamps import DAY_NS
from engine.markets.rulebook import RuleBook
from engine.matching.fill_model import FillModel
from engine.matching.floor import floors_of
from engine.matching.venue import SHEET, SimulatedVenue
from engine.matching.waiting import Waiting
from engine.outside import ask_outside
from engine.ports import Journal, StatementTable
from engine.risk.limit import Limit
from engine.risk.waiting import Waits
from engine.runner import RUN_ENDED
from engine.runtime.backtest_result import BacktestResult, StrategySpec
from engine.runtime.compiled_way import compiled, hand_of
from engine.runtime.day_prices import DayPrices
from engine.runtime.deaf import leave_out_the_deaf
from engine.runtime.ex_dates import begin_day
from engine.runtime.futures import Rolling, futures_fee
from engine.runtime.matching_settings import refuse_unless_bars_fill
from engine.runtime.replay import Merged, Stage, merged, play
from engine.runtime.replay_venue import ReplayVenue
from engine.runtime.run_data import data_rows, run_settings
from engine.runtime.short_way import way_in, way_out
from engine.runtime.skipping import Skipper, needs_every_bar
from engine.runtime.wiring import Core, join

ACCOUNT = AccountId("backtest")
SAMPLES = 50
"""Equity is sampled each fiftieth of the run so far, and at each turn of the UTC day: what a chart can show."""
PACK_RECORDS = 256
"""Records that may wait before the journal makes bytes of them."""


MODES = ("auto", "event", "column")


class Backtest:
    """One run over files of bars; several instruments and strategies share one account and one clock."""

    def __init__(
        self,
        *,
        sources: Sequence[BarSource],
        strategies: Sequence[StrategySpec],
        instruments: Mapping[InstrumentId, Instrument],
        books: Mapping[str, RuleBook],
        limits: Sequence[Limit],
        fill_model: FillModel,
        journal: Journal,
        cash: Decimal = Decimal(1_000_000),
        note: Callable[[str, Mapping[str, Any]], None] = lambda _text, _fields: None,
        progress: Callable[[int], None] | None = None,
        statements: StatementTable | None = None,
        takes_rights: bool = False,
        rolls: Sequence[Roll] = (),
        mode: str = "auto",
    ) -> None:
        """``takes_rights``: rights are paid for on their ex-date; else they lapse. ``rolls``: when a product's main
        contract changes: what strategies hold of the old one is closed, and opened in the new one. ``mode``: see
        ``MODES``; ``auto`` leaves bars out where it can, which changes nothing but the time it takes.

        Raises:
            ConfigError: the data has several currencies or none; ``mode`` is ``column`` and that can not be done.
        """
        self.sources = list(sources)
        self._shortest_ns = self._shortest()
        self._start_ns = self._sample_due_ns = 0
        self._strategies = strategies
        self._journal = journal
        self._cash = cash
        self._settings = run_settings(self._data(), fill_model, instruments, books)
        self._statements = statements
        self._progress = progress
        self._pack: Callable[[int], None] | None = getattr(journal, "pack", None)
        self.clock = ReplayClock()
        sheets: dict[AccountId, Capabilities] = {ACCOUNT: SHEET}
        self.core = core = Core(
            clock=self.clock,
            journal=journal,
            instruments=instruments,
            books=books,
            limits=limits,
            sheets=sheets,
            outside=self._outside,
            note=note,
            record=getattr(journal, "keep", None),
            keep_ended_ns=0,
        )
        if not any(limit.counts_open_orders for limit in limits):
            core.view.open_orders = core.manager.working.values
        self._takes_rights = takes_rights
        self.venue = self._venue(fill_model, instruments, books)
        self._due = [0]
        join(core, self._door(), keep_history=False, subscriptions=self._on_subscription)
        core.portfolio.open_account(ACCOUNT, self._currency(), cash)
        self._seat(strategies)
        self.rolling = Rolling(rolls, core)
        core.runner.rescheduled = self._on_rescheduled
        self.mode, self.mode_reason = self._mode(mode)

    # --- what a run over more than bars answers otherwise (``quotes_backtest.py``) ------------------------------------

    def _shortest(self) -> int:
        return min((source.interval_ns for source in self.sources), default=DAY_NS)

    def _data(self) -> list[Any]:
        """Every file of market data."""
        return [*self.sources]

    def _refuse_unless_fills(self, model: FillModel) -> None:
        refuse_unless_bars_fill(model)

    def _door(self) -> ReplayVenue:
        return ReplayVenue(self.venue)

    def _stream(self) -> Iterator[Any]:
        return merged(self.sources, self._load)

    # --- making -------------------------------------------------------------------------------------------------------

    def _currency(self) -> str:
        currencies = {self.core.instruments[source.instrument].currency for source in self._data()}
        if len(currencies) != 1:
            listed = ", ".join(sorted(currencies)) or "none"
            raise ConfigError(f"one backtest trades one currency; the data has {listed}: run them apart")
        return currencies.pop()

    def _venue(
        self, model: FillModel, instruments: Mapping[InstrumentId, Instrument], books: Mapping[str, RuleBook]
    ) -> SimulatedVenue:
        """The venue, with what the exchanges' days decide: the close before, ex-dates, when waiting orders act."""
        self._refuse_unless_fills(model)
        core = self.core
        actions, self._action_files = actions_of(self._data())
        self.days = DayPrices(instruments, books, actions, [source.instrument for source in self._data()])
        if self._shortest_ns >= DAY_NS:
            core.view.waits = Waits(instruments, books, core.view.marks, self.days)
        floors = floors_of(instruments, books, core.view.previous_close.get, self.days.has_volume)
        self._waiting = Waiting(model, instruments, books, floors)
        return SimulatedVenue(
            model,
            instruments,
            books,
            report=core.manager.on_report,
            placed=core.manager.placed,
            clock=self.clock,
            sent=core.manager.mark_sent,
            floors=floors,
            acts_ns=None if core.view.waits is None else core.view.waits.acts_ns,
            futures_fee=partial(futures_fee, core.portfolio, instruments, books) if core.portfolio.futures else None,
        )

    def _seat(self, strategies: Sequence[StrategySpec]) -> None:
        core = self.core
        self._compiled = compiled(core, self.venue)
        submit, plain = core.bus.publisher(SubmitOrder), way_in(core, self.venue, self._compiled)
        hand = partial(hand_of, self._compiled) if self._compiled is not None and plain is not None else None
        self._orders_compiled = hand is not None
        for spec in strategies:
            context = Context(
                strategy=spec.name,
                account=ACCOUNT,
                instruments=spec.instruments,
                catalogue=core.instruments,
                publish=core.bus.publish,
                portfolio=core.portfolio,
                history=core.history,
                desk=core.runner,
                submit=submit,
                plain=plain,
                hand=hand,
                bar_interval_ns=spec.bar_interval_ns,
                statements=self._statements,
            )
            context.declared.adjuster = self.days.adjuster
            core.runner.seat(spec.name, spec.make(), context)
        leave_out_the_deaf(core)

    def _mode(self, asked: str) -> tuple[str, str]:
        """The mode that is run, and why it is not the one asked for."""
        core = self.core
        reason = needs_every_bar(core.bus, core.portfolio, core.runner) if asked != "event" else ""
        if asked == "column" and reason:
            raise ConfigError(f"mode column: {reason}; or run with mode event")
        return "event" if asked == "event" or reason else "column", reason

    def run(self) -> BacktestResult:
        """Replay every bar to the end.

        Raises:
            DataError: a file can not be used; nothing after the bad row was seen.
        """
        core, clock = self.core, self.clock
        opened = cpu_seconds()
        stream = self._stream()
        batch = next(stream, None)
        clock.now_ns = self._start_ns = batch.first_start_ns if batch is not None else 0
        self._sample_due_ns = clock.now_ns + self._shortest_ns + 1
        self._journal.append(self._run_started(clock.now_ns))
        started = cpu_seconds()
        decoding = 0.0
        player = self._player()
        bars = 0
        while batch is not None:
            decoding += player(batch)
            bars += len(batch.ts_ns)
            if self._progress is not None:
                self._progress(bars)
            before = cpu_seconds()
            batch = next(stream, None)
            decoding += cpu_seconds() - before
        self._turn(clock.now_ns + 1)
        core.runner.stop()
        self._sample()
        self._journal.append(RunEnded(ts_ns=clock.now_ns, reason="data ended"))
        digest = self._journal.digest()
        if self._compiled is not None:
            self._compiled.rest()
        ended = cpu_seconds()
        return BacktestResult(
            bars=bars,
            fills=core.portfolio.fills,
            orders=sum(seat.context.orders_made for seat in core.runner.seats.values()),
            denied=sum(core.view.denials.values()),
            final_equity=core.portfolio.equity(ACCOUNT),
            digest=digest,
            replay_cpu_seconds=ended - started - decoding,
            whole_cpu_seconds=ended - opened,
            stopped={seat.name: seat.stopped for seat in core.runner.seats.values() if seat.stopped != RUN_ENDED},
            mode=self.mode,
            mode_reason=self.mode_reason,
            compiled=self._orders_compiled,
        )

    def _player(self) -> Callable[[Any], float]:
        """Start the strategies; gives what plays a batch and says how many CPU seconds of that were decoding."""
        core = self.core
        if self.mode == "column":
            names = [(source.instrument, source.interval_ns) for source in self.sources]
            skipper = Skipper(self._stage(), names, core, self._waiting, self._compiled)
            core.runner.start()
            skipper.start()

            def skip(batch: Merged) -> float:
                skipper.play(batch)
                return 0.0

            return skip
        core.runner.start()
        stage = self._stage()

        def play_all(batch: Merged) -> float:
            before = cpu_seconds()
            chunk = batch.listed()
            took = cpu_seconds() - before
            play(chunk, stage)
            return took

        return play_all

    def _stage(self) -> Stage:
        """What the replay loop drives. Where books and strategies are all that hear bars it goes to them directly."""
        core, names, alone = self.core, [source.instrument for source in self.sources], None
        if core.bus.subscribers(Bar) == (core.portfolio.on_bar, core.runner.on_bar):
            latest, ears, alone = core.portfolio.marks.latest, core.runner.ears, core.runner
            for name in names:
                ears.setdefault(name, nobody)
        else:
            latest, ears = {}, dict.fromkeys(names, core.bus.publisher(Bar))
        show = way_out(core, self.venue, self._compiled)
        return Stage(self._turn, self._due, self.clock, self.venue.resting, show, latest, ears, alone)

    def _turn(self, ts_ns: int) -> None:
        """Timers due before an instant, and a sample if it is time."""
        core, clock, days = self.core, self.clock, self.days
        while (due_ns := min(core.runner.next_due_ns, days.due_ns, self.rolling.due_ns)) < ts_ns:
            clock.now_ns = max(clock.now_ns, due_ns)
            if days.due_ns <= due_ns:
                begin_day(core, days.turn(due_ns), ACCOUNT, takes_rights=self._takes_rights)
            elif self.rolling.due_ns <= due_ns:
                self.rolling.turn(due_ns)
            else:
                core.runner.fire_due(clock.now_ns)
        if ts_ns >= self._sample_due_ns:
            self._sample()
        if self._pack is not None:
            self._pack(PACK_RECORDS)
        self._on_rescheduled()

    def _on_rescheduled(self) -> None:
        later_ns = min(self.core.runner.next_due_ns, self.days.due_ns, self.rolling.due_ns)
        self._due[0] = min(self._sample_due_ns, later_ns + 1)

    def _load(self, batch: Columns) -> None:
        """Bars far ahead of the clock: what may be known of them later."""
        self.core.history.extend(batch)
        for morning in self.days.load(batch):
            self.core.history.adjust(morning.instrument, morning.ts_ns, morning.price_factor, morning.share_factor)

    def _sample(self) -> None:
        portfolio = self.core.portfolio
        book = portfolio.accounts[ACCOUNT]
        now_ns = self.clock.now_ns
        spacing_ns = max(self._shortest_ns, (now_ns - self._start_ns) // SAMPLES)
        self._sample_due_ns = min(now_ns + spacing_ns, (now_ns // DAY_NS + 1) * DAY_NS) + 1
        equity = portfolio.equity(ACCOUNT)
        cash = book.cash[book.currency]
        self._journal.append(EquitySampled(account=ACCOUNT, ts_ns=now_ns, equity=equity, cash=cash))

    def _run_started(self, ts_ns: int) -> RunStarted:
        return RunStarted(
            ts_ns=ts_ns,
            mode="backtest",
            config_hash=self.core.checker.limits_hash,
            data=data_rows(self._data(), self._statements, self._action_files),
            strategies=tuple(
                {"name": spec.name, "path": spec.path, "parameters": msgspec.to_builtins(spec.parameters)}
                for spec in self._strategies
            ),
            accounts=tuple(
                {"account": book.account, "currency": book.currency, "cash": str(self._cash)}
                for book in self.core.portfolio.accounts.values()
            ),
            settings=self._settings,
        )

    def _on_subscription(self, event: SubscriptionRequested) -> None:
        known = {source.instrument: source for source in self.sources}
        source = known.get(event.instrument)
        if event.kind is not DataKind.BAR:
            return
        if source is None:
            listed = ", ".join(known)
            raise ConfigError(f"{event.strategy} wants bars of {event.instrument}; the data has: {listed}")
        if event.interval_ns not in (0, source.interval_ns):
            raise ConfigError(
                f"{event.strategy} wants {event.instrument} every {event.interval_ns // 10**9} s; "
                f"the file has a bar every {source.interval_ns // 10**9} s"
            )
        self.core.runner.listen(event.strategy, event.kind, event.instrument, 0)

    def _outside(self, strategy: StrategyId, number: int, request: CallRequest) -> None:
        """In a backtest the outside answers at once: there is no other time for it to answer in."""
        value, error = anyio.run(partial(ask_outside, request, threads=False))
        now_ns = self.clock.now_ns
        answer = CallAnswered(strategy=strategy, call=number, ts_ns=now_ns, value=value, error=error)
        self.core.runner.call_at(now_ns, partial(self.core.bus.publish, answer))
