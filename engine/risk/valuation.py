"""What an account is worth and how much of it is invested: reckoned at most once a second and fill."""

from decimal import Decimal

from msgspec import Struct

from engine.domain.ids import AccountId
from engine.domain.money import ZERO, exact
from engine.domain.timestamps import SECOND_NS
from engine.portfolio import Portfolio

KEEP_NS = SECOND_NS


class Worth(Struct, frozen=True, gc=False):
    """In the account's currency. ``gross``: all positions, long and short, at their marks, or at cost without one."""

    until_ns: int
    fills: int
    equity: Decimal
    gross: Decimal


class Valuation:
    """One an engine. O(positions) once a second, O(1) in between."""

    def __init__(self, portfolio: Portfolio) -> None:
        self._portfolio = portfolio
        self._known: dict[AccountId, Worth] = {}

    def of(self, account: AccountId, now_ns: int) -> Worth:
        """Raises: DataError: a rate is not known."""
        known = self._known.get(account)
        fills = self._portfolio.fills
        if known is not None and known.fills == fills and known.until_ns - KEEP_NS <= now_ns < known.until_ns:
            return known
        found = Worth(now_ns + KEEP_NS, fills, self._portfolio.equity(account), self._gross(account))
        self._known[account] = found
        return found

    def _gross(self, account: AccountId) -> Decimal:
        portfolio = self._portfolio
        book = portfolio.accounts[account]
        total = ZERO
        for name, position in book.positions.items():
            if position.quantity:
                spec, mark = portfolio.instruments[name], portfolio.marks.get(name)
                worth = abs(position.cost if mark is None else exact(mark) * position.quantity * spec.multiplier)
                total += (
                    worth if spec.currency == book.currency else worth * portfolio.rate(spec.currency, book.currency)
                )
        return total
