"""A person's hands on the engine: stop and let go, reconcile, accept, resolve, look (RELIABILITY 2.2, 4.4).

Every command is in the journal with who gave it and what it changed. Machines only raise latches; what lowers one is
here, asks for a reason, and looks first whether the cause is gone.
"""

import hashlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from engine.domain.events import KillLevel, LatchSet, PositionAdjusted
from engine.domain.evidence import LIVE, TERMINAL, Evidence, OrderReport, OrderState, Proof
from engine.domain.ids import EXTERNAL, AccountId, ClientOrderId
from engine.domain.instructions import InstructionReport, InstructionState
from engine.domain.order import Order
from engine.domain.reconciled import OperatorActed
from engine.runtime.operator_commands import (
    CONFIRM,
    MISTAKE,
    NO,
    Accept,
    Answer,
    Command,
    Kill,
    Reconcile,
    Resolve,
    Resume,
    Status,
)
from engine.runtime.operator_status import status_of
from engine.runtime.reconciling import Reconciling, accept
from engine.runtime.wiring import Core

Act = Callable[[Any], Coroutine[Any, Any, Answer]]
LEVELS: Mapping[str, KillLevel] = {level.name.lower(): level for level in KillLevel if level is not KillLevel.RUN}
ORDER_OUTCOMES: Mapping[str, OrderState] = {
    state.value: state for state in (*sorted(TERMINAL - {OrderState.DENIED}), OrderState.WORKING, OrderState.PARTIAL)
}
INSTRUCTION_OUTCOMES: Mapping[str, InstructionState] = {
    state.value: state
    for state in (
        InstructionState.STANDING,
        InstructionState.DONE,
        InstructionState.REFUSED,
        InstructionState.NOT_PLACED,
        InstructionState.ENDED,
    )
}
NEVER_FILLED = frozenset({OrderState.REJECTED, OrderState.NOT_PLACED})
DISCONNECTED = "no account is connected: nothing can be read"


