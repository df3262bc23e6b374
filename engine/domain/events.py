"""Events: what has happened. Past tense; each whole in itself.

Those with a ``tag`` are also rows of the journal (``JournalRecord``): enough of them, in order, rebuild every order,
position and counter.
"""

import enum
from decimal import Decimal
from typing import Any

from msgspec import Struct

from engine.domain.account import AccountSnapshot, Baseline
from engine.domain.algos import AlgoEnded, AlgoNoted, AlgoStarted
from engine.domain.commands import Offset, Side, SubmitOrder
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId, VenueOrderId
from engine.domain.instructions import InstructionReport, SubmitInstruction
from engine.domain.jobs import KeptRecord
from engine.domain.market import DataKind
from engine.domain.order import OrderReport, OrderState
from engine.domain.reconciled import OperatorActed, ReconcileEnded, ReconcileRow, ReconcileStarted

# --- orders: journaled steps -----------------------------------------------------------------------------------------


class OrderDenied(Struct, frozen=True, kw_only=True, gc=False, tag="denied"):
    """Our own risk checks said no; nothing was sent."""

    order: SubmitOrder
    ts_ns: int
    code: str
    reason: str

    @property
    def client_id(self) -> ClientOrderId:
        return self.order.client_id

    @property
    def strategy(self) -> StrategyId:
        return self.order.strategy

    @property
    def state(self) -> OrderState:
        return OrderState.DENIED


class OrderSubmitted(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="intent"):
    """INTENT: the order passed every check and what it may cost is reserved. Nothing has left yet."""

    order: SubmitOrder
    ts_ns: int
    reserved_cash: Decimal = Decimal(0)
    baseline: Baseline | None = None
    limits: str = ""
    """Hash of the limits it was judged by."""

    @property
    def client_id(self) -> ClientOrderId:
        return self.order.client_id


class OrderSent(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="send"):
    """SEND: from here on bytes may have left. ``request_hash`` is of exactly those bytes."""

    client_id: ClientOrderId
    ts_ns: int
    request_hash: str = ""


# --- orders: what strategies hear ------------------------------------------------------------------------------------


class OrderEvent(Struct, frozen=True, kw_only=True, gc=False):
    """What happened to one order. ``state`` is the order's state after it."""

    client_id: ClientOrderId
    account: AccountId
    strategy: StrategyId
    instrument: InstrumentId
    ts_ns: int
    state: OrderState
    cum: int = 0
    reason: str = ""
    venue_id: VenueOrderId = VenueOrderId("")


class OrderAccepted(OrderEvent, frozen=True, kw_only=True, gc=False):
    """The venue is proven to hold it."""


class OrderRejected(OrderEvent, frozen=True, kw_only=True, gc=False):
    """The venue said no (our own no is ``OrderDenied``)."""


class OrderUnknown(OrderEvent, frozen=True, kw_only=True, gc=False):
    """Whether it was placed can not be said yet; evidence is being sought, nothing is sent again."""


class OrderNotPlaced(OrderEvent, frozen=True, kw_only=True, gc=False):
    """Proven never to have reached the venue."""


class OrderCanceled(OrderEvent, frozen=True, kw_only=True, gc=False):
    """What was left of it is withdrawn."""


class OrderExpired(OrderEvent, frozen=True, kw_only=True, gc=False):
    """What was left of it ran out of time."""


class OrderReplaced(OrderEvent, frozen=True, kw_only=True, gc=False):
    """Price or quantity changed at the venue."""


class OrderDisputed(OrderEvent, frozen=True, kw_only=True, gc=False):
    """The evidence contradicts itself: a person must decide; its symbol is latched."""


class CancelRejected(OrderEvent, frozen=True, kw_only=True, gc=False):
    """The venue, or a router that could not cancel safely, refused to cancel; the order lives on."""


class ReplaceRejected(OrderEvent, frozen=True, kw_only=True, gc=False):
    """The venue, or our own checks, refused the change; the order lives on as it was."""


