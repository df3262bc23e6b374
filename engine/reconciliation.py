"""Our book against the venue's.

A difference that something explains is booked as EXTERNAL; one that nothing explains is held against the account until
a person accepts it (RELIABILITY 3.2, 4.2).

A difference counts only when two readings in a row agree on it and nothing of ours was under way when they began. What
explains one: orders of strangers in the venue's lists, a disputed order of ours, an instruction under way; of cash
also the fees and rounding of what we traded ourselves. Nothing here is done twice: a booking makes the difference go
away, and what is held is held once.
"""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from engine.domain.account import AccountSnapshot, PositionRow
from engine.domain.errors import DataError
from engine.domain.events import PositionAdjusted
from engine.domain.ids import EXTERNAL, AccountId, ClientOrderId, InstrumentId
from engine.domain.money import ZERO
from engine.domain.reconciled import ReconcileEnded, ReconcileRow, ReconcileStarted
from engine.explanations import Explanations, Surroundings
from engine.strangers import Doing

SHORT_READINGS_MAX = 5
"""So many readings whose list may be short are allowed to explain a difference later; then it is unexplained."""
OPENING, FOUND, ACCEPTED = "opening", "found at the venue", "accepted"
"""How bookings begin: the first reading ever, a difference explained, one a person accepted."""


class Judgement(Struct, frozen=True):
    """What one reading says. ``doubt``: why nothing can be decided by it; empty once everything is."""

    account: AccountId
    rows: tuple[ReconcileRow, ...] = ()
    """Every difference it shows."""
    doubt: str = ""
    booked: tuple[PositionAdjusted, ...] = ()
    """To be booked now."""
    held: tuple[ReconcileRow, ...] = ()
    """Newly found to be unexplained: a person must accept them."""


