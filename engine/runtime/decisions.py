"""What strategies decided, read from a journal: orders, changes, cancels, instructions, and where one was stopped.

Client ids, account names and what the venue made of it are left aside: two runs of one strategy decide the same if
these rows are the same.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from engine.domain.commands import SubmitOrder
from engine.domain.events import (
    InstructionDenied,
    InstructionSubmitted,
    JournalRecord,
    OrderDenied,
    OrderSubmitted,
    StrategyStopped,
)
from engine.domain.evidence import Evidence, OrderReport
from engine.domain.instructions import SubmitInstruction
from engine.domain.timestamps import format_time
from engine.runner import RUN_ENDED

ORDER, CANCEL, REPLACE, INSTRUCTION, STOPPED = "order", "cancel", "replace", "instruction", "stopped"
_NOT_TERMS = ("client_id", "account", "strategy", "ts_ns", "group")


class Decision(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decision of one strategy. ``terms`` are as the journal has them; amounts are text."""

    strategy: str
    kind: str
    ts_ns: int
    terms: dict[str, Any]
    """Of an order: instrument, side, quantity, type, price and so on. Of a cancel: those of the order it is for."""
    client_id: str
    denied: str = ""
    """The code by which our own checks refused it; empty: it went on."""
    reason: str = ""

    @property
    def said(self) -> tuple[Any, ...]:
        """What two runs are compared by."""
        return self.strategy, self.kind, self.ts_ns, self.terms, self.denied

    def text(self, tz: str = "UTC") -> str:
        """One line for people: ``2026-03-02 09:31:00 order buy 100 600000.SH market``."""
        told = dict(self.terms)
        first = [str(told.pop(name)) for name in ("side", "quantity", "instrument", "type") if name in told]
        price = told.pop("price", None)
        words = [*first, f"at {price}" if price is not None else "", *(f"{k} {v}" for k, v in told.items())]
        refused = f"denied {self.denied}: {self.reason}" if self.denied else ""
        return " ".join(word for word in (format_time(self.ts_ns, tz)[:19], self.kind, *words, refused) if word)


def decisions_of(records: Iterable[tuple[int, JournalRecord]]) -> list[Decision]:
    """Every decision of a journal, in its order. Who asked for a cancel is not in a journal: all of them are here."""
    orders: dict[str, SubmitOrder] = {}
    found: list[Decision] = []
    for _, record in records:
        made = _decision(record, orders)
        if made is not None:
            found.append(made)
    return found


def _decision(record: JournalRecord, orders: dict[str, SubmitOrder]) -> Decision | None:
    match record:
        case OrderSubmitted():
            orders[record.client_id] = record.order
            return _order(record.order)
        case OrderDenied():
            return _order(record.order, record.code, record.reason)
        case OrderReport(kind=Evidence.CANCEL_REQUEST | Evidence.REPLACE_REQUEST):
            return _request(record, orders)
        case InstructionSubmitted():
            return _instruction(record.instruction)
        case InstructionDenied():
            return _instruction(record.instruction, record.code, record.reason)
        case StrategyStopped():
            if record.reason == RUN_ENDED:
                return None
            return Decision(
                strategy=record.strategy, kind=STOPPED, ts_ns=record.ts_ns, terms={"why": record.reason}, client_id=""
            )
    return None


def terms_of(order: SubmitOrder) -> dict[str, Any]:
    """What was asked for, without who asked and by which id; parts left at their default are left out."""
    plain: dict[str, Any] = msgspec.to_builtins(order)
    plain.setdefault("type", order.type.value)
    return {name: value for name, value in plain.items() if name not in _NOT_TERMS}


def _order(order: SubmitOrder, denied: str = "", reason: str = "") -> Decision:
    return Decision(
        strategy=order.strategy,
        kind=ORDER,
        ts_ns=order.ts_ns,
        terms=terms_of(order),
        client_id=order.client_id,
        denied=denied,
        reason=reason,
    )


def _request(report: OrderReport, orders: dict[str, SubmitOrder]) -> Decision | None:
    order = orders.get(report.client_id)
    if order is None:
        return None
    kind = CANCEL if report.kind is Evidence.CANCEL_REQUEST else REPLACE
    terms = terms_of(order)
    if kind == REPLACE:
        terms |= {"new_quantity": report.quantity, "new_price": None if report.price is None else str(report.price)}
    return Decision(
        strategy=order.strategy, kind=kind, ts_ns=report.ts_ns, terms=terms, client_id=report.client_id
    )  # fmt: skip


def _instruction(asked: SubmitInstruction, denied: str = "", reason: str = "") -> Decision:
    action: dict[str, Any] = msgspec.to_builtins(asked.action)
    terms = {"instrument": str(asked.instrument), "action": action.pop("type", asked.name), **action}
    return Decision(
        strategy=asked.strategy,
        kind=INSTRUCTION,
        ts_ns=asked.ts_ns,
        terms=terms,
        client_id=asked.client_id,
        denied=denied,
        reason=reason,
    )
