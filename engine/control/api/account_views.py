"""Accounts, positions and fills as answers."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.control.api.shapes import Moment, age_ms, at, average, number, text
from engine.domain.errors import DataError
from engine.domain.events import Fill
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.market import Bar, Quote
from engine.domain.money import exact
from engine.runtime.wiring import Core

if TYPE_CHECKING:
    from engine.control.live_session import Session


class Reconciled(Struct, frozen=True, kw_only=True):
    ok: bool
    text: str
    at: Moment | None


class AccountView(Struct, frozen=True, kw_only=True):
    """Money in ``currency`` but ``cash`` and ``available``, which are by currency."""

    account: str
    gateway: str
    currency: str
    environment: str
    """``simulated``, ``real``, or empty: its venue has proven nothing."""
    cash: dict[str, str]
    available: dict[str, str]
    """Cash less what orders hold back."""
    equity: str | None
    day_profit: str | None
    """Since the trading day began; ``null`` where a price or rate is missing."""
    day_began: str | None
    """The day's first sample of equity, which losses are measured against."""
    invested: str | None
    """All positions, long and short, at their prices."""
    fees: str
    open_orders: int
    unknown_orders: int
    """Orders whose outcome is unknown or disputed."""
    level: int
    """The highest kill level over it, its own or everybody's: 0 run, 1 reduce, 2 halt, 3 cancel, 4 flatten."""
    link: bool | None
    """Whether the way to it stands; ``null``: it has never said."""
    reconciled: Reconciled | None
    held: list[str]
    """Differences that wait for ``accept``."""


class PositionView(Struct, frozen=True, kw_only=True):
    """One holding of an account; money in ``currency``."""

    account: str
    instrument: str
    name: str
    currency: str
    quantity: int
    sellable: int
    average_price: str
    price: float | None
    price_age_ms: int | None
    value: str | None
    profit: str | None
    """Not yet realised."""
    strategies: dict[str, int]
    """Whose it is; what nobody of ours did is ``EXTERNAL``'s."""


class FillView(Struct, frozen=True, kw_only=True):
    client_id: str
    account: str
    strategy: str
    instrument: str
    side: str
    quantity: int
    price: str
    fee: str
    fill_id: str
    inferred: bool
    """Seen only as a change of the venue's totals so far."""
    at: Moment | None


class PriceView(Struct, frozen=True, kw_only=True):
    """The latest price of an instrument; ``bid`` and ``ask`` where quotes come."""

    price: float
    bid: float | None = None
    ask: float | None = None
    age_ms: int | None
    at: Moment | None


def account_views(session: "Session") -> list[AccountView]:
    return [_account(session, account, row.gateway) for account, row in session.settings.accounts.items()]


def _account(session: "Session", account: AccountId, gateway: str) -> AccountView:
    core = session.run.core
    book, now_ns = core.portfolio.accounts[account], core.clock.now_ns
    equity = session.equity(account)
    last, link = core.reconciler.last.get(account), session.seen.links.get(account)
    working = [o for o in core.manager.working.values() if o.request.account == account]
    profit = core.view.profit
    began = None if profit is None else profit.worth.get(account)
    environment = core.view.environments.get(account)
    return AccountView(
        account=account,
        gateway=gateway,
        currency=book.currency,
        environment="" if environment is None else str(environment),
        cash={currency: f"{amount:f}" for currency, amount in book.cash.items()},
        available={currency: f"{book.available_cash(currency):f}" for currency in book.cash},
        equity=text(equity),
        day_profit=text(day_profit(core, account)),
        day_began=None if began is None else f"{began[1]:f}",
        invested=text(invested(core, account, now_ns)),
        fees=f"{book.fees:f}",
        open_orders=len(working),
        unknown_orders=sum(o.state in ("unknown", "disputed") for o in working),
        level=level_of(core, account),
        link=None if link is None else link.up,
        reconciled=None if last is None else Reconciled(ok=last.ok, text=last.text, at=at(last.ts_ns)),
        held=[row.amount for row in core.reconciler.findings.get(account, ())],
    )


def day_profit(core: Core, account: AccountId) -> Decimal | None:
    try:
        return None if core.view.profit is None else core.view.profit.of_account(account, core.clock.now_ns)
    except DataError:
        return None


def invested(core: Core, account: AccountId, now_ns: int) -> Decimal | None:
    try:
        return core.view.valuation.of(account, now_ns).gross
    except DataError:
        return None


def level_of(core: Core, account: AccountId | None = None) -> int:
    """The highest latch over an account; over anything where none is named."""
    latches = core.view.latches
    if account is None:
        return max((int(latch.level) for latch in latches.values()), default=0)
    scopes = ("all", f"account:{account}")
    return max((int(latches[scope].level) for scope in scopes if scope in latches), default=0)


def position_views(core: Core, account: str = "") -> Iterator[PositionView]:
    now_ns = core.clock.now_ns
    for book in core.portfolio.accounts.values():
        if account and book.account != account:
            continue
        for name, position in book.positions.items():
            if position.quantity or position.cost:
                yield _position(core, book.account, name, now_ns)


def _owners(core: Core, account: AccountId, name: InstrumentId) -> dict[str, int]:
    """Whose a holding is; the book of day profits is the one that is kept by strategy and account."""
    if core.view.profit is None:
        positions = core.portfolio.strategy_positions
        return {str(s): p.quantity for (s, i), p in positions.items() if i == name and p.quantity}
    lines = [(of[0], held.get(name)) for of, held in core.view.profit.lines.items() if of[1] == account]
    return {str(strategy): line.held for strategy, line in lines if line is not None and line.held}


def _position(core: Core, account: AccountId, name: InstrumentId, now_ns: int) -> PositionView:
    portfolio, spec = core.portfolio, core.instruments[name]
    position = portfolio.accounts[account].positions[name]
    mark = number(portfolio.marks.get(name))
    worth = None if mark is None else exact(mark) * position.quantity * spec.multiplier
    return PositionView(
        account=account,
        instrument=name,
        name=spec.name,
        currency=spec.currency,
        quantity=position.quantity,
        sellable=portfolio.sellable(account, name, now_ns),
        average_price=average(position.average_price / spec.multiplier),
        price=mark,
        price_age_ms=age_ms(portfolio.marks_ns.get(name), now_ns),
        value=text(worth),
        profit=None if worth is None else average(worth - position.cost),
        strategies=_owners(core, account, name),
    )


def fill_view(fill: Fill) -> FillView:
    return FillView(
        client_id=fill.client_id,
        account=fill.account,
        strategy=fill.strategy,
        instrument=fill.instrument,
        side=str(fill.side),
        quantity=fill.quantity,
        price=f"{fill.price:f}",
        fee=f"{fill.fee:f}",
        fill_id=fill.fill_id,
        inferred=fill.inferred,
        at=at(fill.ts_ns),
    )


def price_view(core: Core, name: InstrumentId) -> PriceView | None:
    event = core.portfolio.marks.latest.get(name)
    price = number(core.portfolio.marks.get(name))
    if event is None or price is None:
        return None
    sides = (number(event.bid), number(event.ask)) if isinstance(event, Quote) else (None, None)
    return PriceView(
        price=event.close if isinstance(event, Bar) else price,
        bid=sides[0],
        ask=sides[1],
        age_ms=age_ms(event.ts_ns, core.clock.now_ns),
        at=at(event.ts_ns),
    )
