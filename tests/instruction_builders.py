"""Builders for tests of instructions: a desk by hand, and a broker that answers by a script, for live runs."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import Struct

from engine.clock import LiveClock
from engine.domain.account import AccountSnapshot, Balance, Capabilities, PositionRow
from engine.domain.commands import OrderType, SubmitOrder
from engine.domain.errors import NotSent
from engine.domain.events import Alert, InstructionChanged, InstructionSent, InstructionSubmitted, JournalRecord
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId, code_of
from engine.domain.instructions import (
    Action,
    ConditionBuy,
    InstructionReport,
    InstructionState,
    StopLossProfit,
    SubmitInstruction,
    SubscribeIpo,
)
from engine.domain.instrument import Instrument
from engine.domain.order import Order, OrderReport
from engine.domain.timestamps import SECOND_NS, parse_time
from engine.journal.sqlite import SqliteJournal
from engine.markets.free import Free
from engine.ports import Journal
from engine.risk.limit import Limit
from engine.risk.profiles import limits_for
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.live import AccountSpec, LiveRun, LiveSpec
from engine.strategy import Strategy
from tests.core_builders import ACCOUNT, STOCKS, Desk

ALL: frozenset[type] = frozenset(get_args(Action))
PAPER = {
    "price_collar": {"max_age": "1d", "percent": 50}, "concentration": {"percent": 1_000},
    "gross_exposure": {"percent": 1_000}, "max_open_value": {"value": 10_000_000},
    "max_daily_turnover": {"percent": 10_000},
}  # fmt: skip
"""Limits of paper trading whose prices may be old, and whose caps on shares of the account are wide."""


def a_condition(price: str = "40", quantity: int = 10, days: int = 30) -> ConditionBuy:
    return ConditionBuy(target_price=Decimal(price), quantity=quantity, expire_days=days)


def a_stop(quantity: int = 10, loss: str = "3", profit: str = "5") -> StopLossProfit:
    return StopLossProfit(stop_loss_percent=Decimal(loss), stop_profit_percent=Decimal(profit), quantity=quantity)


def an_instruction(
    action: Action, number: int = 1, *, instrument: InstrumentId = STOCKS[0], ts_ns: int = 0, **terms: Any
) -> SubmitInstruction:
    """``s-i1`` of strategy ``s``."""
    fields: dict[str, Any] = {
        "client_id": ClientOrderId(f"s-i{number}"), "account": ACCOUNT, "strategy": StrategyId("s"), **terms,
    }  # fmt: skip
    named = InstrumentId("") if isinstance(action, SubscribeIpo) else instrument
    return SubmitInstruction(action=action, instrument=named, ts_ns=ts_ns, **fields)


class Counter(Desk):
    """A joined core whose broker performs everything, and answers nothing by itself; ``changes`` are what was told."""

    def __init__(self, limits: Sequence[Limit] = (), performs: frozenset[type] = ALL, **sheet: Any) -> None:
        super().__init__(limits, **sheet)
        self.desk = self.core.instructions
        self.changes: list[InstructionChanged] = []
        self.left: list[InstructionSubmitted] = []
        self.core.view.performs[ACCOUNT] = lambda: performs
        self.core.bus.subscribe(InstructionChanged, self.changes.append)
        self.core.bus.subscribe(InstructionSubmitted, self.left.append)

    @property
    def book(self) -> Any:
        return self.core.portfolio.accounts[ACCOUNT]

    def instruct(self, action: Action, number: int = 1, **terms: Any) -> str:
        """Show it to the gate: the code of its denial, or empty."""
        before = len(self.changes)
        self.core.bus.publish(an_instruction(action, number, ts_ns=self.clock.now_ns, **terms))
        told = [change.report for change in self.changes[before:]]
        assert all(report.state is InstructionState.DENIED for report in told)
        return told[0].code if told else ""

    def post(self, number: int = 1) -> None:
        """Mark it sent, a second later."""
        self.clock.now_ns += SECOND_NS
        self.desk.mark_sent(ClientOrderId(f"s-i{number}"), "hash")

    def told(self, state: InstructionState, number: int = 1, **terms: Any) -> None:
        """Evidence, a second later."""
        self.clock.now_ns += SECOND_NS
        self.core.bus.publish(
            InstructionReport(
                account=ACCOUNT, client_id=ClientOrderId(f"s-i{number}"), state=state, ts_ns=self.clock.now_ns, **terms
            )
        )

    def standing(self, action: Action, number: int = 1, **terms: Any) -> None:
        """One that was sent and stands at the broker."""
        assert self.instruct(action, number, **terms) == ""
        self.post(number)
        self.told(InstructionState.STANDING, number)

    def instruction_state(self, number: int = 1) -> InstructionState:
        return self.desk.state(ClientOrderId(f"s-i{number}"))

    def settle(self) -> None:
        """A reading a minute later that agrees with the book."""
        self.clock.now_ns += 60 * SECOND_NS
        self.core.settles(AccountSnapshot(account=ACCOUNT, as_of_ns=self.clock.now_ns, ts_ns=self.clock.now_ns))

    def hold(self, quantity: int, instrument: InstrumentId = STOCKS[0]) -> None:
        self.book.position(instrument).book(quantity, Decimal(40) * quantity)

    def records(self) -> list[JournalRecord]:
        return [record for _, record in self.core.journal.records()]

    def reborn(self, limits: Sequence[Limit] = ()) -> "Counter":
        """A second life over the same journal, before it says what the first left open."""
        other = Counter(limits)
        other.clock.now_ns = self.clock.now_ns
        other.core.manager.recover(self.records(), other.core.relive)
        return other


# --- live ------------------------------------------------------------------------------------------------------------

BROKER = AccountId("ths")
BANK = InstrumentId("600000.SH")
REPO = InstrumentId("204001.SH")
INSTRUMENTS: Mapping[InstrumentId, Instrument] = {
    BANK: Instrument(id=BANK, lot=100), REPO: Instrument(id=REPO, tick=Decimal("0.005")),
}  # fmt: skip
MORNING_NS = parse_time("2026-03-02T09:44:30+08:00")
"""A Monday."""

Script = Callable[[SubmitInstruction], InstructionState]
"""What the broker makes of an instruction; it may raise as a router does."""


class ScriptedBroker:
    """A gateway with an order side that performs instructions as its script says, one entry a call.

    ``looked`` answers ``look_for``, one entry a call, the last one for good; an exception is raised.
    """

    name = "broker"
    feed: Any = None

    def __init__(
        self,
        clock: LiveClock,
        account: AccountId = BROKER,
        script: Sequence[Script] = (),
        looked: Sequence[InstructionState | Exception | None] = (None,),
        performs: frozenset[type] = ALL,
    ) -> None:
        self.account = account
        self.clock = clock
        self.script = list(script)
        self.looked = list(looked)
        self.performs = performs
        self.router: Any = self
        self.cash = Decimal(1_000_000)
        self.positions: dict[InstrumentId, int] = {}
        self.performed: list[SubmitInstruction] = []
        self.looks: list[tuple[str, int]] = []
        self.readings = 0
        """Of the account."""
        self.journal: Journal | None = None
        self.busy = self.cut = False
        """At work on an instruction; closed while it was."""
        self.unmarked: list[str] = []
        """Instructions whose bytes came without a durable send marker of exactly these bytes."""

    # --- as a router that performs ------------------------------------------------------------------------------------

    def instructions(self) -> frozenset[type]:
        return self.performs

    def encode_instruction(self, instruction: SubmitInstruction) -> bytes:
        if isinstance(instruction.action, ConditionBuy) and instruction.action.expire_days == 7:
            raise NotSent("expire_days 7 is none of 1, 3, 5, 10, 20, 30")
        return f"{instruction.client_id} {instruction.action}".encode()

    async def perform(self, instruction: SubmitInstruction, body: bytes) -> InstructionReport:
        self.performed.append(instruction)
        if self.journal is not None and not self._marked(instruction.client_id, body, self.journal):
            self.unmarked.append(instruction.client_id)
        self.busy = True
        try:
            await self.clock.sleep(SECOND_NS)
            state = self.script.pop(0)(instruction) if self.script else InstructionState.DONE
        finally:
            self.busy = False
        return self._report(instruction, state)

    @staticmethod
    def _marked(client_id: str, body: bytes, journal: Journal) -> bool:
        durable = [record for seq, record in journal.records() if seq <= journal.durable_seq]
        intents = [r for r in durable if isinstance(r, InstructionSubmitted) and r.client_id == client_id]
        hashes = [r.request_hash for r in durable if isinstance(r, InstructionSent) and r.client_id == client_id]
        return len(intents) == 1 and hashes == [hashlib.sha256(body).hexdigest()]

    async def look_for(self, instruction: SubmitInstruction, since_ns: int) -> InstructionReport | None:
        self.looks.append((instruction.client_id, since_ns))
        state = self.looked.pop(0) if len(self.looked) > 1 else self.looked[0]
        if isinstance(state, Exception):
            raise state
        return None if state is None else self._report(instruction, state)

    def _report(self, instruction: SubmitInstruction, state: InstructionState) -> InstructionReport:
        return InstructionReport(
            account=self.account, client_id=instruction.client_id, state=state, ts_ns=self.clock.now_ns,
            reason="as the script says", details={"rate": "2.50%"},
        )  # fmt: skip

    # --- as a router --------------------------------------------------------------------------------------------------

    def capabilities(self) -> Capabilities:
        return Capabilities(
            gateway="broker", order_types=frozenset({OrderType.LIMIT}), lists_orders=True, max_lag_ns=SECOND_NS,
            snapshot_period_ns=20 * SECOND_NS,
        )  # fmt: skip

    def encode(self, orders: Sequence[SubmitOrder]) -> bytes:
        first = orders[0]
        price = None if first.price is None else str(first.price)
        return msgspec.json.encode({"code": code_of(first.instrument), "quantity": first.quantity, "price": price})

    async def submit(self, orders: Sequence[SubmitOrder], body: bytes) -> Sequence[OrderReport]:
        raise NotSent("this broker only takes instructions")

    async def cancel(self, order: Order) -> Sequence[OrderReport]:
        raise NotSent("no cancel")

    async def replace(self, order: Order, quantity: int, price: Any) -> Sequence[OrderReport]:
        raise NotSent("no replace")

    async def snapshot(self) -> AccountSnapshot:
        self.readings += 1
        began_ns = self.clock.now_ns
        await self.clock.sleep(SECOND_NS // 10)
        return AccountSnapshot(
            account=self.account,
            as_of_ns=began_ns,
            ts_ns=self.clock.now_ns,
            balances=(Balance(currency="CNY", total=self.cash, available=self.cash),),
            positions=tuple(PositionRow(instrument=i, quantity=q) for i, q in self.positions.items()),
            orders=(),
        )

    # --- as a gateway -------------------------------------------------------------------------------------------------

    async def connect(self) -> None: ...

    async def run(self, publish: Any) -> None:
        await self.clock.sleep(10**18)

    async def instruments(self) -> Sequence[Instrument]:
        return tuple(INSTRUMENTS.values())

    def routes(self) -> Mapping[str, str]:
        return {}

    def reads(self) -> frozenset[str]:
        return frozenset()

    async def call(self, route: str, args: Mapping[str, str]) -> Any: ...

    async def close(self) -> None:
        self.cut = self.cut or self.busy


class Told(Struct):
    """What a screen of the run would show."""

    changes: list[InstructionChanged]
    alerts: list[str]

    def states(self) -> list[str]:
        return [change.report.state.value for change in self.changes]


def a_live_run(
    broker: ScriptedBroker, journal: Path, strategies: Sequence[type[Strategy]] = (), books: Any = None, **risk: Any
) -> tuple[LiveRun, Told]:
    """A live run over the broker with the limits of paper trading; each strategy is named after its class."""
    told = Told([], [])
    opened = SqliteJournal(journal)
    broker.journal = opened
    spec = LiveSpec(
        accounts=(AccountSpec(id=broker.account, gateway="broker", currency="CNY"),),
        strategies=tuple(
            (broker.account, StrategySpec(name=StrategyId(kind.__name__), make=kind, instruments=(BANK,)))
            for kind in strategies
        ),
        instruments=INSTRUMENTS,
        books=books or {"free": Free()},
        limits=limits_for("paper", {**PAPER, **risk}),
        mode="test",
    )
    run = LiveRun(
        spec,
        clock=broker.clock,
        journal=opened,
        gateways={"broker": broker},
        watchers=(
            (InstructionChanged, told.changes.append),
            (Alert, lambda alert: told.alerts.append(f"{alert.about}: {alert.text}")),
        ),
    )
    return run, told
