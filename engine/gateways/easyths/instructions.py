"""Conditions and reverse repos: sent once, then looked for in the client's own lists (contracts/easyths.md 5.7, 5.8).

None of them has a number. A condition is told by code, side and quantity, a repo by its code among the orders.
"""

from collections.abc import Callable, Sequence
from typing import Any

from engine.clock import Clock
from engine.domain.account import OrderRow
from engine.domain.commands import Side
from engine.domain.errors import ConfigError, GatewayError, NotSent, OutcomeUnknown, Refused
from engine.domain.ids import AccountId, code_of
from engine.domain.instructions import (
    CancelConditions,
    ConditionBuy,
    InstructionReport,
    InstructionState,
    ReverseRepo,
    StopLossProfit,
    SubmitInstruction,
)
from engine.domain.timestamps import SECOND_NS, parse_time
from engine.gateways.easyths import answers
from engine.gateways.easyths.client import EasythsClient
from engine.gateways.easyths.daybook import DayBook
from engine.gateways.easyths.instruments import REPO_TERMS, code_to_wire
from engine.gateways.easyths.messages import Finished
from engine.gateways.easyths.operations import BUY_WORD, SELL_WORD, body_of
from engine.gateways.easyths.reading import AccountReader
from engine.gateways.easyths.rows import Condition

ACTIONS: frozenset[type] = frozenset({ConditionBuy, StopLossProfit, CancelConditions, ReverseRepo})
LOOKS = 3
LOOK_NS = SECOND_NS
APART_NS = 5 * SECOND_NS
"""Two looks that agree prove absence only if they are this far apart (RELIABILITY 3.5 b)."""
EARLY_NS = 2 * SECOND_NS
"""The client's clock may place our entry this much before our sending."""

_S = InstructionState


