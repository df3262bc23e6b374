"""Everything that is known of one order: where it stands, and the evidence that put it there.

Nearly every order is sent, acknowledged and filled; what only the others need is kept where it costs those nothing.
"""

from collections.abc import Mapping
from decimal import Decimal

from engine.domain.commands import SubmitOrder
from engine.domain.evidence import OrderReport, OrderState
from engine.domain.ids import VenueOrderId

_CREATED, _QUEUED = OrderState.CREATED, OrderState.QUEUED
_NO_VENUE_ID, _ZERO = VenueOrderId(""), Decimal(0)


class Known:
    """What ``Order`` joins. As-of moments are ns, -1 for never."""

    __slots__ = (
        "__dict__", "_acked", "_fills", "_odd", "_quantity", "_queued", "_sent", "cum", "fee", "price",
        "request", "sent_ns", "state", "value", "venue_id",
    )  # fmt: skip

    # What the rare order knows besides, until it does.
    reason: str = ""
    cancel_pending: bool = False
    cancel_uncertain: bool = False
    needs_snapshot: bool = False
    unwritten: tuple[OrderReport, ...] = ()
    """Rows of the venue's list that changed nothing, so are in no journal; a contradiction or bust may need them."""
    withdrawn_before_send: bool = False
    replace_pending: int = 0
    """The larger quantity while a replace is outstanding; 0 when none is."""
    _replaced: bool = False
    _cancel_asked: bool = False
    _replace_asked: int = 0
    _replaced_as_of: int = -1
    _void_as_of: int = -1
    _restated: bool = False
    """A snapshot, bust or correction is known: quantities are no longer the plain sum of the fills."""
    _corrections: Mapping[str, tuple[int, int, Decimal]] = {}
    _busted: frozenset[str] = frozenset()
    _bust_as_of: int = -1
    _snapshots: tuple[tuple[int, int, Decimal | None], ...] = ()
    _working_as_of: int = -1
    _cancel_as_of: int = -1
    _expire_as_of: int = -1
    _closed_as_of: int = -1
    _denied: bool = False
    _unsent: bool = False
    _rejected: bool = False
    _ambiguous: bool = False
    _absent: bool = False
    _candidates: bool = False
    _operator: OrderState | None = None

    def __init__(self, request: SubmitOrder, *, queued: bool = False) -> None:
        """``queued``: RISK_OK is known of it already."""
        self.request = request
        self.state = _QUEUED if queued else _CREATED
        self.venue_id = _NO_VENUE_ID
        self.price = request.price
        self.cum = 0
        self.value = _ZERO
        """Sum of price x quantity over ``cum``; the inferred part at the venue's average or the limit."""
        self.fee = _ZERO
        self.sent_ns = 0
        self._quantity = request.quantity
        self._queued = queued
        self._sent = self._acked = False
        self._odd = False
        """Something else than being sent, acknowledged and filled is known: only the whole join may judge it."""
        self._fills: dict[str, tuple[int, Decimal, Decimal]] = {}

    @property
    def quantity(self) -> int:
        return max(self._quantity, self.cum) if self._replaced else self._quantity

    @property
    def standing(self) -> tuple[object, ...]:
        """What evidence may change besides state and quantity, and late evidence may bring to light."""
        return (
            self.venue_id, self.cancel_pending, self.replace_pending, self.value, self.fee, self.price, self.quantity,
            self._replaced, self._replace_asked, self._cancel_asked, self.cancel_uncertain, self._acked,
            self._rejected, self._closed_as_of >= 0, self._cancel_as_of >= 0,
        )  # fmt: skip
