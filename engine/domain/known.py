"""Everything that is known of one order: where it stands, and the evidence that put it there.

A struct, because thousands are made a second in a replay and one call of C fills in every default.
"""

from decimal import Decimal

from msgspec import Struct

from engine.domain.commands import SubmitOrder
from engine.domain.evidence import OrderState, Proof
from engine.domain.ids import VenueOrderId

_CREATED, _NO_PROOF, _NO_VENUE_ID, _ZERO = OrderState.CREATED, Proof.NONE, VenueOrderId(""), Decimal(0)


class Known(Struct, eq=False):
    """What ``Order`` joins. As-of moments are ns, -1 for never."""

    request: SubmitOrder
    state: OrderState = _CREATED
    proof: Proof = _NO_PROOF
    reason: str = ""
    venue_id: VenueOrderId = _NO_VENUE_ID
    price: Decimal | None = None
    cum: int = 0
    value: Decimal = _ZERO
    """Sum of price x quantity over ``cum``; the inferred part at the venue's average or the limit."""
    fee: Decimal = _ZERO
    sent_ns: int = 0
    cancel_pending: bool = False
    cancel_uncertain: bool = False
    needs_snapshot: bool = False
    withdrawn_before_send: bool = False
    replace_pending: int = 0
    """The larger quantity while a replace is outstanding; 0 when none is."""
    _quantity: int = 0
    _replaced: bool = False
    _cancel_asked: bool = False
    _queued: bool = False
    _replace_asked: int = 0
    _replaced_as_of: int = -1
    _void_as_of: int = -1
    _restated: bool = False
    """A snapshot, bust or correction is known: quantities are no longer the plain sum of the fills."""
    _fills: dict[str, tuple[int, Decimal, Decimal]] = {}
    _corrections: dict[str, tuple[int, int, Decimal]] = {}
    _busted: frozenset[str] = frozenset()
    _bust_as_of: int = -1
    _snapshots: tuple[tuple[int, int, Decimal | None], ...] = ()
    _working_as_of: int = -1
    _cancel_as_of: int = -1
    _expire_as_of: int = -1
    _closed_as_of: int = -1
    _denied: bool = False
    _sent: bool = False
    _unsent: bool = False
    _acked: bool = False
    _rejected: bool = False
    _ambiguous: bool = False
    _absent: bool = False
    _candidates: bool = False
    _seen_fill: bool = False
    _operator: OrderState | None = None

    def __post_init__(self) -> None:
        self.price = self.request.price
        self._quantity = self.request.quantity

    @property
    def quantity(self) -> int:
        return max(self._quantity, self.cum) if self._replaced else self._quantity