class Reconciler:
    """One a run. It judges; who asked books, latches and tells."""

    def __init__(self, around: Surroundings) -> None:
        self.strangers = around.strangers
        self.explanations = Explanations(around)
        self.findings: dict[AccountId, tuple[ReconcileRow, ...]] = {}
        """Unexplained differences that no person has accepted yet."""
        self.opened: dict[AccountId, bool] = {}
        """Accounts whose opening position was booked, in this life or one before."""
        self.last: dict[AccountId, ReconcileEnded] = {}
        """How the last reconciliation of each account ended."""
        self.disputed_doings: dict[ClientOrderId, int] = {}
        """Signed quantities booked as EXTERNAL that a disputed order may have done."""
        self._portfolio = around.portfolio
        self._instruments = around.instruments
        self._sheets = around.sheets
        self._around = around
        self._seen: dict[AccountId, tuple[tuple[tuple[str, Decimal], ...], int]] = {}
        self._short: dict[AccountId, int] = {}
        self._begun: dict[AccountId, list[ReconcileRow]] = {}

    # --- judging -----------------------------------------------------------------------------------------------------

    def judge(self, snapshot: AccountSnapshot, *, opening: bool = False) -> Judgement:
        """What this reading says of the account; changes no book.

        Args:
            opening: the account's first reading ever: all it shows is where we begin.
        """
        account = snapshot.account
        doubt = self._doubt(snapshot)
        if opening and not doubt and snapshot.balances is None:
            # Where we begin would have no money, and all of it would be a difference at the next reading.
            doubt = "the money was not read"
        if doubt:
            self._seen.pop(account, None)
            return Judgement(account, doubt=doubt)
        doings = self.strangers.read(snapshot)
        rows = self._rows(snapshot, doings, opening=opening)
        if not rows:
            self._agrees(snapshot, doings)
            return Judgement(account)
        shown = tuple(row.difference for row in rows)
        before, unexplained = self._seen.get(account, ((), 0))
        if before != shown:
            unexplained = 0
        bad = tuple(row for row in rows if not row.explained)
        if bad and not self._may_be_short(snapshot):
            unexplained += 1
        self._seen[account] = (shown, unexplained)
        if not opening and (before != shown or (bad and unexplained < 2)):
            return Judgement(account, rows, doubt="the next reading must show the same")
        good = tuple(row for row in rows if row.explained)
        why = OPENING if opening else FOUND
        news = bad if tuple(r.difference for r in bad) != self._held(account) else ()
        return Judgement(account, rows, booked=self.adjustments(snapshot, good, why), held=news)

    def _doubt(self, snapshot: AccountSnapshot) -> str:
        quiet_ns = self._around.quiet_since_ns(snapshot.account)
        sheet = self._sheets.get(snapshot.account)
        if sheet is None:
            return "the account is not one of this run"
        if quiet_ns is None:
            return "the outcome of an order is not known yet"
        if snapshot.as_of_ns <= quiet_ns + sheet.max_lag_ns:
            return "an order of ours may not show yet"
        return "" if snapshot.positions is not None else "the holdings were not read"

    def _may_be_short(self, snapshot: AccountSnapshot) -> bool:
        """Whether a stranger's row may be missing from the list by accident; not for ever."""
        account = snapshot.account
        if snapshot.orders is None or snapshot.whole or snapshot.live_only:
            self._short.pop(account, None)
            return False
        self._short[account] = self._short.get(account, 0) + 1
        return self._short[account] <= SHORT_READINGS_MAX

    def _agrees(self, snapshot: AccountSnapshot, doings: Sequence[Doing]) -> None:
        account = snapshot.account
        for known in (self._seen, self._short, self.findings):
            known.pop(account, None)
        self.explanations.agreed(account)
        self.strangers.agreed(snapshot, doings, self._sheets[account].max_lag_ns)

    def agrees(self, snapshot: AccountSnapshot) -> bool:
        """Whether our book equals this reading to the unit."""
        return not self._compare(snapshot)

    def _held(self, account: AccountId) -> tuple[tuple[str, Decimal], ...]:
        return tuple(row.difference for row in self.findings.get(account, ()))

    # --- comparing ---------------------------------------------------------------------------------------------------

    def _compare(self, snapshot: AccountSnapshot) -> list[tuple[str, Decimal, Decimal]]:
        """(instrument or currency, ours, the venue's), holdings first."""
        book = self._portfolio.accounts[snapshot.account]
        found: list[tuple[str, Decimal, Decimal]] = []
        if snapshot.positions is not None:
            theirs = {row.instrument: row.quantity for row in snapshot.positions}
            ours = {i: p.quantity for i, p in book.positions.items() if p.quantity}
            for instrument in sorted({*theirs, *ours}):
                pair = ours.get(instrument, 0), theirs.get(instrument, 0)
                if pair[0] != pair[1] and instrument in self._instruments:
                    found.append((instrument, Decimal(pair[0]), Decimal(pair[1])))
        for balance in sorted(snapshot.balances or (), key=lambda balance: balance.currency):
            held = book.cash.get(balance.currency, ZERO)
            if held != balance.total and self._is_valued(balance.currency, book.currency):
                found.append((balance.currency, held, balance.total))
        return found

    def _is_valued(self, currency: str, base: str) -> bool:
        """Money whose worth is not known is not in the book: it could not be counted, and buys nothing."""
        if currency == base:
            return True
        try:
            self._portfolio.rate(currency, base)
        except DataError:
            return False
        return True

    def _rows(self, snapshot: AccountSnapshot, doings: Sequence[Doing], *, opening: bool) -> tuple[ReconcileRow, ...]:
        moves = self.strangers.moves(snapshot, doings)
        account, asked = snapshot.account, self.explanations
        nothing = "nothing explains it" if snapshot.orders is not None else "the venue lists no orders to explain it"
        made: list[ReconcileRow] = []
        for what, ours, theirs in self._compare(snapshot):
            held = what in self._instruments
            if held:
                why, order = asked.of_holding(account, InstrumentId(what), int(theirs - ours), moves)
                move = moves.get(InstrumentId(what))
                part = (
                    "" if move is None else f"; others' orders {', '.join(move.names)} did {move.most or move.least:+d}"
                )
            else:
                part = ""
                clean = all(row.explained for row in made)
                why, order = asked.of_cash(account, what, theirs - ours, doings, made, clean=clean), ""
            made.append(
                ReconcileRow(
                    account=account,
                    ts_ns=snapshot.ts_ns,
                    ours=ours,
                    theirs=theirs,
                    explained=opening or bool(why),
                    text=OPENING if opening else why or nothing + part,
                    instrument=InstrumentId(what if held else ""),
                    currency="" if held else what,
                    client_id=ClientOrderId(order),
                )
            )
        return tuple(made)

    # --- booking -----------------------------------------------------------------------------------------------------

    def adjustments(
        self, snapshot: AccountSnapshot | None, rows: Sequence[ReconcileRow], why: str
    ) -> tuple[PositionAdjusted, ...]:
        """Bookings that add these differences to our book. ``snapshot``: whose reading says what is locked."""
        return tuple(self._adjustment(snapshot, row, why) for row in rows)

    def _adjustment(self, snapshot: AccountSnapshot | None, row: ReconcileRow, why: str) -> PositionAdjusted:
        if not row.instrument:
            return PositionAdjusted(
                account=row.account,
                strategy=EXTERNAL,
                instrument=InstrumentId(""),
                ts_ns=row.ts_ns,
                cash=row.missing,
                currency=row.currency,
                reason=f"{why}: {row.amount} in cash, {row.text}",
            )
        quantity = int(row.missing)
        return PositionAdjusted(
            account=row.account,
            strategy=EXTERNAL,
            instrument=row.instrument,
            ts_ns=row.ts_ns,
            quantity=quantity,
            locked=0 if snapshot is None else self._locked(snapshot, row.instrument, quantity),
            cost=None if snapshot is None else self._cost(snapshot, row.instrument, quantity),
            client_id=row.client_id,
            reason=f"{why}: {row.amount} that no order of ours explains, {row.text}",
        )

    def _cost(self, snapshot: AccountSnapshot, instrument: InstrumentId, quantity: int) -> Decimal | None:
        """What was found cost, so that the whole has the average the venue gives it; None where that tells nothing."""
        row = _row_of(snapshot, instrument)
        if row is None or row.average_price is None or row.average_price <= 0:
            return None
        unit = row.average_price * self._instruments[instrument].multiplier
        ours = self._portfolio.accounts[snapshot.account].positions.get(instrument)
        held = 0 if ours is None else ours.quantity
        if ours is None or held * quantity <= 0:
            return unit * abs(quantity)
        more = unit * abs(held + quantity) - abs(ours.cost)
        return more if more > 0 else None

    def _locked(self, snapshot: AccountSnapshot, instrument: InstrumentId, quantity: int) -> int:
        """How many of what was found the venue does not let us sell, beyond what we know to be locked or on sale."""
        row = _row_of(snapshot, instrument)
        if quantity <= 0 or row is None or row.sellable is None:
            return 0
        ours = self._portfolio.accounts[snapshot.account].positions.get(instrument)
        known = 0
        if ours is not None:
            known = ours.quantity - self._portfolio.sellable(snapshot.account, instrument, snapshot.ts_ns)
        return min(quantity, max(0, row.quantity - row.sellable - known))

    # --- what was done -----------------------------------------------------------------------------------------------

    def on_adjusted(self, event: PositionAdjusted) -> None:
        """A difference is in the book: what was held of it is held no longer."""
        if event.strategy != EXTERNAL:
            return
        if event.client_id:
            known = self.disputed_doings.get(event.client_id, 0) + event.quantity
            self.disputed_doings[event.client_id] = known
        done = {event.instrument: Decimal(event.quantity), event.currency: event.cash}
        left = tuple(row for row in self.findings.get(event.account, ()) if done.get(row.what) != row.missing)
        if left:
            self.findings[event.account] = left
        else:
            self.findings.pop(event.account, None)
        self._seen.pop(event.account, None)

    def on_record(self, record: ReconcileStarted | ReconcileRow | ReconcileEnded) -> None:
        """A reconciliation as it is journaled, now or in a life before: it counts once its end is there."""
        match record:
            case ReconcileStarted():
                self._begun[record.account] = []
            case ReconcileRow():
                self._begun.setdefault(record.account, []).append(record)
            case ReconcileEnded():
                self._ended(record)

    def _ended(self, record: ReconcileEnded) -> None:
        account = record.account
        self.last[account] = record
        rows = self._begun.pop(account, None)
        if record.ok:
            self.opened[account] = True
        if rows is not None:
            self.findings.pop(account, None)
            bad = tuple(row for row in rows if not row.explained)
            if bad:
                self.findings[account] = bad
        self.strangers.restore(account, record.strangers)


def _row_of(snapshot: AccountSnapshot, instrument: InstrumentId) -> PositionRow | None:
    return next((row for row in snapshot.positions or () if row.instrument == instrument), None)
