"""Our book against the venue's: what no order explains is booked as EXTERNAL, and said.

A difference counts only when two readings in a row agree on it and nothing of ours was under way when they began.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from engine.domain.account import AccountSnapshot, Capabilities
from engine.domain.errors import DataError
from engine.domain.events import PositionAdjusted
from engine.domain.ids import EXTERNAL, AccountId, InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.portfolio import Portfolio

Difference = tuple[tuple[InstrumentId, int], ...]
Cash = tuple[tuple[str, Decimal], ...]
"""What is missing, by currency."""


class Reconciler:
    """One a run; keeps the last unexplained difference of each account."""

    def __init__(
        self,
        portfolio: Portfolio,
        instruments: Mapping[InstrumentId, Instrument],
        sheets: Mapping[AccountId, Capabilities],
        *,
        quiet_since_ns: Callable[[AccountId], int | None],
    ) -> None:
        """``quiet_since_ns(account)``: when our orders last moved the account; None while one is undecided."""
        self._portfolio = portfolio
        self._instruments = instruments
        self._sheets = sheets
        self._quiet_since_ns = quiet_since_ns
        self._seen: dict[AccountId, tuple[Difference, Cash]] = {}

    def differences(self, snapshot: AccountSnapshot, *, at_once: bool = False) -> list[PositionAdjusted]:
        """Adjustments that make our book equal to the reading; empty while in doubt.

        Args:
            at_once: believe one reading (at the start of a run, when nothing of ours is under way).
        """
        account = snapshot.account
        quiet_ns = self._quiet_since_ns(account)
        sheet = self._sheets.get(account)
        if quiet_ns is None or sheet is None or snapshot.as_of_ns <= quiet_ns + sheet.max_lag_ns:
            self._seen.pop(account, None)
            return []
        positions, cash = self._compare(snapshot)
        if not positions and not cash:
            self._seen.pop(account, None)
            return []
        if not at_once and self._seen.get(account) != (positions, cash):
            self._seen[account] = (positions, cash)
            return []
        self._seen.pop(account, None)
        return self._adjustments(snapshot, positions, cash, "opening" if at_once else "found at the venue")

    def agrees(self, snapshot: AccountSnapshot) -> bool:
        """Whether our book equals this reading to the unit."""
        return self._compare(snapshot) == ((), ())

    def _compare(self, snapshot: AccountSnapshot) -> tuple[Difference, Cash]:
        book = self._portfolio.accounts[snapshot.account]
        found: list[tuple[InstrumentId, int]] = []
        if snapshot.positions is not None:
            theirs = {row.instrument: row.quantity for row in snapshot.positions}
            ours = {i: p.quantity for i, p in book.positions.items() if p.quantity}
            for instrument in sorted({*theirs, *ours}):
                missing = theirs.get(instrument, 0) - ours.get(instrument, 0)
                if missing and instrument in self._instruments:
                    found.append((instrument, missing))
        cash = {
            balance.currency: balance.total - book.cash.get(balance.currency, ZERO)
            for balance in snapshot.balances or ()
            if self._is_valued(balance.currency, book.currency)
        }
        return tuple(found), tuple((currency, missing) for currency, missing in sorted(cash.items()) if missing)

    def _is_valued(self, currency: str, base: str) -> bool:
        """Money whose worth is not known is not in the book: it could not be counted, and buys nothing."""
        if currency == base:
            return True
        try:
            self._portfolio.rate(currency, base)
        except DataError:
            return False
        return True

    def _adjustments(
        self, snapshot: AccountSnapshot, positions: Difference, cash: Cash, why: str
    ) -> list[PositionAdjusted]:
        made = [
            PositionAdjusted(
                account=snapshot.account,
                strategy=EXTERNAL,
                instrument=instrument,
                ts_ns=snapshot.ts_ns,
                quantity=quantity,
                locked=self._locked(snapshot, instrument, quantity),
                reason=f"{why}: {quantity:+d} {instrument} that no order of ours explains",
            )
            for instrument, quantity in positions
        ]
        made += [
            PositionAdjusted(
                account=snapshot.account,
                strategy=EXTERNAL,
                instrument=InstrumentId(""),
                ts_ns=snapshot.ts_ns,
                cash=missing,
                currency=currency,
                reason=f"{why}: {missing:+} {currency} in cash",
            )
            for currency, missing in cash
        ]
        return made

    def _locked(self, snapshot: AccountSnapshot, instrument: InstrumentId, quantity: int) -> int:
        """How many of what was found the venue does not let us sell, beyond what we know to be locked or on sale."""
        row = next((row for row in snapshot.positions or () if row.instrument == instrument), None)
        if quantity <= 0 or row is None or row.sellable is None:
            return 0
        ours = self._portfolio.accounts[snapshot.account].positions.get(instrument)
        known = 0
        if ours is not None:
            known = ours.quantity - self._portfolio.sellable(snapshot.account, instrument, snapshot.ts_ns)
        return min(quantity, max(0, row.quantity - row.sellable - known))
