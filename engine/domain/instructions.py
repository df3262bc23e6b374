"""Instructions: what a broker's own server or client is asked to do for us, beyond an order of ours.

A condition waits at the broker and buys or sells by itself, a reverse repo lends money, a subscription asks for new
shares. None of them has fills of ours to follow, so none is an order: each is its own action, passes the same gate, is
journaled before it leaves, leaves once, and keeps its worst case reserved until it is decided (RELIABILITY 3.4).
"""

import enum
from decimal import Decimal

from msgspec import Struct

from engine.domain.commands import Side
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId


class ConditionBuy(Struct, frozen=True, kw_only=True, gc=False, tag="condition_buy"):
    """The broker buys ``quantity`` when the price reaches ``target_price``; kept for ``expire_days`` calendar days."""

    target_price: Decimal
    quantity: int
    expire_days: int = 30


class StopLossProfit(Struct, frozen=True, kw_only=True, gc=False, tag="stop_loss_profit"):
    """The broker sells ``quantity`` of a holding when it has lost or won so many percent of its cost."""

    stop_loss_percent: Decimal
    stop_profit_percent: Decimal
    quantity: int
    expire_days: int = 30


class CancelConditions(Struct, frozen=True, kw_only=True, gc=False, tag="cancel_conditions"):
    """Every standing condition of the instrument on that side is deleted, whoever made it."""

    side: Side


class ReverseRepo(Struct, frozen=True, kw_only=True, gc=False, tag="reverse_repo"):
    """``amount`` yuan are lent for the term that the instrument stands for (204001.SH: one day, Shanghai)."""

    amount: int


class SubscribeIpo(Struct, frozen=True, kw_only=True, gc=False, tag="subscribe_ipo"):
    """Every new share of the day is subscribed for, all or nothing; names no instrument."""


Action = ConditionBuy | StopLossProfit | CancelConditions | ReverseRepo | SubscribeIpo


CONDITIONS = (ConditionBuy, StopLossProfit)
"""What waits at the broker and trades by itself."""


class SubmitInstruction(Struct, frozen=True, kw_only=True):
    """One instruction as its author wants it; ``instrument`` is empty where the action names none."""

    client_id: ClientOrderId
    account: AccountId
    strategy: StrategyId
    action: Action
    ts_ns: int
    instrument: InstrumentId = InstrumentId("")

    @property
    def side(self) -> Side:
        """On which side of its instrument the broker's rows could be its doing; a loan is listed as a sale."""
        action = self.action
        if isinstance(action, CancelConditions):
            return action.side
        return Side.SELL if isinstance(action, StopLossProfit | ReverseRepo) else Side.BUY

    @property
    def name(self) -> str:
        """The action's word: ``condition_buy``."""
        return str(self.action.__struct_config__.tag)


class InstructionState(enum.StrEnum):
    DENIED = "denied"
    """Our own gate said no; nothing was sent."""
    QUEUED = "queued"
    PENDING = "pending"
    """Sent, answer on its way."""
    UNKNOWN = "unknown"
    """May or may not have been done: evidence is being sought, nothing is sent again."""
    STANDING = "standing"
    """The broker's own list shows it waiting."""
    DONE = "done"
    REFUSED = "refused"
    NOT_PLACED = "not_placed"
    """Proven never to have been done."""
    ENDED = "ended"
    """It stood, and no longer does: triggered, expired or deleted."""


DECIDED = frozenset(
    {
        InstructionState.DENIED,
        InstructionState.DONE,
        InstructionState.REFUSED,
        InstructionState.NOT_PLACED,
        InstructionState.ENDED,
    }
)


class InstructionReport(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="instruction_report"):
    """What became of an instruction, as a router or our own gate says."""

    account: AccountId
    client_id: ClientOrderId
    state: InstructionState
    ts_ns: int
    code: str = ""
    """DENIED: as of an order's denial."""
    reason: str = ""
    details: dict[str, str] = {}
    """What the broker said besides, as an interest rate."""