class InstructionDesk:
    """One account's instructions; whoever calls holds the client's turn."""

    def __init__(
        self, client: EasythsClient, reader: AccountReader, book: DayBook, clock: Clock, account: AccountId, *,
        alert: Callable[[str, str], None], late_ns: int, timezone: str,
    ) -> None:  # fmt: skip
        self._client = client
        self._reader = reader
        self._book = book
        self._clock = clock
        self._account = account
        self._alert = alert
        self._late_ns = late_ns
        self._timezone = timezone
        self._sent: set[str] = set()
        self._stood: dict[str, list[str]] = {}
        """Client id -> when the client made what may be it, as it shows it: what tells it from equal ones."""
        self._absent_ns: dict[str, int] = {}

    def encode(self, instruction: SubmitInstruction) -> bytes:
        """Raises: NotSent: this server can not do it exactly as it is."""
        try:
            name, given = _operation(instruction)
            return body_of(name, given, newer=self._client.is_newer)
        except ConfigError as error:
            raise NotSent(str(error)) from error

    async def perform(self, instruction: SubmitInstruction, body: bytes) -> InstructionReport:
        """See ``EasythsRouter.perform``."""
        try:
            name, _ = _operation(instruction)
            before = await self._traces(instruction)
        except (ConfigError, GatewayError) as error:
            raise NotSent(f"not sent, as what is there before could not be read: {error}") from error
        self._book.sending()
        self._sent.add(instruction.client_id)
        finished = await self._client.perform(name, body, changes=True)
        if not finished.success and answers.is_refusal(finished.message):
            raise Refused(finished.message)
        for number in range(LOOKS):
            if number:
                await self._clock.sleep(LOOK_NS)
            try:
                after = await self._traces(instruction)
            except GatewayError:
                continue
            report = self._verified(instruction, before, after, finished)
            if report is not None:
                return report
        raise self._unverified(instruction, name, finished)

    def _verified(
        self, instruction: SubmitInstruction, before: Sequence[Any], after: Sequence[Any], finished: Finished
    ) -> InstructionReport | None:
        details = {"text": finished.message} if finished.message else {}
        match instruction.action:
            case CancelConditions():
                gone = not after and (finished.success or bool(before))
                count = finished.data.get("deleted_count") if isinstance(finished.data, dict) else None
                details |= {} if count is None else {"deleted": str(count)}
                return self._report(instruction, _S.DONE, details=details) if gone else None
            case ReverseRepo():
                return self._lent(instruction, before, after)
            case _:
                if len(after) <= len(before):
                    return None
                known = [one.created for one in before]
                self._stood[instruction.client_id] = [one.created for one in after if one.created not in known]
                return self._report(instruction, _S.STANDING, details=details)

    def _lent(
        self, instruction: SubmitInstruction, before: Sequence[OrderRow], after: Sequence[OrderRow]
    ) -> InstructionReport | None:
        """A new row of its code. One of another term means that the client lent at the line chosen before.

        Raises:
            OutcomeUnknown: it did.
        """
        known = {row.venue_id for row in before}
        new = [row for row in after if row.venue_id not in known]
        mine = [row for row in new if code_of(row.instrument) == code_of(instruction.instrument)]
        if mine:
            return self._report(instruction, _S.DONE, details=_repo_details(mine[0]))
        if new:
            text = f"{new[0].instrument} was lent on instead of {instruction.instrument}, order {new[0].venue_id}"
            self._alert(f"instruction:{instruction.client_id}", text)
            raise OutcomeUnknown(text)
        return None

    def _unverified(self, instruction: SubmitInstruction, name: str, finished: Finished) -> GatewayError:
        words = finished.message or "no word of why"
        form = isinstance(instruction.action, ConditionBuy | StopLossProfit)
        if not finished.success and form and finished.message.endswith(answers.FORM_FAILED):
            return Refused(f"{words}; and the client lists none")
        claim = "done" if finished.success else "failed"
        return OutcomeUnknown(f"{name}: {claim}, as the client says, but its lists do not show it: {words}")

    async def look_for(self, instruction: SubmitInstruction, since_ns: int) -> InstructionReport | None:
        """See ``EasythsRouter.look_for``."""
        began = self._clock.now_ns
        action = instruction.action
        if isinstance(action, ReverseRepo):
            return await self._look_for_repo(instruction, since_ns, began)
        listed = await self._traces(instruction)
        if isinstance(action, CancelConditions):
            old = [one for one in listed if not self._entered_since(one, since_ns + self._late_ns)]
            if not old:
                return self._decided(instruction, _S.DONE, began)
            self._absent_ns.pop(instruction.client_id, None)
            late = began >= since_ns + self._late_ns
            return self._report(instruction, _S.NOT_PLACED, reason="its conditions still stand") if late else None
        client_id = instruction.client_id
        found = [one for one in listed if self._may_be(one, client_id, since_ns)]
        if found:
            self._absent_ns.pop(client_id, None)
            self._stood.setdefault(client_id, [one.created for one in found])
            return self._report(instruction, _S.STANDING)
        if client_id in self._stood or client_id not in self._sent:
            # Of one that a life before this one sent, nobody here knows whether it ever stood.
            return self._decided(instruction, _S.ENDED, began)
        if began < since_ns + self._late_ns or await self._may_have_triggered(instruction, since_ns):
            self._absent_ns.pop(instruction.client_id, None)
            return None
        return self._decided(instruction, _S.NOT_PLACED, began)

    async def _look_for_repo(
        self, instruction: SubmitInstruction, since_ns: int, began: int
    ) -> InstructionReport | None:
        snapshot = await self._reader.snapshot()
        last_ns = since_ns + self._late_ns
        for row in snapshot.orders or ():
            in_time = not row.ts_ns or since_ns - EARLY_NS <= row.ts_ns <= last_ns
            if in_time and code_of(row.instrument) == code_of(instruction.instrument) and row.side is not Side.BUY:
                return self._report(instruction, _S.DONE, details=_repo_details(row))
        if not snapshot.whole or began < last_ns:
            self._absent_ns.pop(instruction.client_id, None)
            return None
        return self._decided(instruction, _S.NOT_PLACED, began)

    async def _may_have_triggered(self, instruction: SubmitInstruction, since_ns: int) -> bool:
        """A condition that triggers disappears, and stands in the order list instead (contract 5.7)."""
        snapshot = await self._reader.snapshot()
        side, quantity = _wanted(instruction)
        return not snapshot.whole or any(
            code_of(row.instrument) == code_of(instruction.instrument)
            and row.side in (None, side)
            and row.quantity == quantity
            and (not row.ts_ns or row.ts_ns >= since_ns - EARLY_NS)
            for row in snapshot.orders or ()
        )

    def _decided(self, instruction: SubmitInstruction, state: InstructionState, began: int) -> InstructionReport | None:
        """What a list without it says, once a second look some time later says the same: empty is no proof."""
        first = self._absent_ns.setdefault(instruction.client_id, began)
        if began - first < APART_NS:
            return None
        del self._absent_ns[instruction.client_id]
        return self._report(instruction, state, reason="two looks at the client's list show no trace of it")

    # --- what is listed ----------------------------------------------------------------------------------------------

    async def _traces(self, instruction: SubmitInstruction) -> Sequence[Any]:
        """Conditions that may be it, or repo orders of the day."""
        if isinstance(instruction.action, ReverseRepo):
            snapshot = await self._reader.snapshot()
            return [row for row in snapshot.orders or () if code_of(row.instrument) in REPO_TERMS]
        side, quantity = _wanted(instruction)
        code = code_of(instruction.instrument)
        return [
            one
            for one in await self._reader.conditions()
            if one.code == code
            and one.side in (None, side)
            and (not quantity or not one.quantities or quantity in one.quantities)
        ]

    def _may_be(self, condition: Condition, client_id: str, since_ns: int) -> bool:
        """An equal one that stood before is told from it by when it was made."""
        made = self._stood.get(client_id)
        if made is not None:
            return condition.created in made or not made
        return client_id not in self._sent or self._entered_since(condition, since_ns - EARLY_NS)

    def _entered_since(self, condition: Condition, since_ns: int) -> bool:
        """Whether it may have been made then or later; a time that can not be read says nothing against it."""
        try:
            return parse_time(condition.created, self._timezone) >= since_ns
        except ValueError:
            return True

    def _report(
        self,
        instruction: SubmitInstruction,
        state: InstructionState,
        *,
        reason: str = "",
        details: dict[str, str] | None = None,
    ) -> InstructionReport:
        return InstructionReport(
            account=self._account,
            client_id=instruction.client_id,
            state=state,
            ts_ns=self._clock.now_ns,
            reason=reason,
            details=details or {},
        )


