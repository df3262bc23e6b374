"""The only gate an instruction can leave by, and the only judge of what became of it (domain/instructions.py).

As ``execution.py`` and ``judge.py`` are for orders: what is decided or learnt goes to the journal before anybody hears
of it, nothing here waits, and an instruction leaves UNKNOWN on evidence only. Its worst case stays reserved, and its
side of the instrument locked, until it is proven not done, or until a reading of the account begun after its end agrees
with our book: then the book has what it did.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from engine.clock import Clock
from engine.domain.account import AccountSnapshot
from engine.domain.events import (
    Alert,
    InstructionChanged,
    InstructionDenied,
    InstructionSent,
    InstructionSettled,
    InstructionSubmitted,
    JournalRecord,
    LatchSet,
    StrategyStopped,
)
from engine.domain.ids import AccountId, ClientOrderId, StrategyId
from engine.domain.instructions import (
    DECIDED,
    CancelConditions,
    InstructionReport,
    InstructionState,
    SubmitInstruction,
)
from engine.domain.order import Order, OrderState
from engine.domain.verdict import Denial
from engine.portfolio import Portfolio
from engine.risk.checker import PREFIX, RiskChecker
from engine.risk.exposure import direction_of
from engine.risk.instruction_gate import InstructionGate
from engine.risk.view import RiskView, locked_by

_QUEUED, _PENDING, _UNKNOWN = InstructionState.QUEUED, InstructionState.PENDING, InstructionState.UNKNOWN
_STANDING, _DONE, _REFUSED = InstructionState.STANDING, InstructionState.DONE, InstructionState.REFUSED
_NOT_PLACED, _ENDED = InstructionState.NOT_PLACED, InstructionState.ENDED

MOVES: Mapping[InstructionState, frozenset[InstructionState]] = {
    _QUEUED: frozenset({_NOT_PLACED}),
    _PENDING: frozenset({_STANDING, _DONE, _REFUSED, _NOT_PLACED, _UNKNOWN, _ENDED}),
    _UNKNOWN: frozenset({_STANDING, _DONE, _REFUSED, _NOT_PLACED, _ENDED}),
    _STANDING: frozenset({_DONE, _ENDED}),
}
"""What evidence may change; SEND alone makes PENDING of QUEUED, and what is decided stays so."""

UNDECIDED = frozenset({_QUEUED, _PENDING, _UNKNOWN})
_ORDERS_ON_THE_WAY = frozenset({OrderState.QUEUED, OrderState.PENDING_NEW, OrderState.UNKNOWN, OrderState.DISPUTED})


class Instruction(Struct):
    """One instruction as we know it."""

    request: SubmitInstruction
    costs: bool
    """Whether it may have moved money or shares once it is done."""
    state: InstructionState = _QUEUED
    sent_ns: int = 0
    ended_ns: int = 0
    held: bool = True
    """Its worst case is reserved and its side locked."""


class InstructionDesk:
    """One an engine. The wiring subscribes its ``on_*`` methods."""

    def __init__(
        self,
        *,
        clock: Clock,
        publish: Callable[[Any], object],
        record: Callable[[JournalRecord], int | None],
        portfolio: Portfolio,
        checker: RiskChecker,
        view: RiskView,
        orders: Callable[[], Iterable[Order]],
    ) -> None:
        """``orders``: ours that are not ended."""
        self.instructions: dict[ClientOrderId, Instruction] = {}
        """Every one that passed the gate."""
        self.made: dict[StrategyId, int] = {}
        """How many each strategy made, denied ones included: its numbers go on from there."""
        self._clock = clock
        self._publish = publish
        self._record = record
        self._portfolio = portfolio
        self._view = view
        self._gate = InstructionGate(checker, view)
        self._orders = orders

    # --- the gate -----------------------------------------------------------------------------------------------------

    def on_submit(self, command: SubmitInstruction) -> None:
        """Judge, reserve, journal, and only then tell."""
        now_ns = self._clock.now_ns
        self._count(command)
        if command.client_id in self.instructions:
            denial: Denial | None = Denial("DUP_ID", f"client id {command.client_id} was used before")
        else:
            denial = self._gate.denial(command, now_ns) or self._order_on_the_way(command)
        if denial is not None:
            self._deny(command, denial, now_ns)
            return
        worst, cash = self._gate.worst(command)
        submitted = InstructionSubmitted(
            instruction=command, ts_ns=now_ns, worst=worst, reserved_cash=cash, limits=self._gate.limits_hash
        )
        self._record(submitted)
        self._adopt(submitted)
        self._publish(submitted)

    def refuse(self, command: SubmitInstruction, denial: Denial) -> None:
        """One that is not even shown to the gate."""
        self._count(command)
        self._deny(command, denial, self._clock.now_ns)

    def _order_on_the_way(self, command: SubmitInstruction) -> Denial | None:
        """An order of ours on the same side whose row may still have to be found."""
        if isinstance(command.action, CancelConditions):
            return None
        side = locked_by(command)
        for order in self._orders():
            if order.state in _ORDERS_ON_THE_WAY and direction_of(order.request) == side:
                text = f"order {order.request.client_id} on the same side is {order.state}"
                return Denial("LOCKED", PREFIX + text)
        return None

    def _deny(self, command: SubmitInstruction, denial: Denial, now_ns: int) -> None:
        self._record(InstructionDenied(instruction=command, ts_ns=now_ns, code=denial.code, reason=denial.reason))
        self._tell(
            command,
            InstructionReport(
                account=command.account,
                client_id=command.client_id,
                state=InstructionState.DENIED,
                ts_ns=now_ns,
                code=denial.code,
                reason=denial.reason,
            ),
        )

    def _adopt(self, event: InstructionSubmitted) -> None:
        instruction = event.instruction
        self.instructions[instruction.client_id] = Instruction(instruction, costs=event.worst is not None)
        self._portfolio.on_instruction(event)
        self._view.on_instruction(event)

    # --- evidence -----------------------------------------------------------------------------------------------------

    def mark_sent(self, client_id: ClientOrderId, request_hash: str) -> int:
        """SEND: from here on bytes may leave. Gives the journal number that must be durable first."""
        sent = InstructionSent(client_id=client_id, ts_ns=self._clock.now_ns, request_hash=request_hash)
        seq = self._record(sent)
        self._send(sent)
        return seq or 0

    def _send(self, sent: InstructionSent) -> None:
        known = self.instructions[sent.client_id]
        known.state, known.sent_ns = _PENDING, sent.ts_ns

    def withdraw(self, client_id: ClientOrderId, reason: str) -> None:
        """Proven not to have left, by ourselves."""
        request = self.instructions[client_id].request
        self.on_report(
            InstructionReport(
                account=request.account,
                client_id=client_id,
                state=_NOT_PLACED,
                ts_ns=self._clock.now_ns,
                reason=reason,
            )
        )

    def on_report(self, report: InstructionReport) -> None:
        """One piece of evidence, from a router or from our own way out."""
        known = self.instructions.get(report.client_id)
        if known is None:
            self._alert(report, f"{report.state} of instruction {report.client_id}, which is not ours")
            return
        if report.state is known.state:
            return
        if report.state not in MOVES.get(known.state, ()):
            self._alert(report, f"{report.state} of a {known.state} instruction contradicts what is known; ignored")
            return
        # The journal keeps the report: nobody may change what it says afterwards.
        report = msgspec.structs.replace(report, details=dict(report.details))
        self._record(report)
        self._move(known, report)
        self._tell(known.request, report)

    def _move(self, known: Instruction, report: InstructionReport) -> None:
        known.state = report.state
        if report.state not in DECIDED:
            return
        known.ended_ns = report.ts_ns
        if not known.costs or report.state in (_REFUSED, _NOT_PLACED):
            self._release(known)

    def settle(self, snapshot: AccountSnapshot) -> None:
        """Our book agrees with this reading: it has what those did that were over before the reading began."""
        for known in self.settling(snapshot.account):
            sheet = self._view.capabilities.get(snapshot.account)
            if snapshot.as_of_ns > known.ended_ns + (sheet.max_lag_ns if sheet is not None else 0):
                self._record(InstructionSettled(client_id=known.request.client_id, ts_ns=self._clock.now_ns))
                self._release(known)

    def _release(self, known: Instruction) -> None:
        if known.held:
            known.held = False
            self._portfolio.release(known.request.client_id)
            self._view.release(known.request)

    # --- readers ------------------------------------------------------------------------------------------------------

    def state(self, client_id: ClientOrderId) -> InstructionState:
        """Raises: KeyError: it never passed the gate."""
        return self.instructions[client_id].state

    def of(self, account: AccountId, states: Iterable[InstructionState]) -> list[Instruction]:
        """The account's instructions that are in one of these states, oldest first."""
        wanted = frozenset(states)
        return [i for i in self.instructions.values() if i.state in wanted and i.request.account == account]

    def settling(self, account: AccountId) -> list[Instruction]:
        """Done or ended, but the account has not shown yet what they did."""
        return [i for i in self.of(account, (_DONE, _ENDED)) if i.held]

    def unbooked(self, account: AccountId) -> list[tuple[SubmitInstruction, bool]]:
        """Those whose doing our book may lack, and whether each still waits at the broker."""
        left = [i for i in self.instructions.values() if i.held and i.costs and i.state is not _QUEUED]
        return [(i.request, i.state is _STANDING) for i in left if i.request.account == account]

    # --- what goes on without us --------------------------------------------------------------------------------------

    def on_latch(self, latch: LatchSet) -> None:
        """A latch stops nothing that waits at the broker: a person must know."""
        kind, _, name = latch.scope.partition(":")
        fields = {"account": "account", "strategy": "strategy", "symbol": "instrument"}
        self._warn_of(lambda request: kind == "all" or getattr(request, fields.get(kind, ""), None) == name, latch)

    def on_stopped(self, event: StrategyStopped) -> None:
        """What has not left does not; a condition outlives the strategy that made it."""
        for client_id, known in list(self.instructions.items()):
            if known.state is _QUEUED and known.request.strategy == event.strategy:
                self.withdraw(client_id, "its strategy was stopped before it was sent")
        self._warn_of(lambda request: request.strategy == event.strategy, event)

    def _warn_of(self, concerns: Callable[[SubmitInstruction], bool], event: LatchSet | StrategyStopped) -> None:
        for known in self.instructions.values():
            request = known.request
            if known.state is _STANDING and concerns(request):
                text = f"{request.name} of {request.instrument} still stands at the broker; cancel_conditions deletes"
                self._publish(Alert(ts_ns=event.ts_ns, about=f"instruction:{request.client_id}", text=text))

    # --- recovery -----------------------------------------------------------------------------------------------------

    def relive(self, row: JournalRecord) -> None:
        """One record of a life before this one, as it was; nobody hears of it again."""
        match row:
            case InstructionSubmitted():
                self._count(row.instruction)
                self._adopt(row)
            case InstructionDenied():
                self._count(row.instruction)
            case InstructionSent():
                self._send(row)
            case InstructionReport():
                self._move(self.instructions[row.client_id], row)
            case InstructionSettled():
                self._release(self.instructions[row.client_id])

    def left_open(self) -> None:
        """What a crash says: never sent is proven so; sent without an answer is UNKNOWN."""
        for client_id, known in list(self.instructions.items()):
            if known.state is _QUEUED:
                self.withdraw(client_id, "the engine stopped before it was sent")
            elif known.state is _PENDING:
                self.on_report(
                    InstructionReport(
                        account=known.request.account,
                        client_id=client_id,
                        state=_UNKNOWN,
                        ts_ns=self._clock.now_ns,
                        reason="the engine stopped before it heard an answer",
                    )
                )

    # --- inside -------------------------------------------------------------------------------------------------------

    def _count(self, command: SubmitInstruction) -> None:
        self.made[command.strategy] = self.made.get(command.strategy, 0) + 1

    def _tell(self, instruction: SubmitInstruction, report: InstructionReport) -> None:
        self._publish(InstructionChanged(instruction=instruction, report=report))

    def _alert(self, report: InstructionReport, text: str) -> None:
        self._publish(Alert(ts_ns=report.ts_ns, about=f"account:{report.account}", text=text))
