"""What a person may do to a run besides stopping it: place and withdraw orders; strategies: ``strategy_hands.py``.

An order by hand goes the way of a strategy's: the same gate, the same limits, the same journal; its strategy is
``operator`` (``gate.BY_HAND``).
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from engine.domain.commands import CancelOrder, Offset, OrderType, Side, SubmitOrder, TimeInForce
from engine.domain.events import OrderDenied
from engine.domain.evidence import TERMINAL
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId
from engine.domain.reconciled import OperatorActed
from engine.runtime.gate import BY_HAND
from engine.runtime.operator import Act
from engine.runtime.operator_commands import MISTAKE, NO, Answer, Cancel, Place
from engine.runtime.strategy_hands import StrategyHands

if TYPE_CHECKING:
    from engine.runtime.live import LiveRun

_KEY = re.compile(r"[A-Za-z0-9_-]{0,32}")
QUANTITY_MAX = 10**12


class Hands:
    """Over one run."""

    def __init__(self, run: "LiveRun", denials: Sequence[OrderDenied]) -> None:
        """``denials``: of late, the newest last."""
        self._run = run
        self._denials = denials
        self._core = run.core
        self._made = 0

    def acts(self) -> Mapping[type, Act]:
        """By command, for ``Operator``."""
        return {Place: self.place, Cancel: self.cancel, **StrategyHands(self._run).acts()}

    # --- orders ------------------------------------------------------------------------------------------------------

    async def place(self, command: Place) -> Answer:
        """Hand an order to the gate; the answer says what the gate made of it."""
        try:
            order = self._order(command)
        except ValueError as why:
            return Answer(text=str(why), exit_code=MISTAKE)
        if not self._run.ready.is_set():
            return Answer(text="the run is not ready to trade yet", exit_code=NO)
        known = self._core.manager.orders.get(order.client_id)
        if known is not None:
            details = {"client_id": order.client_id, "state": known.state, "again": True}
            return Answer(text=f"{order.client_id} was placed before: it is {known.state}", details=details)
        denial = self._denial_of(order.client_id)
        if denial is not None:
            return _denied(denial, again=True)
        words = f"{order.side} {order.quantity} {order.instrument} {order.type} {order.price or ''}".rstrip()
        self._journal(command.who, "place", f"order:{order.client_id}", command.reason, "", words)
        self._core.bus.publish(order)
        placed = self._core.manager.orders.get(order.client_id)
        if placed is not None:
            details = {"client_id": order.client_id, "state": placed.state, "again": False}
            return Answer(text=f"{order.client_id}: {words} is {placed.state}", details=details)
        denial = self._denial_of(order.client_id)
        if denial is not None:
            return _denied(denial, again=False)
        # Types a venue does not have are kept and played by the engine (docs/orders.md).
        details = {"client_id": order.client_id, "state": "kept", "again": False}
        return Answer(text=f"{order.client_id}: {words} is kept by the engine", details=details)

    def _denial_of(self, client_id: ClientOrderId) -> OrderDenied | None:
        return next((event for event in reversed(self._denials) if event.client_id == client_id), None)

    def _order(self, command: Place) -> SubmitOrder:
        """Raises: ValueError: a word is none, or an account or instrument is not known; one sentence."""
        core = self._core
        account, spec = AccountId(command.account), core.instruments.get(InstrumentId(command.instrument))
        if account not in core.portfolio.accounts:
            raise ValueError(
                f"there is no account {command.account!r}; there are: {', '.join(core.portfolio.accounts)}"
            )
        if spec is None:
            raise ValueError(f"instrument {command.instrument!r} is not known; add it to the instruments file")
        if not _KEY.fullmatch(command.key):
            raise ValueError("a key has at most 32 letters, digits, - and _")
        if not 0 < command.quantity <= QUANTITY_MAX:
            raise ValueError(f"quantity {command.quantity} is none; write 1 or more")
        for name, price in (("price", command.price), ("stop_price", command.stop_price)):
            if price is not None and not (price.is_finite() and 0 < price < 10**12):
                raise ValueError(f"{name} {price} is none; write a number above 0")
        return SubmitOrder(
            client_id=self._name(command.key),
            account=account,
            strategy=BY_HAND,
            instrument=spec.id,
            side=Side(command.side),
            quantity=command.quantity,
            ts_ns=core.clock.now_ns,
            type=OrderType(command.kind or ("market" if command.price is None else "limit")),
            price=None if command.price is None else spec.round_price(command.price),
            stop_price=None if command.stop_price is None else spec.round_price(command.stop_price),
            tif=TimeInForce(command.tif),
            offset=Offset(command.offset),
        )

    def _name(self, key: str) -> ClientOrderId:
        """A new client id; the same key gives the same."""
        if key:
            return ClientOrderId(f"{BY_HAND}-k-{key}")
        self._made = 1 + (self._made or self._core.manager.orders_made.get(BY_HAND, 0))
        tag = self._run.spec.run_tag
        return ClientOrderId(f"{BY_HAND}-{tag}-{self._made}" if tag else f"{BY_HAND}-{self._made}")

    async def cancel(self, command: Cancel) -> Answer:
        """Withdraw one order; no limit and no latch refuses that."""
        name = ClientOrderId(command.client_id)
        order = self._core.manager.orders.get(name)
        if order is None:
            return Answer(text=f"there is no order {command.client_id!r} of late", exit_code=MISTAKE)
        before = order.state
        if before in TERMINAL:
            return Answer(text=f"{name} is {before} already", exit_code=NO, details={"state": before})
        self._journal(command.who, "cancel", f"order:{name}", command.reason, str(before), "cancel asked for")
        self._core.bus.publish(CancelOrder(client_id=name, ts_ns=self._core.clock.now_ns, who=command.who))
        return Answer(text=f"{name}: withdrawal asked for; it is {order.state}", details={"state": order.state})

    def _journal(self, who: str, command: str, about: str, reason: str, before: str, after: str) -> None:
        ts_ns = self._core.clock.now_ns
        self._core.journal.append(
            OperatorActed(ts_ns=ts_ns, who=who, command=command, about=about, reason=reason, before=before, after=after)
        )


def _denied(denial: OrderDenied, *, again: bool) -> Answer:
    details = {"client_id": denial.client_id, "state": "denied", "code": denial.code, "reason": denial.reason}
    return Answer(text=f"denied: {denial.reason}", exit_code=NO, details={**details, "again": again})