ORDER_EVENTS: tuple[type[OrderEvent], ...] = (
    OrderAccepted, OrderRejected, OrderUnknown, OrderNotPlaced, OrderCanceled, OrderExpired, OrderReplaced,
    OrderDisputed, CancelRejected, ReplaceRejected,
)  # fmt: skip


class Fill(Struct, frozen=True, kw_only=True, gc=False):
    """Our execution, or one part of it. ``inferred``: seen only as a change of the venue's totals so far."""

    client_id: ClientOrderId
    account: AccountId
    strategy: StrategyId
    instrument: InstrumentId
    side: Side
    quantity: int
    price: Decimal
    fee: Decimal
    ts_ns: int
    fill_id: str = ""
    cum: int = 0
    leaves: int = 0
    inferred: bool = False
    offset: Offset = Offset.AUTO


class PositionAdjusted(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="adjusted"):
    """A booking that is no fill: a bust, a restated price, a difference found at the venue and booked as EXTERNAL.

    ``quantity`` is signed and added to the position, ``cash`` to the account's cash. ``locked`` of it were bought today
    as far as the venue lets see, and can be sold when its market settles them.
    """

    account: AccountId
    strategy: StrategyId
    instrument: InstrumentId
    ts_ns: int
    quantity: int = 0
    cash: Decimal = Decimal(0)
    currency: str = ""
    client_id: ClientOrderId = ClientOrderId("")
    reason: str = ""
    locked: int = 0
    cost: Decimal | None = None
    """What the change of the quantity is booked at; None: the cash, or the latest price."""


# --- instructions ----------------------------------------------------------------------------------------------------


class InstructionDenied(Struct, frozen=True, kw_only=True, tag="instruction_denied"):
    """Our own gate said no to an instruction; nothing was sent."""

    instruction: SubmitInstruction
    ts_ns: int
    code: str
    reason: str


class InstructionSubmitted(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="instruction"):
    """INTENT of an instruction: it passed the gate, and its worst case is reserved. Nothing has left yet."""

    instruction: SubmitInstruction
    ts_ns: int
    worst: SubmitOrder | None = None
    """The order it comes to at worst; None where it costs nothing."""
    reserved_cash: Decimal = Decimal(0)
    limits: str = ""
    """Hash of the limits it was judged by."""

    @property
    def client_id(self) -> ClientOrderId:
        return self.instruction.client_id


class InstructionSent(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="instruction_send"):
    """SEND of an instruction: from here on bytes may have left. ``request_hash`` is of exactly those bytes."""

    client_id: ClientOrderId
    ts_ns: int
    request_hash: str = ""


class InstructionSettled(Struct, frozen=True, kw_only=True, gc=False, tag="instruction_settled"):
    """The account shows what a done or ended instruction did: its worst case is held back no longer."""

    client_id: ClientOrderId
    ts_ns: int


class InstructionChanged(Struct, frozen=True, kw_only=True):
    """What became of an instruction, once judged; strategies hear the report."""

    instruction: SubmitInstruction
    report: InstructionReport


# --- safety ----------------------------------------------------------------------------------------------------------


class KillLevel(enum.IntEnum):
    """RELIABILITY 4.4. Machines only raise it, people only lower it."""

    RUN = 0
    REDUCE = 1
    HALT = 2
    CANCEL = 3
    FLATTEN = 4


class LatchSet(Struct, frozen=True, kw_only=True, gc=False, tag="latch"):
    """``scope``: ``all``, ``account:ID``, ``strategy:ID``, ``symbol:INSTRUMENT``."""

    level: KillLevel
    scope: str
    cause: str
    who: str
    ts_ns: int


class LatchCleared(Struct, frozen=True, kw_only=True, gc=False, tag="unlatch"):
    scope: str
    reason: str
    who: str
    ts_ns: int


