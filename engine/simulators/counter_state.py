"""What a counter leaves to its next life: its account, every order, and how far it had come in the market.

What a counter does is a function of this, of seed and times, and of what it is asked: so the next life first lives
through the time in between, in a market of its own with the same prices, and then is where it would have been. Prices
that an operator pushed aside are on their path again.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol, TypeVar

from msgspec import Struct

from engine.domain.errors import ConfigError
from engine.domain.timestamps import MINUTE_NS
from engine.simulators.china import ChinaSessions
from engine.simulators.counter_books import Books, CounterAccount, Deal, Entrust, Lot, Share
from engine.simulators.counter_floor import Act, Due, Floor
from engine.simulators.exchange import Exchange
from engine.simulators.following import CHINA_BOARD, china_board, list_china
from engine.simulators.state_file import Saved, read_state_file


class SavedDeal(Struct, frozen=True):
    """A fill; ``order`` is the order's number."""

    number: int
    order: int
    ts_ns: int
    day: int
    quantity: int
    price: Decimal
    fee: Decimal


class Step(Struct, frozen=True):
    """How far the orders of one share had met its price.

    ``ts_ns`` is the time of the last step, ``day`` that of the last one in continuous trading, 0 before there was one.
    """

    ts_ns: int
    day: int
    bid: float
    ask: float
    last: float


