"""The words of an order's life: its states, the kinds of evidence about it, and the report that carries one."""

import enum
from decimal import Decimal

from msgspec import Struct

from engine.domain.ids import AccountId, ClientOrderId, VenueOrderId


class OrderState(enum.StrEnum):
    CREATED = "created"
    DENIED = "denied"
    QUEUED = "queued"
    PENDING_NEW = "pending_new"
    UNKNOWN = "unknown"
    WORKING = "working"
    PARTIAL = "partial"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    NOT_PLACED = "not_placed"
    DISPUTED = "disputed"


class Proof(enum.StrEnum):
    """How a terminal state is known; only what was ``inferred`` may re-open by itself."""

    NONE = ""
    VENUE = "venue"
    LOCAL = "local"
    INFERRED = "inferred"
    OPERATOR = "operator"


class Evidence(enum.StrEnum):
    """Normalised evidence about one order; the columns of ``TABLE``, then local requests and repairs."""

    RISK_OK = "risk_ok"
    RISK_DENY = "risk_deny"
    SEND = "send"
    SEND_FAILED = "send_failed"
    ACK = "ack"
    REJECT = "reject"
    AMBIGUOUS = "ambiguous"
    FILL = "fill"
    DUPLICATE = "duplicate"
    WORKING = "working"
    CANCELED = "canceled"
    EXPIRED = "expired"
    ABSENT = "absent"
    CANDIDATES = "candidates"
    CANCEL_REQUEST = "cancel_request"
    CANCEL_REJECT = "cancel_reject"
    CANCEL_AMBIGUOUS = "cancel_ambiguous"
    REPLACE_REQUEST = "replace_request"
    REPLACE_ACK = "replace_ack"
    REPLACE_REJECT = "replace_reject"
    BUST = "bust"
    CORRECT = "correct"
    OPERATOR = "operator"


TERMINAL = frozenset(
    {
        OrderState.DENIED,
        OrderState.FILLED,
        OrderState.CANCELED,
        OrderState.REJECTED,
        OrderState.EXPIRED,
        OrderState.NOT_PLACED,
    }
)
LIVE = frozenset({OrderState.WORKING, OrderState.PARTIAL, OrderState.PENDING_CANCEL, OrderState.PENDING_REPLACE})
UNDECIDED = frozenset({OrderState.PENDING_NEW, OrderState.UNKNOWN, OrderState.DISPUTED})


class OrderReport(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="report"):
    """One piece of evidence about an order, as a router or our own gate gives it.

    ``as_of_ns`` is the moment the evidence speaks of: the venue's update time if it gives one, else the moment our
    read began; ``ts_ns`` is when we learnt it.
    """

    account: AccountId
    kind: Evidence
    ts_ns: int
    client_id: ClientOrderId = ClientOrderId("")
    """Empty until the evidence is matched to an order."""
    as_of_ns: int = 0
    venue_id: VenueOrderId = VenueOrderId("")
    quantity: int = 0
    """FILL, CORRECT: of this fill. REPLACE_REQUEST, REPLACE_ACK: the order's new quantity."""
    cum: int = 0
    """WORKING, CANCELED, EXPIRED: filled so far, as the venue says."""
    price: Decimal | None = None
    """FILL, CORRECT: of this fill. Snapshots: average of ``cum``. REPLACE_*: the new limit."""
    fee: Decimal | None = None
    fill_id: str = ""
    reason: str = ""
    proof: Proof = Proof.VENUE
    to: OrderState | None = None
    """OPERATOR: the state a person resolved it to, terminal or live. A terminal one stands whatever comes (quantities
    are still booked, and contradict NOT_PLACED and REJECTED); a live one voids the rows and refusals up to its as-of
    and lets evidence decide again."""


class Change(Struct, frozen=True, gc=False):
    """What one piece of evidence did."""

    before: OrderState
    after: OrderState
    cum_delta: int = 0
    alert: str = ""
    """Why a person must look; empty if nobody must."""
    ignored: bool = False
    impossible: bool = False
    """The evidence can not be this order's: it belongs to an EXTERNAL one."""
