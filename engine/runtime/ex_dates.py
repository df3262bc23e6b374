"""What an ex-date does to a run's books: an adjustment a strategy, journaled as any other."""

from collections.abc import Iterable, Iterator

from engine.domain.events import PositionAdjusted
from engine.domain.ids import AccountId
from engine.domain.money import ZERO
from engine.portfolio import Portfolio
from engine.runtime.day_prices import Morning
from engine.runtime.wiring import Core


def begin_day(core: Core, mornings: Iterable[Morning], account: AccountId, *, takes_rights: bool) -> None:
    """Closes of the day before are known, and what takes effect today is booked, before anything trades."""
    for morning in mornings:
        core.view.previous_close[morning.instrument] = morning.reference
        for booking in bookings(core.portfolio, morning, account, takes_rights=takes_rights):
            core.book(booking)
        if morning.actions:
            core.portfolio.marks[morning.instrument] = morning.reference


def bookings(
    portfolio: Portfolio, morning: Morning, account: AccountId, *, takes_rights: bool
) -> Iterator[PositionAdjusted]:
    """Cash and shares for every strategy that holds the instrument; who is short pays and owes.

    New shares cost nothing: what the holding cost is spread over more of them; rights cost their price. Dividends
    come before tax and on the ex-date, whenever they are paid.
    """
    currency = portfolio.instruments[morning.instrument].currency
    holders = [
        (strategy, position.quantity)
        for (strategy, instrument), position in portfolio.strategy_positions.items()
        if instrument == morning.instrument and position.quantity
    ]
    for action in morning.actions:
        for number, (strategy, held) in enumerate(holders):
            shares, cash = action.outcome(held, takes_rights=takes_rights)
            paid = -(cash - held * action.cash)
            holders[number] = (strategy, held + shares)
            if shares or cash:
                yield PositionAdjusted(
                    account=account,
                    strategy=strategy,
                    instrument=morning.instrument,
                    ts_ns=morning.ts_ns,
                    quantity=shares,
                    cash=cash,
                    currency=currency,
                    reason=f"ex-date: {action.text}, {held} held",
                    cost=max(paid, ZERO) if shares else None,
                )
