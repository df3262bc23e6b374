"""Fill at the bid and the ask, as far as their sizes go."""

from decimal import Decimal

from msgspec import Struct

from engine.domain.market import Bar, Quote


class AtQuote(Struct, frozen=True, forbid_unknown_fields=True):
    """Purchases at the ask, sales at the bid, up to ``share`` of the size shown; the rest goes on working.

    What was taken from a price stays taken until that price changes. A quote without any size (a file that has none, a
    venue that knows only a last price) is taken to have any. A side with size 0 beside one that has some is empty: at a
    price limit nobody stands there.

    Optimism: the size shown is still there when the order comes (add a latency), and an order that rests inside the
    spread or joins the best price fills only once the other side comes to it: that part is pessimistic. Bars fill
    nothing.
    """

    share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"quote: share is above 0 and at most 1, not {self.share}")

    def match(self, buys: bool, limit: Decimal | None, leaves: int, bar: Bar) -> tuple[int, Decimal] | None:
        return None

    def sizes(self, quote: Quote) -> tuple[int, int]:
        if not quote.bid_size and not quote.ask_size:
            return ENDLESS, ENDLESS
        return int(quote.bid_size * self.share), int(quote.ask_size * self.share)


ENDLESS = 2**62
"""Units of a side whose size nobody tells."""
