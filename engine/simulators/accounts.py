"""The true books of the simulated market: what each account owns, whatever a face told its client."""

from decimal import Decimal

from msgspec import Struct, field

from engine.domain.commands import Side
from engine.domain.money import ZERO


class Lot(Struct, kw_only=True):
    """Shares bought together; they unlock together. ``price`` is the price paid a share, without fees."""

    code: str
    quantity: int
    price: Decimal
    bought_ns: int
    sellable_ns: int


class BookedTrade(Struct, frozen=True, kw_only=True):
    """One booked execution.

    ``value`` is price x quantity as the venue rounds it, ``cash_change`` what the cash really moved by (signed),
    ``request`` the running number of the request that caused it.
    """

    ts_ns: int
    side: Side
    code: str
    quantity: int
    price: Decimal
    value: Decimal
    fee: Decimal
    cash_change: Decimal
    request: int


class Account(Struct, kw_only=True):
    """Cash, lots in the order they were bought, and every trade since the account was opened."""

    user: str
    cash: Decimal
    lots: list[Lot] = field(default_factory=list)
    trades: list[BookedTrade] = field(default_factory=list)

    def codes(self) -> list[str]:
        """Held codes, first bought first."""
        return list(dict.fromkeys(lot.code for lot in self.lots))

    def held(self, code: str) -> int:
        return sum(lot.quantity for lot in self.lots if lot.code == code)

    def sellable(self, code: str, now_ns: int) -> int:
        return sum(lot.quantity for lot in self.lots if lot.code == code and lot.sellable_ns <= now_ns)

    def next_unlock_ns(self, code: str, now_ns: int) -> int | None:
        """When the next locked lot of a code unlocks; None where none is locked."""
        return min(
            (lot.sellable_ns for lot in self.lots if lot.code == code and lot.sellable_ns > now_ns), default=None
        )

    def cost(self, code: str) -> Decimal:
        return sum((lot.price * lot.quantity for lot in self.lots if lot.code == code), ZERO)

    def take(self, code: str, quantity: int, now_ns: int) -> Decimal:
        """Remove unlocked shares, first in first out; gives back what they had cost.

        Raises:
            ValueError: fewer are unlocked.
        """
        if quantity > self.sellable(code, now_ns):
            raise ValueError(f"{self.user} can not sell {quantity} {code}")
        cost, left = ZERO, quantity
        for lot in self.lots:
            if left and lot.code == code and lot.sellable_ns <= now_ns:
                part = min(left, lot.quantity)
                lot.quantity -= part
                left -= part
                cost += part * lot.price
        self.lots = [lot for lot in self.lots if lot.quantity]
        return cost