class Alert(Struct, frozen=True, kw_only=True, gc=False):
    """Something a person should look at."""

    ts_ns: int
    about: str
    text: str


class StrategyStopped(Struct, frozen=True, kw_only=True, gc=False, tag="stopped"):
    """A strategy was stopped, by its own failure or by request; its orders are being cancelled."""

    strategy: StrategyId
    ts_ns: int
    reason: str


# --- accounts, timers, calls -----------------------------------------------------------------------------------------


class AccountObserved(Struct, frozen=True, kw_only=True):
    """A gateway read its account, unasked or at the snapshot period."""

    snapshot: AccountSnapshot


class AccountLink(Struct, frozen=True, kw_only=True, gc=False):
    """The way to an account broke, or stands again: what happened meanwhile must be read before anything is sent."""

    account: AccountId
    ts_ns: int
    up: bool
    reason: str = ""


class TimerFired(Struct, frozen=True, kw_only=True, gc=False):
    """A timer of a strategy is due."""

    strategy: StrategyId
    timer: str
    ts_ns: int


class CallAnswered(Struct, frozen=True, kw_only=True, tag="answer"):
    """The outside answered ``ctx.call``; recorded, so that replay can say the same."""

    strategy: StrategyId
    call: int
    ts_ns: int
    value: Any = None
    error: str = ""


class SubscriptionRequested(Struct, frozen=True, kw_only=True, gc=False):
    """A strategy asked for market data."""

    strategy: StrategyId
    instrument: InstrumentId
    kind: DataKind
    interval_ns: int = 0


# --- runs ------------------------------------------------------------------------------------------------------------


class RunStarted(Struct, frozen=True, kw_only=True, tag="run"):
    """The first row of a run: what ran, on what, so that a journal explains itself."""

    ts_ns: int
    mode: str
    code_hash: str = ""
    config_hash: str = ""
    data: tuple[dict[str, Any], ...] = ()
    """Market-data sources: path, sha256, instrument, bars."""
    strategies: tuple[dict[str, Any], ...] = ()
    accounts: tuple[dict[str, Any], ...] = ()
    """Account id, base currency, starting cash as text."""
    schema: int = 1
    settings: dict[str, Any] = {}
    """What else decides the outcome: the fill model, the instruments as they were defined, their rule books."""


class EquitySampled(Struct, frozen=True, kw_only=True, gc=False, tag="equity"):
    """The account's worth at one instant, so that a report needs the journal only."""

    account: AccountId
    ts_ns: int
    equity: Decimal
    cash: Decimal


class PressNoted(Struct, frozen=True, kw_only=True, gc=False, tag="press"):
    """We were much of an instrument's last minute while its price moved (RELIABILITY 4.3): counted by the day."""

    account: AccountId
    instrument: InstrumentId
    ts_ns: int
    share: float
    """Our part of the volume."""
    move: float
    """By which part the price moved."""


class DayPriced(Struct, frozen=True, kw_only=True, gc=False, tag="day_price"):
    """What one instrument's trading day began at: the close before, or the first price; losses are counted from it."""

    instrument: InstrumentId
    day: int
    """Number of its market's trading day."""
    price: Decimal
    ts_ns: int


class RunEnded(Struct, frozen=True, kw_only=True, gc=False, tag="end"):
    ts_ns: int
    reason: str = ""


JournalRecord = (
    RunStarted | OrderDenied | OrderSubmitted | OrderSent | OrderReport | PositionAdjusted | LatchSet | LatchCleared
    | StrategyStopped | CallAnswered | EquitySampled | DayPriced | PressNoted | ReconcileEnded | RunEnded
    | InstructionDenied | InstructionSubmitted | InstructionSent | InstructionReport | InstructionSettled
    | ReconcileStarted | ReconcileRow | OperatorActed | AlgoStarted | AlgoNoted | AlgoEnded
    | KeptRecord
)  # fmt: skip
