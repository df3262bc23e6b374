"""The way out for instructions, and who looks for what became of them; one of each an account.

As ``outbox.py`` and ``evidence.py`` are for orders: an instruction leaves when its intent and its send marker are
durable and no latch forbids it, it is sent once, and its answer is told even if the run is being stopped. The router
keeps orders and instructions of one client apart by a lock of its own.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio
import msgspec
from msgspec import Struct

from engine.clock import Clock
from engine.domain.errors import BadMessage, GatewayError, JournalError, NotSent, OutcomeUnknown, Refused
from engine.domain.events import Alert, InstructionSubmitted, KillLevel
from engine.domain.ids import AccountId, ClientOrderId
from engine.domain.instructions import CancelConditions, InstructionReport, InstructionState, SubmitInstruction
from engine.domain.timestamps import SECOND_NS
from engine.instructions import Instruction, InstructionDesk
from engine.ports import Gateway, Journal, PerformsInstructions, Publish
from engine.risk.view import RiskView
from engine.runtime.outbox import AGE_MAX_NS
from engine.runtime.sheets import Account
from engine.runtime.wiring import Core

SEEK_EVERY_NS = 5 * SECOND_NS
"""How often to look for one of unknown outcome: a reading of a GUI broker takes as long by itself."""
ALERT_AFTER_NS = 120 * SECOND_NS
"""One still unknown after this is a person's to know of (RELIABILITY 3.5); it is looked for less often from then on."""

_STANDING, _UNKNOWN = InstructionState.STANDING, InstructionState.UNKNOWN
_NOT_PLACED, _REFUSED = InstructionState.NOT_PLACED, InstructionState.REFUSED
ANSWERS = frozenset({_STANDING, InstructionState.DONE})
"""What a router may say of an instruction it has just performed."""


class _Parcel(Struct, frozen=True):
    instruction: SubmitInstruction
    intent_seq: int
    queued_ns: int


class InstructionOutbox:
    """One account's way out: one instruction at a time."""

    def __init__(
        self,
        router: PerformsInstructions,
        desk: InstructionDesk,
        view: RiskView,
        journal: Journal,
        clock: Clock,
        publish: Publish,
        performed: Callable[[SubmitInstruction], None] = lambda _instruction: None,
    ) -> None:
        """``performed``: told of each whose answer has come."""
        self._router = router
        self._desk = desk
        self._view = view
        self._journal = journal
        self._clock = clock
        self._publish = publish
        self._performed = performed
        self._parcels: deque[_Parcel] = deque()
        self._wake = anyio.Event()
        self._sending = False
        self.held: Callable[[], bool] = lambda: False
        """As ``Outbox.held``."""

    @property
    def idle(self) -> bool:
        return not self._parcels and not self._sending

    def on_submitted(self, event: InstructionSubmitted) -> None:
        self._parcels.append(_Parcel(event.instruction, self._journal.next_seq - 1, self._clock.now_ns))
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled; what is being sent is finished and its answer told even then."""
        while True:
            if not self._parcels:
                self._wake = anyio.Event()
                await self._wake.wait()
                continue
            parcel = self._parcels.popleft()
            self._sending = True
            try:
                with anyio.CancelScope(shield=True):
                    await self._send(parcel)
            finally:
                self._sending = False

    async def _send(self, parcel: _Parcel) -> None:
        instruction = parcel.instruction
        client_id = instruction.client_id
        if not await self._is_durable(parcel.intent_seq, instruction):
            self._desk.withdraw(client_id, "its intent could not be written")
            return
        if self._desk.state(client_id) is not InstructionState.QUEUED:
            return
        refusal = self._last_look(parcel)
        if refusal:
            self._desk.withdraw(client_id, refusal)
            return
        try:
            body = self._router.encode_instruction(instruction)
        except NotSent as error:
            self._desk.withdraw(client_id, error.message)
            return
        marker = self._desk.mark_sent(client_id, hashlib.sha256(body).hexdigest())
        if not await self._is_durable(marker, instruction):
            self._desk.withdraw(client_id, "its send marker could not be written")
            return
        if self._latched(instruction):
            self._desk.withdraw(client_id, "latched before the first byte")
            return
        await self._perform(instruction, body)
        self._performed(instruction)

    async def _is_durable(self, seq: int, instruction: SubmitInstruction) -> bool:
        """Whether it may go on; what withdraws conditions goes on from memory when the journal has failed."""
        try:
            await self._journal.durable(seq)
        except JournalError:
            return isinstance(instruction.action, CancelConditions)
        return True

    async def _perform(self, instruction: SubmitInstruction, body: bytes) -> None:
        try:
            report = await self._router.perform(instruction, body)
        except NotSent as error:
            self._desk.withdraw(instruction.client_id, error.message)
        except Refused as error:
            self._tell(instruction, _REFUSED, error.message)
        except (OutcomeUnknown, BadMessage) as error:
            self._tell(instruction, _UNKNOWN, error.message)
        else:
            if report.state in ANSWERS:
                self._publish(addressed(report, instruction))
            else:
                self._tell(instruction, _UNKNOWN, f"the router answered {report.state}: {report.reason}")

    def _last_look(self, parcel: _Parcel) -> str:
        """Why it must not leave after all (RELIABILITY 4.1, row 27); empty: it may."""
        if isinstance(parcel.instruction.action, CancelConditions):
            return ""
        if self._clock.now_ns - parcel.queued_ns > AGE_MAX_NS:
            return f"it could not leave within {AGE_MAX_NS // SECOND_NS} s"
        if self.held():
            return "the run was away, or lags, and what was decided may be old"
        return "latched before it was sent" if self._latched(parcel.instruction) else ""

    def _latched(self, instruction: SubmitInstruction) -> bool:
        latch = self._view.latch(instruction)
        cancels = isinstance(instruction.action, CancelConditions)
        return latch is not None and latch.level >= KillLevel.HALT and not cancels

    def _tell(self, instruction: SubmitInstruction, state: InstructionState, reason: str) -> None:
        self._publish(
            InstructionReport(
                account=instruction.account,
                client_id=instruction.client_id,
                state=state,
                ts_ns=self._clock.now_ns,
                reason=reason,
            )
        )


class InstructionSeeker:
    """Looks for those of unknown outcome every few seconds; for old ones, and those that stand, once a period."""

    def __init__(
        self,
        account: AccountId,
        router: PerformsInstructions,
        desk: InstructionDesk,
        clock: Clock,
        publish: Publish,
        period_ns: int,
    ) -> None:
        """``period_ns``: the snapshot period of the account's sheet."""
        self._account = account
        self._router = router
        self._desk = desk
        self._clock = clock
        self._publish = publish
        self._period_ns = period_ns
        self._looked_ns = clock.now_ns
        self._due = False
        self._alerted: set[ClientOrderId] = set()

    def on_performed(self, instruction: SubmitInstruction) -> None:
        """Conditions may be gone: look at once."""
        self._due = self._due or isinstance(instruction.action, CancelConditions)

    async def run(self) -> None:
        """Until cancelled. It never gives up and never decides by time."""
        while True:
            await self._clock.sleep(SEEK_EVERY_NS)
            await self.look()
            self._alert()

    async def look(self) -> None:
        """One reading for each that needs one now."""
        now_ns = self._clock.now_ns
        all_due = self._due or now_ns - self._looked_ns >= self._period_ns
        if all_due:
            self._due, self._looked_ns = False, now_ns
        for known in self._desk.of(self._account, (_UNKNOWN, _STANDING)):
            if all_due or (known.state is _UNKNOWN and now_ns - known.sent_ns <= ALERT_AFTER_NS):
                await self._look_for(known)

    async def _look_for(self, known: Instruction) -> None:
        request, before = known.request, known.state
        try:
            report = await self._router.look_for(request, known.sent_ns)
        except GatewayError as error:
            self._say(request, f"looking for it failed: {error}")
            return
        # Its own answer may have come meanwhile.
        if report is not None and known.state is before:
            self._publish(addressed(report, request))

    def _alert(self) -> None:
        unknown = self._desk.of(self._account, (_UNKNOWN,))
        for known in unknown:
            client_id = known.request.client_id
            if client_id not in self._alerted and self._clock.now_ns - known.sent_ns > ALERT_AFTER_NS:
                self._alerted.add(client_id)
                self._say(known.request, "its outcome is still unknown after 120 s; its side is locked until then")
        self._alerted &= {known.request.client_id for known in unknown}

    def _say(self, request: SubmitInstruction, text: str) -> None:
        self._publish(Alert(ts_ns=self._clock.now_ns, about=f"instruction:{request.client_id}", text=text))


