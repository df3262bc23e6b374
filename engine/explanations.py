"""What may explain a difference between our book and a venue's.

Orders of strangers, disputed orders of ours, instructions under way, the fees of our own trading.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from engine.domain.account import Capabilities
from engine.domain.actions import CorporateAction
from engine.domain.events import Fill
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.instructions import SubmitInstruction
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.domain.order import Order
from engine.domain.reconciled import ReconcileRow
from engine.holdings import is_guessed
from engine.portfolio import Portfolio
from engine.strangers import Doing, Move, Strangers

LEAST_FEE = Decimal(6)
"""What the smallest fill may cost, whatever it is worth: 5 yuan are the usual least commission (``ChinaA``)."""
FEE_SHARE = Decimal("0.005")
INFERRED_SHARE = Decimal("0.03")
UNPRICED_SHARE = Decimal("0.35")
"""Parts of the value of our own fills by which cash may differ: fees alone; a price read off totals; a price that the
venue never tells, which is read off the cash or the market (``holdings.CREDIBLE_MOVE``). All ours."""
SURE_SHARE, GUESSED_SHARE = Decimal("0.01"), Decimal("0.11")
"""The same for strangers' fills: whose price is known, and where the order's limit or the market stands for it."""


class CashTolerance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[reconcile]`` of a config."""

    cash_tolerance: Decimal = Decimal("1.00")
    """A difference in cash up to this, in units of its currency, is fees, interest or rounding: booked, never held. It
    is allowed once, and once more for each of our own fills since book and venue last agreed."""
    actions: str = ""
    """A catalog whose ``<instrument>/actions.csv`` say which dividends and new shares explain a difference; empty: none
    do, and a person is asked."""


class Surroundings(Struct, frozen=True):
    """What the engine knows of its accounts, and what of it may explain a difference.

    ``sheets``: of the accounts of this run. ``quiet_since_ns``: when our orders last moved the account; None while one
    is undecided. ``instructions``: those whose doing is not in the book yet, and whether each still waits at the
    broker.
    """

    portfolio: Portfolio
    instruments: Mapping[InstrumentId, Instrument]
    sheets: Mapping[AccountId, Capabilities]
    strangers: Strangers
    quiet_since_ns: Callable[[AccountId], int | None]
    disputed: Callable[[AccountId], Sequence[Order]]
    instructions: Callable[[AccountId], Sequence[tuple[SubmitInstruction, bool]]]


