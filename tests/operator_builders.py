"""Builders for tests of a person's commands: a joined core, its reconciling, and an operator over both."""

from collections.abc import Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import anyio

from engine.clock import LiveClock
from engine.domain.account import AccountSnapshot, Balance, OrderRow, PositionRow
from engine.domain.events import AccountObserved, JournalRecord, PositionAdjusted
from engine.domain.timestamps import SECOND_NS
from engine.runtime.operator import Operator
from engine.runtime.operator_commands import Answer, Command
from engine.runtime.reconciling import Reconciling
from tests.core_builders import ACCOUNT, STOCKS, Desk


class Room:
    """A desk whose account is read by hand: ``read`` shows ten seconds later what ``held`` and ``cash`` say."""

    def __init__(self, records: Sequence[JournalRecord] = (), **sheet: Any) -> None:
        self.desk = Desk(**{"lists_orders": True, "lists_fills": True, **sheet})
        self.core = core = self.desk.core
        core.manager.recover(records, core.relive)
        for record in records:
            core.journal.append(record)
        self.held, self.cash, self.rows = 0, Decimal(100_000), tuple[OrderRow, ...]()
        self.box = SimpleNamespace(
            sheet=core.view.capabilities[ACCOUNT], held=lambda: False, poke=lambda: None, look=None
        )
        self.clock = LiveClock(speed=100_000)
        seeker: Any = SimpleNamespace(look=self.look, settle=None)
        boxes: Any = {ACCOUNT: self.box}
        self.reconciling = Reconciling(
            core, boxes, {ACCOUNT: seeker}, self.clock, lambda: True, {ACCOUNT: lambda: None}
        )
        self.reconciling.proved(ACCOUNT, None, problem="")
        core.bus.subscribe(AccountObserved, self.reconciling.on_account)
        core.bus.subscribe(PositionAdjusted, core.reconciler.on_adjusted)
        self.operator = Operator(core, {ACCOUNT: "here"}, live=self.reconciling)

    def do(self, command: Command) -> Answer:
        return anyio.run(self.operator.do, command)

    async def look(self) -> AccountSnapshot:
        return self.read()

    def read(self) -> AccountSnapshot:
        self.desk.clock.now_ns += 10 * SECOND_NS
        now_ns = self.desk.clock.now_ns
        snapshot = AccountSnapshot(
            account=ACCOUNT,
            as_of_ns=max(now_ns, self.clock.now_ns),
            ts_ns=now_ns,
            positions=(PositionRow(instrument=STOCKS[0], quantity=self.held),),
            balances=(Balance(currency="COIN", total=self.cash, available=self.cash),),
            orders=self.rows,
        )
        self.core.bus.publish(AccountObserved(snapshot=snapshot))
        return snapshot

    def records(self) -> list[JournalRecord]:
        return [record for _, record in self.core.journal.records()]
