"""A fill model with what stands between it and an order: the way there, and the price that gives way."""

from decimal import Decimal

from msgspec import Struct

from engine.domain.market import Bar
from engine.domain.timestamps import duration_ns
from engine.matching.fill_model import FillModel
from engine.matching.slippage import Slippage


class Latency(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long an order, and a cancel, is under way to the venue; texts as ``50ms``.

    Until it has arrived an order meets no price, and a bar that began before is not met at all: with bars of a minute
    any latency costs an order that is sent at the close the whole next bar. Until a cancel has arrived the order may
    fill; a bar during which it arrives still may. Both are pessimistic. Optimism: the delay is always the same, and
    answers take no time to come back.
    """

    order: str = ""
    """Empty: none."""
    cancel: str = ""

    def __post_init__(self) -> None:
        _span_ns(self.order)
        _span_ns(self.cancel)

    @property
    def order_ns(self) -> int:
        return _span_ns(self.order)

    @property
    def cancel_ns(self) -> int:
        return _span_ns(self.cancel)


class Friction(Struct, frozen=True, kw_only=True):
    """A fill model, behind a latency and with a slippage, each where there is one."""

    model: FillModel
    slippage: Slippage | None = None
    latency: Latency | None = None

    def match(self, buys: bool, limit: Decimal | None, leaves: int, bar: Bar) -> tuple[int, Decimal] | None:
        """The model's own answer: slippage is the venue's to add, which knows the tick and the price limits."""
        return self.model.match(buys, limit, leaves, bar)


def _span_ns(text: str) -> int:
    return duration_ns(text) if text else 0
