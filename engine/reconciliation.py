"""Our book against the venue's: what no order explains is booked as EXTERNAL, and said.

A difference counts only when two readings in a row agree on it and nothing of ours was under way when they began.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from engine.domain.account import AccountSnapshot, Capabilities
from engine.domain.events import PositionAdjusted
from engine.domain.ids import EXTERNAL, AccountId, InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.portfolio import Portfolio

Difference = tuple[tuple[InstrumentId, int], ...]


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
        self._seen: dict[AccountId, tuple[Difference, Decimal]] = {}

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
        return self._compare(snapshot) == ((), ZERO)

    def _compare(self, snapshot: AccountSnapshot) -> tuple[Difference, Decimal]:
        book = self._portfolio.accounts[snapshot.account]
        found: list[tuple[InstrumentId, int]] = []
        if snapshot.positions is not None:
            theirs = {row.instrument: row.quantity for row in snapshot.positions}
            ours = {i: p.quantity for i, p in book.positions.items() if p.quantity}
            for instrument in sorted({*theirs, *ours}):
                missing = theirs.get(instrument, 0) - ours.get(instrument, 0)
                if missing and instrument in self._instruments:
                    found.append((instrument, missing))
        cash = ZERO
        for balance in snapshot.balances or ():
            if balance.currency == book.currency:
                cash = balance.total - book.cash.get(book.currency, ZERO)
        return tuple(found), cash

    def _adjustments(
        self, snapshot: AccountSnapshot, positions: Difference, cash: Decimal, why: str
    ) -> list[PositionAdjusted]:
        book = self._portfolio.accounts[snapshot.account]
        made = [
            PositionAdjusted(
                account=snapshot.account,
                strategy=EXTERNAL,
                instrument=instrument,
                ts_ns=snapshot.ts_ns,
                quantity=quantity,
                reason=f"{why}: {quantity:+d} {instrument} that no order of ours explains",
            )
            for instrument, quantity in positions
        ]
        if cash:
            made.append(
                PositionAdjusted(
                    account=snapshot.account,
                    strategy=EXTERNAL,
                    instrument=InstrumentId(""),
                    ts_ns=snapshot.ts_ns,
                    cash=cash,
                    currency=book.currency,
                    reason=f"{why}: {cash:+} {book.currency} in cash",
                )
            )
        return made
