"""Touch, but never more than a share of the volume that traded."""

from decimal import Decimal

from msgspec import Struct

from engine.domain.market import Bar
from engine.matching.touch import Touch

_TOUCH = Touch()


class VolumeShare(Struct, frozen=True, forbid_unknown_fields=True):
    """As ``Touch``, all orders of one bar together at most ``share`` of its volume, in whole units, first come first
    served; the rest goes on working.

    Optimism: the share trades at one price, and what traded before the order's price was met counts as well. A bar
    without volume fills nothing.
    """

    share: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"volume_share: share is above 0 and at most 1, not {self.share}")

    def ration(self, bar: Bar) -> int:
        return int(bar.volume * self.share)

    def match(self, buys: bool, limit: Decimal | None, leaves: int, bar: Bar) -> tuple[int, Decimal] | None:
        found = _TOUCH.match(buys, limit, leaves, bar)
        quantity = min(leaves, self.ration(bar))
        return None if found is None or quantity <= 0 else (quantity, found[1])

    reaches = _TOUCH.reaches
    """Without volume nothing fills; such a bar is shown all the same."""
