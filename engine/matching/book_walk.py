"""Fill from the levels of the order book, and behind the queue at one's own price."""

from decimal import Decimal

from msgspec import Struct

from engine.domain.market import Bar, OrderBook
from engine.domain.money import exact


class BookWalk(Struct, frozen=True, forbid_unknown_fields=True):
    """An order that crosses takes level after level at each level's price; what rests waits behind all that stood at
    its price when it came.

    Prints at our price first serve those ahead, then us; a print beyond our price fills us as far as its size goes.
    When the level shrinks without a print, ``cancels_ahead`` of the shrinkage is taken to have stood before us: 0 is
    the careful end (the queue is only ever as long as the level), 1 the hopeful one.

    Optimism: our order moves nobody, the levels shown are still there when it comes (add a latency), and what is hidden
    is taken to be none. Books that come rarely hide shrinkage between them. Bars and quotes fill nothing.
    """

    cancels_ahead: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.cancels_ahead <= 1:
            raise ValueError(f"book_walk: cancels_ahead is from 0 to 1, not {self.cancels_ahead}")

    def match(self, buys: bool, limit: Decimal | None, leaves: int, bar: Bar) -> tuple[int, Decimal] | None:
        return None

    def levels(self, buys: bool, book: OrderBook) -> list[tuple[Decimal, int]]:
        side = book.asks if buys else book.bids
        return [(exact(level.price), int(level.size)) for level in side]
