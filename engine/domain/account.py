"""What a venue says of an account: rows as read, with the moment they speak of and whether they are all there."""

import enum
from decimal import Decimal

from msgspec import Struct

from engine.domain.commands import OrderType, Side, TimeInForce
from engine.domain.ids import AccountId, InstrumentId, VenueOrderId
from engine.domain.order import Evidence


class Environment(enum.StrEnum):
    SIMULATED = "simulated"
    REAL = "real"


class Balance(Struct, frozen=True, kw_only=True, gc=False):
    currency: str
    total: Decimal
    available: Decimal


class PositionRow(Struct, frozen=True, kw_only=True, gc=False):
    """One holding; ``sellable`` is None where the venue does not say."""

    instrument: InstrumentId
    quantity: int
    sellable: int | None = None
    average_price: Decimal | None = None


class OrderRow(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One row of a venue's order list, normalised."""

    instrument: InstrumentId
    side: Side | None
    quantity: int
    price: Decimal | None
    status: Evidence
    """WORKING, CANCELED, EXPIRED, REJECT, or FILL when complete; AMBIGUOUS where the venue itself does not know."""
    cum: int = 0
    average_price: Decimal | None = None
    venue_id: VenueOrderId = VenueOrderId("")
    other_id: VenueOrderId = VenueOrderId("")
    """The venue's second number of the same order, where it has two and an answer may give either."""
    client_tag: str = ""
    """Our own id as the venue echoes it, where it does."""
    ts_ns: int = 0
    """When the order was entered, by the venue's clock; 0 where the list does not say."""
    as_of_ns: int = 0
    reason: str = ""


class FillRow(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One execution as a venue's list or push gives it."""

    instrument: InstrumentId
    side: Side | None
    quantity: int
    price: Decimal
    fill_id: str = ""
    venue_id: VenueOrderId = VenueOrderId("")
    fee: Decimal | None = None
    ts_ns: int = 0


class AccountSnapshot(Struct, frozen=True, kw_only=True):
    """One reading of an account. A part that is None was not read, or the venue has no such list."""

    account: AccountId
    as_of_ns: int
    """The moment the reading began."""
    ts_ns: int
    """The moment it was complete."""
    balances: tuple[Balance, ...] | None = None
    positions: tuple[PositionRow, ...] | None = None
    orders: tuple[OrderRow, ...] | None = None
    fills: tuple[FillRow, ...] | None = None
    whole: bool = True
    """Whether every order of the day is among ``orders``. False where the list may be short: an empty table that
    nothing confirms, a known row that is missing, a venue that lists live orders only."""
    live_only: bool = False
    """The venue lists live orders only, as far as is known: one that was listed and is no more is over, unless the
    reading failed."""
    past: bool | None = None
    """Whether orders of earlier days that were asked for are among ``orders`` where the venue has them: False where its
    history shows nothing at all, None where it was not asked."""

    @property
    def shows_all(self) -> bool:
        """Whether an order that is not among ``orders`` is not there, and never was: holdings need not be asked."""
        return self.whole and not self.live_only

    def shows_as(self, other: "AccountSnapshot | None") -> bool:
        """Whether another reading shows the same holdings and money."""
        return (
            other is not None
            and self.positions is not None
            and other.positions is not None
            and sorted((row.instrument, row.quantity) for row in self.positions)
            == sorted((row.instrument, row.quantity) for row in other.positions)
            and self.balances == other.balances
        )


class Baseline(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the account looked like before an order left, so that its traces can be told apart afterwards."""

    as_of_ns: int
    position: int = 0
    cash: Decimal | None = None
    order_ids: tuple[str, ...] = ()
    price: Decimal | None = None
    """The instrument's latest price: the one the order was decided on."""


class CancelScope(enum.StrEnum):
    """What one cancel request of the venue reaches."""

    NONE = "none"
    ORDER = "order"
    SYMBOL_SIDE = "symbol_side"


class Capabilities(Struct, frozen=True, kw_only=True):
    """The sheet of RELIABILITY 3.4 as data; what is not declared is not supported, and denied."""

    gateway: str
    order_types: frozenset[OrderType]
    sides: frozenset[Side] = frozenset({Side.BUY, Side.SELL})
    tifs: frozenset[TimeInForce] = frozenset({TimeInForce.DAY})
    echoes_client_id: bool = False
    gives_venue_id: bool = False
    lists_orders: bool = False
    lists_fills: bool = False
    lists_past: bool = False
    """Whether it has a history: an order of an earlier day can be asked for (``ReadsPast``). Without one its list
    speaks of its own day alone."""
    cancel_scope: CancelScope = CancelScope.NONE
    replaces: bool = False
    max_lag_ns: int = 5_000_000_000
    """The longest an executed order may take to show up in the account."""
    late_max_ns: int = 0
    """The longest after its send marker that a request without an answer may still be executed: before that, and before
    ``max_lag_ns``, no reading proves that it was not (RELIABILITY 5.1, N6)."""
    in_flight_max: int = 1
    in_flight_scope: str = "account"
    """``account``, ``symbol_side`` or ``none``: among what ``in_flight_max`` is counted."""
    min_spacing_ns: int = 0
    orders_per_minute: int = 60
    snapshot_period_ns: int = 60_000_000_000
