"""What is remembered of one order at the venue."""

from decimal import Decimal

from msgspec import Struct, field

from engine.domain.evidence import OrderReport
from engine.domain.ids import ClientOrderId
from engine.domain.money import ZERO
from engine.gateways.futu.codes import Status


class Life(Struct, kw_only=True):
    """One order at the venue."""

    client_id: ClientOrderId
    venue_id: str = ""
    born_here: bool = False
    """This process sent it: fills known here are all its fills."""
    conditional: bool = False
    timezone: str = "UTC"
    alive: bool = False
    """Acceptance was told."""
    final: bool = False
    status: int = Status.UNSUBMITTED
    as_of_ns: int = -1
    answered_ns: int = 0
    cancel_ns: int = 0
    """When a cancel of it was taken; 0: none is outstanding."""
    cum: int = 0
    value: Decimal = ZERO
    fills: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    busted: set[str] = field(default_factory=set)
    ahead_since_ns: int = 0
    told_cum: int = 0
    """Filled so far as told without fills, from the list alone."""
    ending: OrderReport | None = None
    """The report of its end, kept back until its fills have come."""

    @property
    def known(self) -> int:
        return sum(quantity for quantity, _ in self.fills.values())