def addressed(report: InstructionReport, instruction: SubmitInstruction) -> InstructionReport:
    """A router's answer with the names we know it by: it was asked about this instruction and no other."""
    return msgspec.structs.replace(report, account=instruction.account, client_id=instruction.client_id)


class Instructions:
    """Every account's way out and seeker as the one venue the wiring knows."""

    def __init__(self, accounts: Sequence[Account], gateways: Mapping[str, Gateway], core: Core) -> None:
        self.boxes: dict[AccountId, InstructionOutbox] = {}
        self.seekers: dict[AccountId, InstructionSeeker] = {}
        self._desk = desk = core.instructions
        self._clock = clock = core.clock
        self._publish = publish = core.bus.publish
        view = core.view
        for account in accounts:
            router: Any = gateways[account.gateway].router
            if not isinstance(router, PerformsInstructions):
                continue
            view.performs[account.id] = router.instructions
            period_ns = view.capabilities[account.id].snapshot_period_ns
            seeker = InstructionSeeker(account.id, router, desk, clock, publish, period_ns)
            self.seekers[account.id] = seeker
            self.boxes[account.id] = InstructionOutbox(
                router, desk, view, core.journal, clock, publish, seeker.on_performed
            )

    def on_submitted(self, event: InstructionSubmitted) -> None:
        self.boxes[event.instruction.account].on_submitted(event)

    @property
    def idle(self) -> bool:
        return all(box.idle for box in self.boxes.values())

    def start(self, tasks: Any) -> None:
        """Begin to send and to look."""
        for box in self.boxes.values():
            tasks.start_soon(box.run)
        for seeker in self.seekers.values():
            tasks.start_soon(seeker.run)
        for known in self._left((_UNKNOWN, _STANDING)):
            if known.request.account not in self.seekers:
                self._say(known, f"{known.state}, but its gateway performs no instructions: nobody looks for it")

    def withdraw(self) -> None:
        """The run is being stopped: what has not left does not."""
        for known in self._left((InstructionState.QUEUED,)):
            self._desk.withdraw(known.request.client_id, "the run was stopped before it was sent")

    async def settle(self) -> None:
        """One last look for those of unknown outcome."""
        for seeker in self.seekers.values():
            await seeker.look()
        for known in self._left((_UNKNOWN,)):
            self._say(known, "stopped while its outcome is unknown")

    def _left(self, states: Sequence[InstructionState]) -> list[Instruction]:
        return [known for known in list(self._desk.instructions.values()) if known.state in states]

    def _say(self, known: Instruction, text: str) -> None:
        about = f"instruction:{known.request.client_id}"
        self._publish(Alert(ts_ns=self._clock.now_ns, about=about, text=text))
