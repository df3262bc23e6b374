"""A live core over a journal, as far as bars of the past are concerned: its lives, and a strategy that buys."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from engine import Bar, OrderEvent, Strategy
from engine.clock import ReplayClock
from engine.context import Context
from engine.domain.account import Capabilities
from engine.domain.algos import AlgoChanged
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.events import OrderDenied, OrderSubmitted
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instructions import InstructionReport
from engine.domain.instrument import Instrument
from engine.domain.timestamps import MINUTE_NS, parse_time
from engine.journal.memory import MemoryJournal
from engine.markets.free import Free
from engine.ports import Journal
from engine.runtime.gate import BY_HAND
from engine.runtime.history_gate import LiveCore
from engine.runtime.wiring import join

NAME, OTHER = InstrumentId("CY.VSM"), InstrumentId("DL.VSM")
ACCOUNT = AccountId("a")
NINE_NS = parse_time("2026-03-02T09:00:00+08:00")


class Buys(Strategy):
    """Buys ten at each bar it hears, and writes down what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    def on_bar(self, bar: Bar) -> Any:
        self.buy(bar.instrument, 10)

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        self.told.append(event)

    def on_algo(self, event: AlgoChanged) -> None:
        self.told.append(event)

    def on_instruction(self, event: InstructionReport) -> None:
        self.told.append(event)


class Life:
    """One life of a live core over a journal, begun at a moment; ``sent`` is what left in it."""

    def __init__(
        self, began: str = "09:00:30", kind: Callable[[], Strategy] = Buys, journal: Journal | None = None
    ) -> None:
        self.clock = ReplayClock(at(began))
        self.journal = journal or MemoryJournal()
        self.sent: list[SubmitOrder] = []
        self.denied: list[OrderDenied] = []
        self.core = core = LiveCore(
            clock=self.clock,
            journal=self.journal,
            instruments={name: Instrument(id=name, currency="COIN") for name in (NAME, OTHER)},
            books={"free": Free()},
            limits=(),
            sheets={ACCOUNT: Capabilities(gateway="venue", order_types=frozenset({OrderType.MARKET}))},
            outside=lambda *_: None,
            note=lambda *_: None,
        )
        core.portfolio.open_account(ACCOUNT, "COIN", Decimal(1_000_000))
        join(
            core, self, keep_history=True, subscriptions=self._subscribe,
            watchers=[(OrderDenied, self.denied.append)],
        )  # fmt: skip
        core.manager.recover([record for _, record in self.journal.records()], core.relive)
        core.begin()
        self.kind = kind
        self.seat()

    def seat(self) -> None:
        """A fresh instance takes its place and begins."""
        core = self.core
        self.strategy = self.kind()
        counts = (core.manager.orders_made, core.algos.made, core.instructions.made)
        made = [of.get(StrategyId("s"), 0) for of in counts]
        context = Context(
            strategy=StrategyId("s"), account=ACCOUNT, instruments=(NAME, OTHER), catalogue=core.instruments,
            publish=core.bus.publish, portfolio=core.portfolio, history=core.history, desk=core.runner,
            orders_made=made[0], algos_made=made[1], instructions_made=made[2],
        )  # fmt: skip
        core.runner.seat(StrategyId("s"), self.strategy, context)
        core.runner.start()

    def hear(
        self, end: str, instrument: InstrumentId = NAME, interval_ns: int = MINUTE_NS, now: str = ""
    ) -> list[SubmitOrder]:
        """A bar is published; gives what left because of it."""
        self.clock.now_ns = max(self.clock.now_ns, at(now or end))
        before = len(self.sent)
        self.core.bus.publish(Bar(instrument, at(end), 10.0, 10.0, 10.0, 10.0, 100.0, interval_ns))
        return self.sent[before:]

    def later(self, moment: str) -> None:
        """Timers up to a moment fire."""
        self.clock.now_ns = at(moment)
        self.core.runner.fire_due(self.clock.now_ns)

    def of(self, kind: type[Any]) -> list[Any]:
        return [record for _, record in self.journal.records() if isinstance(record, kind)]

    def again(self, began: str) -> "Life":
        """Killed, and started anew: all that is left is the journal."""
        return Life(began, type(self.strategy), self.journal)

    # --- the venue ----------------------------------------------------------------------------------------------------

    def on_submitted(self, event: OrderSubmitted) -> None:
        self.sent.append(event.order)

    def on_cancel_wanted(self, event: Any) -> None: ...

    def on_replace_wanted(self, event: Any) -> None: ...

    def _subscribe(self, event: Any) -> None:
        self.core.runner.listen(event.strategy, event.kind, event.instrument, event.interval_ns)


def at(moment: str) -> int:
    """``09:00:30`` is of Monday 2 March 2026, ``03-03 09:00`` of that day."""
    day, _, time = moment.rpartition(" ")
    return parse_time(f"2026-{day or '03-02'}T{time}{'' if time.count(':') == 2 else ':00'}+08:00")


def an_order(name: str) -> SubmitOrder:
    return SubmitOrder(
        client_id=ClientOrderId(name), account=ACCOUNT, strategy=BY_HAND, instrument=NAME, side=Side.BUY, quantity=1,
        ts_ns=0,
    )  # fmt: skip