def _wanted(instruction: SubmitInstruction) -> tuple[Side | None, int]:
    """Side and quantity that its trace shows; 0: any."""
    match instruction.action:
        case ConditionBuy(quantity=quantity):
            return Side.BUY, quantity
        case StopLossProfit(quantity=quantity):
            return Side.SELL, quantity
        case CancelConditions(side=side):
            return side, 0
    return None, 0


def _repo_details(row: OrderRow) -> dict[str, str]:
    found = {"order": str(row.venue_id), "instrument": str(row.instrument), "quantity": str(row.quantity)}
    return found if row.price is None else found | {"rate": str(row.price)}


def _operation(instruction: SubmitInstruction) -> tuple[str, dict[str, Any]]:
    """Operation and parameters.

    Raises:
        ConfigError: an instrument or action that is not to be had here.
    """
    code = code_to_wire(instruction.instrument)
    if not code:
        raise ConfigError(f"{instruction.instrument!r} is not traded here; ids are six digits and .SH, .SZ or .BJ")
    match instruction.action:
        case ConditionBuy() as buy:
            return "condition_buy", {
                "stock_code": code,
                "target_price": buy.target_price,
                "quantity": buy.quantity,
                "expire_days": buy.expire_days,
            }
        case StopLossProfit() as stop:
            return "stop_loss_profit", {
                "stock_code": code,
                "stop_loss_percent": stop.stop_loss_percent,
                "stop_profit_percent": stop.stop_profit_percent,
                "quantity": stop.quantity,
                "expire_days": stop.expire_days,
            }
        case CancelConditions(side=side):
            if side not in (Side.BUY, Side.SELL):
                raise ConfigError(f"conditions buy or sell; {side} is neither")
            word = BUY_WORD if side is Side.BUY else SELL_WORD
            return "condition_order_cancel", {"stock_code": code, "order_type": word}
        case ReverseRepo(amount=amount):
            term = REPO_TERMS.get(code)
            if term is None:
                raise ConfigError(f"{instruction.instrument} is no repo; there are {', '.join(REPO_TERMS)}")
            return "reverse_repo_buy", {"market": term[0], "time_range": term[1], "amount": amount}
        case _:
            raise ConfigError(f"no {type(instruction.action).__name__} here; subscribe to new shares in the client")