class Operator:
    """Over one core; ``live`` is what reconciles the accounts of a run, None where nothing is connected."""

    def __init__(
        self,
        core: Core,
        accounts: Mapping[AccountId, str],
        *,
        live: Reconciling | None = None,
        released: Callable[[], object] = lambda: None,
        hands: Mapping[type, Act] | None = None,
    ) -> None:
        """
        Args:
            accounts: account -> its gateway.
            released: called when the scope ``all`` was let go: whoever keeps a sentinel takes it away.
            hands: what only a run can do, by command (``operator_hands.py``).
        """
        self._core = core
        self._accounts = accounts
        self._live = live
        self._released = released
        self._hands = hands or {}

    async def do(self, command: Command) -> Answer:
        """Carry a command out; what can not be done is an answer, never an error."""
        acts: dict[type, Act] = {
            Kill: self._kill,
            Resume: self._resume,
            Reconcile: self._reconcile,
            Accept: self._accept,
            Resolve: self._resolve,
            Status: self._status,
            **self._hands,
        }
        act = acts.get(type(command))
        return Answer(text="no engine runs: start one first", exit_code=NO) if act is None else await act(command)

    # --- stopping and letting go -------------------------------------------------------------------------------------

    async def _kill(self, command: Kill) -> Answer:
        level = LEVELS.get(command.level)
        problem = self._no_scope(command.scope) or self._no_reason(command.reason)
        if level is None:
            problem = f"there is no level {command.level!r}; levels are {', '.join(LEVELS)}"
        elif level is KillLevel.FLATTEN and not command.scope.startswith("account:"):
            problem = "flatten closes positions: name the account it is for"
        if problem or level is None:
            return Answer(text=problem, exit_code=MISTAKE)
        known = self._core.view.latches.get(command.scope)
        before = _latch_text(known)
        if known is not None and known.level >= level:
            return Answer(text=f"{command.scope} is {before} already", details={"latch": before})
        self._core.manager.latch(level, command.scope, command.reason, command.who)
        after = _latch_text(self._core.view.latches[command.scope])
        self._journal(command.who, "kill", command.scope, command.reason, before, after)
        return Answer(text=f"{command.scope} is {after}", details={"latch": after})

    async def _resume(self, command: Resume) -> Answer:
        scope = command.scope
        known = self._core.view.latches.get(scope)
        problem = self._no_scope(scope) or self._no_reason(command.reason)
        if problem:
            return Answer(text=problem, exit_code=MISTAKE)
        if known is None:
            return Answer(text=f"{scope} is not latched; latched are: {self._latched() or 'none'}")
        code = challenge(known)
        if known.level >= KillLevel.CANCEL and command.confirm != code:
            text = f"{scope} is {_latch_text(known)}; to let it go say the same once more with --confirm {code}"
            return Answer(text=text, exit_code=CONFIRM, details={"confirm": code})
        problem = await self._cause(known, command.seconds) if known.level >= KillLevel.HALT else ""
        before = _latch_text(known)
        if self._core.view.latches.get(scope) is not known:
            problem = f"{scope} was latched anew meanwhile: look at status first"
        if problem:
            self._journal(command.who, "resume", scope, command.reason, before, f"refused: {problem}")
            return Answer(text=f"{scope} stays {before}: {problem}", exit_code=NO)
        self._core.manager.unlatch(scope, command.reason, command.who)
        if scope == "all":
            self._released()
        self._journal(command.who, "resume", scope, command.reason, before, "free")
        left = self._latched()
        return Answer(text=f"{scope} is free again; was {before}{f'; still latched: {left}' if left else ''}")

    async def _cause(self, latch: LatchSet, seconds: float) -> str:
        """Why a halt must stay: an account that does not reconcile, an order a person must decide first."""
        kind, _, name = latch.scope.partition(":")
        if not self._core.journal.healthy:
            return "the journal failed; start the engine anew"
        for order in self._core.manager.working.values():
            if order.state is OrderState.DISPUTED and kind == "symbol" and order.request.instrument == name:
                return f"order {order.request.client_id} is disputed; resolve it first"
        if self._live is None:
            return DISCONNECTED
        for account in [AccountId(name)] if kind == "account" else list(self._accounts):
            problem = await self._unclean(account, seconds)
            if problem:
                return problem
        return ""

    async def _unclean(self, account: AccountId, seconds: float) -> str:
        """Why an account does not reconcile now; empty: it does."""
        if self._live is None:
            return DISCONNECTED
        report = await self._live.on_demand(account, seconds)
        if report is None:
            return f"account {account} can not be read"
        if report.held:
            return f"account {account} has differences that nothing explains; look at them and say: {report.accept}"
        return f"account {account} is not reconciled yet: {report.doubt}" if report.doubt else ""

    # --- accounts ----------------------------------------------------------------------------------------------------

    async def _reconcile(self, command: Reconcile) -> Answer:
        if self._live is None:
            return Answer(text=DISCONNECTED, exit_code=NO)
        names = [AccountId(command.account)] if command.account else list(self._accounts)
        problem = self._no_scope(f"account:{command.account}") if command.account else ""
        if problem:
            return Answer(text=problem, exit_code=MISTAKE)
        reports = {name: await self._live.on_demand(name, command.seconds) for name in names}
        bad = [name for name, report in reports.items() if report is None or not report.ok]
        text = f"not reconciled: {', '.join(bad)}" if bad else f"book and venue agree: {', '.join(names)}"
        return Answer(text=text, exit_code=NO if bad else 0, details={"reports": list(reports.values())})

    async def _accept(self, command: Accept) -> Answer:
        account = AccountId(command.account)
        problem = self._no_scope(f"account:{account}") or self._no_reason(command.reason)
        if problem:
            return Answer(text=problem, exit_code=MISTAKE)
        rows = self._core.reconciler.findings.get(account, ())
        before = _latch_text(self._core.view.latches.get(f"account:{account}"))
        if not rows:
            return await self._accept_nothing(account, command)
        booked = accept(self._core, account, command.who, command.reason)
        after = _latch_text(self._core.view.latches.get(f"account:{account}"))
        found = ", ".join(row.amount for row in rows)
        self._journal(command.who, "accept", f"account:{account}", command.reason, f"{before}; held {found}", after)
        return Answer(
            text=f"{account}: booked as EXTERNAL: {found}; the account is {'' if after == 'free' else 'still '}{after}",
            details={"booked": [entry.reason for entry in booked], "latch": after},
        )

    async def _accept_nothing(self, account: AccountId, command: Accept) -> Answer:
        """Nothing is held; a latch that stood for a difference that is gone goes if a reading agrees."""
        latch = self._core.view.latches.get(f"account:{account}")
        if latch is None or latch.who != "reconciliation":
            return Answer(text=f"{account}: there is nothing to accept", details={"booked": []})
        problem = await self._unclean(account, command.seconds)
        if problem:
            return Answer(text=f"{account}: {problem}", exit_code=NO)
        accept(self._core, account, command.who, command.reason)
        before = _latch_text(latch)
        self._journal(command.who, "accept", latch.scope, command.reason, before, "free: the difference is gone")
        return Answer(text=f"{account}: the difference is gone; the account is free", details={"booked": []})

    # --- orders ------------------------------------------------------------------------------------------------------

    async def _resolve(self, command: Resolve) -> Answer:
        name = ClientOrderId(command.client_id)
        problem = self._no_reason(command.reason)
        order = self._core.manager.orders.get(name)
        if problem:
            return Answer(text=problem, exit_code=MISTAKE)
        if order is not None:
            return self._resolve_order(order, command)
        if name in self._core.instructions.instructions:
            return self._resolve_instruction(name, command)
        return Answer(text=f"there is no order or instruction {name!r}; status lists the open ones", exit_code=MISTAKE)

    def _resolve_order(self, order: Order, command: Resolve) -> Answer:
        request, before = order.request, order.state
        to = ORDER_OUTCOMES.get(command.outcome)
        filled = command.filled if command.filled >= 0 else order.quantity if to is OrderState.FILLED else order.cum
        if to is None:
            return Answer(text=f"{command.outcome!r} is no outcome; say {', '.join(ORDER_OUTCOMES)}", exit_code=MISTAKE)
        problem = _refusal(order, to, filled)
        if problem:
            return Answer(text=f"{request.client_id}: {problem}", exit_code=NO)
        cash = self._cash(request.account)
        self._report(order, Evidence.OPERATOR, command, to=to)
        if filled > order.cum:
            kind = Evidence.CANCELED if to is OrderState.CANCELED else Evidence.WORKING
            self._report(order, kind, command, cum=filled)
        self._take_back(order, filled, cash)
        after = f"{order.state} with {order.cum} filled"
        self._journal(command.who, "resolve", f"order:{request.client_id}", command.reason, str(before), after)
        latch = self._core.view.latches.get(f"symbol:{request.instrument}")
        hint = f"; symbol:{request.instrument} is still latched: resume it" if latch is not None else ""
        return Answer(text=f"{request.client_id} is {after}{hint}", details={"state": order.state, "filled": order.cum})

    def _report(self, order: Order, kind: Evidence, command: Resolve, **more: Any) -> None:
        """One piece of a person's evidence; ``price``: his average, else what the market last said."""
        now_ns = self._core.clock.now_ns
        price = command.price or order.price or self._core.view.reference(order.request.instrument)
        self._core.manager.on_report(
            OrderReport(
                account=order.request.account,
                client_id=order.request.client_id,
                kind=kind,
                ts_ns=now_ns,
                as_of_ns=now_ns,
                price=price if more.get("cum") else None,
                reason=f"{command.who}: {command.reason}",
                proof=Proof.OPERATOR,
                **more,
            )
        )

    def _take_back(self, order: Order, filled: int, cash: Mapping[str, Any]) -> None:
        """What was booked as EXTERNAL because the order may have done it is the order's now: not twice in the book."""
        request, reconciler = order.request, self._core.reconciler
        booked = reconciler.disputed_doings.get(request.client_id, 0) * request.side.sign
        back = min(max(0, booked), filled)
        if not back:
            return
        currency = self._core.instruments[request.instrument].currency
        moved = self._cash(request.account).get(currency, 0) - cash.get(currency, 0)
        self._core.book(
            PositionAdjusted(
                account=request.account,
                strategy=EXTERNAL,
                instrument=request.instrument,
                ts_ns=self._core.clock.now_ns,
                quantity=-back * request.side.sign,
                cash=-moved * back / filled,
                currency=currency,
                client_id=request.client_id,
                reason=f"resolved: {back} of {request.client_id} were booked as EXTERNAL before",
            )
        )

    def _cash(self, account: AccountId) -> dict[str, Any]:
        return dict(self._core.portfolio.accounts[account].cash)

    def _resolve_instruction(self, name: ClientOrderId, command: Resolve) -> Answer:
        desk = self._core.instructions
        known, to = desk.instructions[name], INSTRUCTION_OUTCOMES.get(command.outcome)
        if to is None:
            words = ", ".join(INSTRUCTION_OUTCOMES)
            return Answer(text=f"{command.outcome!r} is no outcome of an instruction; say {words}", exit_code=MISTAKE)
        if known.state is not InstructionState.UNKNOWN:
            return Answer(text=f"{name} is {known.state}: only what is unknown can be resolved", exit_code=NO)
        desk.on_report(
            InstructionReport(
                account=known.request.account,
                client_id=name,
                state=to,
                ts_ns=self._core.clock.now_ns,
                reason=f"{command.who}: {command.reason}",
            )
        )
        self._journal(command.who, "resolve", f"instruction:{name}", command.reason, "unknown", str(known.state))
        return Answer(text=f"{name} is {known.state}", details={"state": known.state})

    # --- looking -----------------------------------------------------------------------------------------------------

    async def _status(self, _command: Status) -> Answer:
        told = status_of(self._core, self._accounts)
        latched = self._latched()
        return Answer(text=f"latched: {latched}" if latched else "nothing is latched", details=told)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _journal(self, who: str, command: str, about: str, reason: str, before: str, after: str) -> None:
        ts_ns = self._core.clock.now_ns
        self._core.journal.append(
            OperatorActed(ts_ns=ts_ns, who=who, command=command, about=about, reason=reason, before=before, after=after)
        )

    def _latched(self) -> str:
        return ", ".join(f"{scope} {latch.level.name.lower()}" for scope, latch in self._core.view.latches.items())

    def _no_reason(self, reason: str) -> str:
        return "" if reason.strip() else "a reason is missing: it is kept in the journal"

    def _no_scope(self, scope: str) -> str:
        """What is wrong with a scope; empty: nothing."""
        kind, _, name = scope.partition(":")
        core = self._core
        strategies: Sequence[str] = [*core.runner.seats, *core.manager.orders_made]
        known: dict[str, Sequence[str]] = {
            "all": [""],
            "account": list(self._accounts),
            "strategy": strategies,
            "symbol": list(core.instruments),
        }
        if kind not in known:
            return f"there is no scope {scope!r}; say all, account:ID, strategy:NAME or symbol:INSTRUMENT"
        if name in known[kind] or scope in core.view.latches:
            return ""
        names = ", ".join(sorted(dict.fromkeys(known[kind]))[:10])
        return f"there is no {kind} {name!r}; known are: {names or 'none'}"