class CounterState(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that seed, settings and clock do not say already."""

    user: str
    seed: int
    market_seed: int
    """Of the prices."""
    cash: Decimal
    fees: Decimal
    proceeds: tuple[int, Decimal]
    lots: dict[str, Lot]
    entrusts: list[Entrust]
    deals: list[SavedDeal]
    due: list[tuple[int, int, Act, int]]
    """When, in which turn, what, to the order of that number."""
    number: int
    serial: tuple[int, int]
    deal: int
    draws: int
    turn: int
    steps: dict[str, Step]

    @property
    def stood_ns(self) -> int:
        """From when on its market has to be lived through again."""
        return min(step.ts_ns for step in self.steps.values())

    def check(self, account: CounterAccount, shares: Iterable[Share], path: str) -> None:
        """Raises:
        ConfigError: it is another account's, holds what is not traded any more, or was changed by hand.
        """
        codes = {share.code for share in shares}
        numbers = {entrust.number for entrust in self.entrusts}
        if self.user != account.user:
            raise ConfigError(
                f"{path} is the state of account {self.user}, not of {account.user}; give state_path another file"
            )
        used = {code for code, lot in self.lots.items() if lot.quantity}
        used |= {entrust.code for entrust in self.entrusts if not entrust.is_final}
        lacking = sorted(used - codes)
        if lacking:
            raise ConfigError(
                f"{path} holds {lacking[0]}, which is none of the shares; add it to shares, or delete the file"
            )
        strange = [order for *_, order in self.due if order not in numbers]
        strange += [deal.order for deal in self.deals if deal.order not in numbers]
        if strange or not self.steps:
            what = f"names order {strange[0]} and does not hold it" if strange else "names no prices"
            raise ConfigError(f"{path} {what}; delete it to begin anew")


class Keeps(Protocol):
    """Settings of a simulator over a counter, as far as its file is concerned."""

    @property
    def state_path(self) -> str | None: ...
    @property
    def account(self) -> CounterAccount: ...
    @property
    def shares(self) -> tuple[Share, ...]: ...


class Kept(Saved, Protocol):
    """A state file with a counter's state in it."""

    @property
    def counter(self) -> CounterState: ...


K = TypeVar("K", bound=Kept)


def read_kept(settings: Keeps, kind: type[K], now_ns: int, what: str) -> K | None:
    """The state of an earlier life that fits the settings; None where there is none yet.

    Raises:
        ConfigError: as ``read_state_file``, or as ``CounterState.check``.
    """
    state = read_state_file(settings.state_path, kind, now_ns, what)
    if state is not None:
        state.counter.check(settings.account, settings.shares, str(settings.state_path))
    return state


def state_of(user: str, seed: int, books: Books, floor: Floor, *, number: int, serial: tuple[int, int]) -> CounterState:
    """What is there now. Nothing of it may be changed: the orders are the counter's own."""
    deals = [SavedDeal(d.number, d.entrust.number, d.ts_ns, d.day, d.quantity, d.price, d.fee) for d in books.deals]
    return CounterState(
        user=user,
        seed=seed,
        market_seed=floor.exchange.seed,
        cash=books.cash,
        fees=books.fees,
        proceeds=books.proceeds,
        lots=books.lots,
        entrusts=books.entrusts,
        deals=deals,
        due=[(ts_ns, turn, act, entrust.number) for ts_ns, turn, act, entrust in sorted(floor.due, key=_when)],
        number=number,
        serial=serial,
        deal=floor.deal,
        draws=floor.draws,
        turn=floor.turn,
        steps=steps_of(floor),
    )


def take_up(state: CounterState, books: Books, floor: Floor, shares: Mapping[str, Share]) -> None:
    """Have books and floor go on with a state that was checked, which is theirs from then on."""
    for entrust in state.entrusts:
        entrust.share = shares.get(entrust.code, entrust.share)
    for code, lot in state.lots.items():
        lot.share = shares.get(code, lot.share)
    by_number = {entrust.number: entrust for entrust in state.entrusts}
    deals = [Deal(entrust=by_number[d.order], **{n: getattr(d, n) for n in _OF_A_DEAL}) for d in state.deals]
    books.cash, books.fees, books.proceeds = state.cash, state.fees, state.proceeds
    books.lots = state.lots
    books.take_up(state.entrusts, deals)
    floor.deal, floor.draws, floor.turn = state.deal, state.draws, state.turn
    floor.due = [(ts_ns, turn, act, by_number[order]) for ts_ns, turn, act, order in state.due]
    heapq.heapify(floor.due)
    for code, step in state.steps.items():
        if code in floor.heard:
            floor.heard[code], floor.stepped[code] = step.ts_ns, step.day


def steps_of(floor: Floor) -> dict[str, Step]:
    """How far each share's orders have met its price."""
    return {code: Step(floor.heard[code], floor.stepped[code], *view) for code, view in floor.views.items()}


def enter(
    exchange: Exchange,
    shares: Sequence[Share],
    at_ns: int,
    interval_ns: int = MINUTE_NS,
    steps: Mapping[str, Step] | None = None,
) -> None:
    """List the shares on the mainland's board; what is listed there already stays as it is.

    Args:
        at_ns: from when on there are steps, where this opens the board. interval_ns: their distance then.
        steps: where each share stands; one without stands where it is at ``at_ns``.
    """
    board = china_board(exchange, at_ns, interval_ns=interval_ns)
    for share in shares:
        step = None if steps is None else steps.get(share.code)
        new = exchange.stock(share.code) is None
        stock = list_china(exchange, board, share.code, share.name, share.path, at_ns if step is None else step.ts_ns)
        if new and step is not None and step.last == stock.price:
            stock.touch = (step.bid, step.ask)


def market_of_its_own(
    exchange: Exchange, shares: Sequence[Share], at_ns: int, interval_ns: int, steps: Mapping[str, Step]
) -> Exchange:
    """A market with the prices of another one that nobody else sees, from a moment on that is over."""
    found = exchange.board(CHINA_BOARD)
    alone = Exchange((), seed=exchange.seed, origin_ns=at_ns, hours=ChinaSessions())
    enter(alone, shares, at_ns, interval_ns if found is None else found.interval_ns, steps)
    return alone


def _when(due: Due) -> tuple[int, int]:
    return due[:2]


_OF_A_DEAL = ("number", "ts_ns", "day", "quantity", "price", "fee")