class Explanations:
    """One a run."""

    def __init__(self, around: Surroundings) -> None:
        self.settings = CashTolerance()
        self._portfolio = around.portfolio
        self._instruments = around.instruments
        self._strangers = around.strangers
        self._around = around
        self.actions: Callable[[InstrumentId], Sequence[CorporateAction]] = lambda _instrument: ()
        """What took effect on an instrument lately (live)."""
        self._own: dict[tuple[AccountId, str], Decimal] = {}
        """By how much our own trading since book and venue last agreed may have moved cash beyond the book."""

    def on_fill(self, fill: Fill) -> None:
        """Our own trading moves cash by fees and prices that only the venue knows."""
        sheet = self._around.sheets.get(fill.account)
        share = FEE_SHARE
        if is_guessed(fill) or (sheet is not None and not sheet.lists_orders):
            share = UNPRICED_SHARE
        elif fill.inferred:
            share = INFERRED_SHARE
        key = fill.account, self._currency(fill.account, fill.instrument)
        value = self._value(fill.instrument, fill.price, fill.quantity)
        self._own[key] = self._own.get(key, ZERO) + max(value * share, LEAST_FEE) + self.settings.cash_tolerance

    def agreed(self, account: AccountId) -> None:
        """Book and venue are equal: our own trading so far explains nothing any more."""
        for key in [key for key in self._own if key[0] == account]:
            del self._own[key]

    def of_holding(
        self, account: AccountId, instrument: InstrumentId, missing: int, moves: Mapping[InstrumentId, Move]
    ) -> tuple[str, str]:
        """What explains that so many are missing from our book, and the disputed order it may be; empty: nothing."""
        move = moves.get(instrument, Move(0, 0, ()))
        least, most, reasons, doubtful = move.least, move.most, [], ""
        if move.names:
            reasons.append(f"somebody else's order {', '.join(move.names)}")
        for order in self._around.disputed(account):
            request = order.request
            if request.instrument == instrument:
                open_ = request.side.sign * max(0, order.quantity - order.cum)
                least, most = least + min(0, open_), most + max(0, open_)
                doubtful = doubtful or (request.client_id if missing * open_ > 0 else "")
                reasons.append(f"the disputed order {request.client_id}")
        for instruction, _standing in self._around.instructions(account):
            if instruction.instrument == instrument:
                done = instruction.side.sign * int(getattr(instruction.action, "quantity", abs(missing)))
                least, most = least + min(0, done), most + max(0, done)
                reasons.append(f"the instruction {instruction.client_id}")
        for action in self.actions(instrument):
            gained, _ = action.outcome(self._portfolio.account_quantity(account, instrument))
            least, most = least + min(0, gained), most + max(0, gained)
            reasons += [f"the ex-date of {instrument} ({action.text})"] if gained else []
        return (" or ".join(reasons), doubtful) if reasons and least <= missing <= most else ("", "")

    def of_cash(
        self,
        account: AccountId,
        currency: str,
        missing: Decimal,
        doings: Sequence[Doing],
        rows: Sequence[ReconcileRow],
        *,
        clean: bool,
    ) -> str:
        tolerance = self.settings.cash_tolerance
        own = tolerance + self._own.get((account, currency), ZERO)
        if abs(missing) <= tolerance:
            return "fees, interest or rounding"
        paid = self._dividends(account, currency)
        if paid and -tolerance <= missing <= paid + tolerance:
            return "dividends of what is held"
        why = self._others_with_cash(account, currency, missing, doings, rows, own) if clean else ""
        return why or ("fees and prices of our own fills" if abs(missing) <= own else "")

    def _dividends(self, account: AccountId, currency: str) -> Decimal:
        """What recent ex-dates may have paid, before tax."""
        return sum(
            (
                action.cash * position.quantity
                for instrument, position in self._portfolio.accounts[account].positions.items()
                if self._currency(account, instrument) == currency
                for action in self.actions(instrument)
            ),
            ZERO,
        )

    def _others_with_cash(
        self,
        account: AccountId,
        currency: str,
        missing: Decimal,
        doings: Sequence[Doing],
        rows: Sequence[ReconcileRow],
        own: Decimal,
    ) -> str:
        """Who else may have moved cash by so much, give or take what our own fills may have cost beyond the book."""
        for instruction, standing in self._around.instructions(account):
            if not standing or any(row.instrument == instruction.instrument for row in rows):
                return f"the instruction {instruction.client_id}"
        least, most, reasons = -own, own, []
        for doing in doings:
            new = self._strangers.unbooked(account, doing) or (doing.open if self._is_moved(doing, rows) else 0)
            if new and self._currency(account, doing.instrument) == currency:
                value = self._value(doing.instrument, doing.price, new)
                slack = value * (SURE_SHARE if doing.sure else GUESSED_SHARE) + self.settings.cash_tolerance
                least = least + min(ZERO, -doing.sign * value) - slack
                most = most + max(ZERO, -doing.sign * value) + slack
                reasons.append(f"somebody else's order {doing.venue_id}")
        for order in self._around.disputed(account):
            request, rest = order.request, max(0, order.quantity - order.cum)
            if rest and self._currency(account, request.instrument) == currency:
                value = -request.side.sign * self._value(request.instrument, order.price, rest) * (1 + GUESSED_SHARE)
                least, most = least + min(ZERO, value), most + max(ZERO, value)
                reasons.append(f"the disputed order {request.client_id}")
        return " or ".join(reasons) if reasons and least <= missing <= most else ""

    def _is_moved(self, doing: Doing, rows: Sequence[ReconcileRow]) -> bool:
        return any(row.instrument == doing.instrument for row in rows)

    def _currency(self, account: AccountId, instrument: InstrumentId) -> str:
        spec = self._instruments.get(instrument)
        return self._portfolio.accounts[account].currency if spec is None else spec.currency

    def _value(self, instrument: InstrumentId, price: Decimal | None, quantity: int) -> Decimal:
        spec = self._instruments.get(instrument)
        mark = self._portfolio.marks.get(instrument)
        known = price or (Decimal(repr(float(mark))) if mark is not None else ZERO)
        return known * quantity * (1 if spec is None else spec.multiplier)