def challenge(latch: LatchSet) -> str:
    """Four signs that belong to this latch and no other: typing them is the second step."""
    return hashlib.sha256(f"{latch.scope} {latch.level} {latch.ts_ns} {latch.who}".encode()).hexdigest()[:4]


def _latch_text(latch: LatchSet | None) -> str:
    return "free" if latch is None else f"at level {latch.level.name.lower()} by {latch.who} ({latch.cause})"


def _refusal(order: Order, to: OrderState, filled: int) -> str:
    """Why a person's word on an order can not be taken; empty: it can."""
    if order.state not in (OrderState.UNKNOWN, OrderState.DISPUTED):
        return f"it is {order.state}: only what is unknown or disputed can be resolved"
    if filled < order.cum:
        return f"{order.cum} of it are filled already; --filled counts all"
    if filled > order.quantity:
        return f"it is an order for {order.quantity}, {filled} is more"
    if to is OrderState.FILLED and filled != order.quantity:
        return f"filled means all {order.quantity}; of a part say canceled --filled {filled}, or partial"
    if to in NEVER_FILLED and filled:
        return f"{to} means that nothing was filled, but {filled} were"
    if to is OrderState.PARTIAL and not 0 < filled < order.quantity:
        return "partial needs --filled, above 0 and below its quantity"
    if to in LIVE and to is not OrderState.PARTIAL and filled and not order.cum:
        return "working means that nothing is filled yet; say partial"
    return ""
