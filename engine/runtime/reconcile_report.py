"""What one reconciliation of an account found, for people and as plain values; ``control`` prints it."""

from decimal import Decimal

from msgspec import Struct

from engine.domain.account import AccountSnapshot, OrderRow
from engine.domain.evidence import Evidence
from engine.domain.ids import AccountId
from engine.reconciliation import Judgement
from engine.runtime.wiring import Core


class Line(Struct, frozen=True, kw_only=True):
    """One holding, or the cash of one currency: in our book, at the venue, and what explains the difference."""

    what: str
    ours: Decimal
    theirs: Decimal
    explained: bool = True
    text: str = ""

    @property
    def difference(self) -> Decimal:
        return self.theirs - self.ours


class OpenOrder(Struct, frozen=True, kw_only=True):
    """One order that may still fill, ours or the venue's row. ``name``: our id, or the venue's number."""

    name: str
    instrument: str
    side: str
    quantity: int
    filled: int
    state: str
    price: Decimal | None = None


class AccountReport(Struct, frozen=True, kw_only=True):
    """``read_ns``: when the reading began. ``doubt``: why nothing is decided yet; empty: everything is."""

    account: AccountId
    read_ns: int
    ok: bool
    doubt: str
    holdings: tuple[Line, ...]
    cash: tuple[Line, ...]
    ours_open: tuple[OpenOrder, ...]
    venue_open: tuple[OpenOrder, ...] | None
    """None: the venue lists no orders."""
    strangers: tuple[OpenOrder, ...]
    """Orders of the day that are not ours, ended ones included."""
    booked: tuple[str, ...] = ()
    held: tuple[Line, ...] = ()
    """Differences that nothing explains: the account is latched until a person accepts them."""

    @property
    def accept(self) -> str:
        """The command that accepts what is held; empty where nothing is."""
        return f'run.py accept {self.account} --reason "..."' if self.held else ""


def account_report(core: Core, snapshot: AccountSnapshot, judgement: Judgement) -> AccountReport:
    """Made before anything is booked: ``ours`` is our book as the reading found it."""
    account = snapshot.account
    rows = {row.what: row for row in judgement.rows}
    book = core.portfolio.accounts[account]
    ours = {str(i): Decimal(p.quantity) for i, p in book.positions.items() if p.quantity}
    theirs = {str(row.instrument): Decimal(row.quantity) for row in snapshot.positions or ()}
    money = {balance.currency: balance.total for balance in snapshot.balances or ()}
    known = {**dict.fromkeys(sorted({*ours, *theirs}))}

    def line(what: str, mine: Decimal, venue: Decimal) -> Line:
        row = rows.get(what)
        if row is not None:
            return Line(what=what, ours=row.ours, theirs=row.theirs, explained=row.explained, text=row.text)
        unknown = "" if mine == venue else "not compared: the config does not know it, or nothing is decided yet"
        return Line(what=what, ours=mine, theirs=venue, text=unknown)

    held = judgement.held or core.reconciler.findings.get(account, ()) if judgement.rows else ()
    listed = snapshot.orders
    strangers = core.reconciler.strangers.rows(snapshot)
    return AccountReport(
        account=account,
        read_ns=snapshot.as_of_ns,
        ok=not judgement.doubt and not held,
        doubt=judgement.doubt,
        holdings=tuple(line(what, ours.get(what, Decimal(0)), theirs.get(what, Decimal(0))) for what in known),
        cash=tuple(line(name, book.cash.get(name, Decimal(0)), total) for name, total in sorted(money.items())),
        ours_open=ours_open(core, account),
        venue_open=None if listed is None else tuple(_row(r) for r in listed if r.status is Evidence.WORKING),
        strangers=tuple(_row(row) for row in strangers),
        booked=tuple(entry.reason for entry in judgement.booked),
        held=tuple(
            Line(what=row.what, ours=row.ours, theirs=row.theirs, explained=False, text=row.text) for row in held
        ),
    )


def ours_open(core: Core, account: AccountId) -> tuple[OpenOrder, ...]:
    """Our orders of one account that are not ended, oldest first."""
    return tuple(
        OpenOrder(
            name=order.request.client_id,
            instrument=order.request.instrument,
            side=str(order.request.side),
            quantity=order.quantity,
            filled=order.cum,
            state=str(order.state),
            price=order.price,
        )
        for order in core.manager.working.values()
        if order.request.account == account
    )


def _row(row: OrderRow) -> OpenOrder:
    return OpenOrder(
        name=row.venue_id,
        instrument=row.instrument,
        side="" if row.side is None else str(row.side),
        quantity=row.quantity,
        filled=row.cum,
        state=str(row.status),
        price=row.price,
    )
