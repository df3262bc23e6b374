"""Touch, but never more than a share of the volume that traded."""

from decimal import Decimal

from msgspec import Struct

from engine.domain.market import Bar
from engine.matching.touch import Touch

_TOUCH = Touch()


class VolumeShare(Struct, frozen=True, forbid_unknown_fields=True):
    """As ``Touch``, at most ``share`` of the bar's volume an order and bar, in whole units; the rest goes on working.

    Optimism: the share trades at one price, and several orders each get their own share. A bar without volume fills
    nothing.
    """

    share: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"volume_share: share is above 0 and at most 1, not {self.share}")

    def match(self, buys: bool, limit: Decimal | None, leaves: int, bar: Bar) -> tuple[int, Decimal] | None:
        found = _TOUCH.match(buys, limit, leaves, bar)
        quantity = min(leaves, int(bar.volume * self.share))
        return None if found is None or quantity <= 0 else (quantity, found[1])

    reaches = _TOUCH.reaches
    """Without volume nothing fills; such a bar is shown all the same."""
