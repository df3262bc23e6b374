"""Executions paired first in, first out into round trips, a strategy and instrument apart."""

from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal

import numpy as np
from msgspec import Struct

from engine.domain.events import PositionAdjusted
from engine.domain.ids import ClientOrderId
from engine.domain.money import ZERO
from engine.runtime.report_reading import Execution


class RoundTrip(Struct, frozen=True, kw_only=True, gc=False):
    """A quantity that was opened by one order and closed by another.

    Prices are per unit, multiplier included, averaged over the orders' fills; ``pnl`` is after both sides' fees.
    """

    strategy: str
    instrument: str
    direction: str
    """``long`` or ``short``."""
    quantity: int
    entry_ns: int
    exit_ns: int
    holding_ns: int
    entry_price: float
    exit_price: float
    fees: Decimal
    pnl: Decimal
    return_: float
    """``pnl`` over the value at entry."""
    mae: float | None = None
    """Largest move against the trade while it was on, over the entry price, 0 or more; None: no bars, see
    ``report_excursions``."""
    mfe: float | None = None
    """Largest move in its favour, the same way."""


class OpenPosition(Struct, frozen=True, kw_only=True, gc=False):
    """What a strategy still holds at the end; negative is short."""

    strategy: str
    instrument: str
    quantity: int
    average_price: float
    since_ns: int


class _Lot(Struct, gc=False):
    """What is left of an entry; ``value`` and ``quantity`` are signed, and value is price x quantity."""

    client_id: ClientOrderId
    ts_ns: int
    quantity: int
    value: Decimal
    fee: Decimal
    price: float | None
    """A unit's, as it is shown; None: what value and quantity say."""


class _Pair(Struct, gc=False):
    """The part of one entry order that one exit order closed, over any number of fills."""

    entry: ClientOrderId
    exit: ClientOrderId
    entry_ns: int
    exit_ns: int
    sign: int
    quantity: int
    entry_value: Decimal
    exit_value: Decimal
    fees: Decimal
    entry_price: float | None
    exit_price: float | None


class Ledger:
    """The lots of one strategy in one instrument."""

    def __init__(self, strategy: str, instrument: str) -> None:
        self.strategy = strategy
        self.instrument = instrument
        self.pairs: list[_Pair] = []
        self.lots: deque[_Lot] = deque()
        self.quantity = 0

    def book(self, done: Execution) -> None:
        left, lots = done.quantity, self.lots
        if not left:
            return
        self.quantity += left
        rest = _Lot(done.client_id, done.ts_ns, left, done.value, done.fee, done.shown_price)
        while lots and (lots[0].quantity > 0) != (left > 0):
            entry = lots[0]
            held, wanted = abs(entry.quantity), abs(rest.quantity)
            taken = min(held, wanted)
            if taken == held:
                lots.popleft()
            else:
                entry = _part(entry, taken)
            self._close(entry, rest if taken == wanted else _part(rest, taken))
            if taken == wanted:
                return
        lots.append(rest)

    def grow(self, quantity: int, cost: Decimal) -> None:
        """A split, a bonus or rights: the lots become more shares, or fewer, and cost ``cost`` more in all."""
        before, after = self.quantity, self.quantity + quantity
        if not before or before * after <= 0:
            return
        value = sum((lot.value for lot in self.lots), ZERO)
        left = self.quantity = after
        for place, lot in enumerate(self.lots, 1):
            # Fractions of a share are the last lot's.
            lot.quantity = left if place == len(self.lots) else lot.quantity * after // before
            left -= lot.quantity
            lot.value *= 1 + cost / abs(value) if value else 1
            lot.price = None
        self.lots = deque(lot for lot in self.lots if lot.quantity)

    def _close(self, entry: _Lot, exit_: _Lot) -> None:
        sign = 1 if entry.quantity > 0 else -1
        taken, entry_value, exit_value, fees = (
            abs(entry.quantity), entry.value * sign, exit_.value * -sign, entry.fee + exit_.fee,
        )  # fmt: skip
        last = self.pairs[-1] if self.pairs else None
        ids = entry.client_id, exit_.client_id
        if last is not None and (last.entry, last.exit) == ids and last.sign == sign:
            last.exit_ns = exit_.ts_ns
            last.quantity += taken
            last.entry_value += entry_value
            last.exit_value += exit_value
            last.fees += fees
            last.entry_price = last.exit_price = None
            return
        prices = entry.price, exit_.price
        self.pairs.append(_Pair(*ids, entry.ts_ns, exit_.ts_ns, sign, taken, entry_value, exit_value, fees, *prices))

    def round_trips(self) -> list[RoundTrip]:
        return [self._round_trip(pair) for pair in self.pairs]

    def _round_trip(self, pair: _Pair) -> RoundTrip:
        pnl = (pair.exit_value - pair.entry_value) * pair.sign - pair.fees
        entry_price, exit_price = pair.entry_price, pair.exit_price
        if entry_price is None:
            entry_price = float(pair.entry_value / pair.quantity)
        if exit_price is None:
            exit_price = float(pair.exit_value / pair.quantity)
        return RoundTrip(
            strategy=self.strategy,
            instrument=self.instrument,
            direction="long" if pair.sign > 0 else "short",
            quantity=pair.quantity,
            entry_ns=pair.entry_ns,
            exit_ns=pair.exit_ns,
            holding_ns=pair.exit_ns - pair.entry_ns,
            entry_price=entry_price,
            exit_price=exit_price,
            fees=pair.fees,
            pnl=pnl,
            return_=float(pnl) / (entry_price * pair.quantity) if entry_price else 0.0,
        )

    def open_position(self) -> OpenPosition | None:
        if not self.quantity:
            return None
        value = sum((lot.value for lot in self.lots), ZERO)
        return OpenPosition(
            strategy=self.strategy,
            instrument=self.instrument,
            quantity=self.quantity,
            average_price=float(value / self.quantity),
            since_ns=self.lots[0].ts_ns,
        )


def _part(lot: _Lot, taken: int) -> _Lot:
    """``taken`` out of a lot, which keeps the rest: value and fee go by quantity, and nothing is lost in between."""
    held = abs(lot.quantity)
    value, fee = lot.value * taken / held, lot.fee * taken / held
    part = _Lot(lot.client_id, lot.ts_ns, lot.quantity * taken // held, value, fee, lot.price)
    lot.quantity -= part.quantity
    lot.value -= value
    lot.fee -= fee
    return part


Move = Execution | PositionAdjusted


def moves_of(executions: Iterable[Execution], adjusted: Iterable[PositionAdjusted]) -> list[Move]:
    """Executions, and changes of the number of shares that were no trade, in order of time."""
    grown = [row for row in adjusted if row.quantity and row.cost is not None]
    # An ex-date comes before what trades at its instant.
    return sorted([*grown, *executions], key=lambda row: row.ts_ns) if grown else list(executions)


def pair_first_in_first_out(moves: Iterable[Move]) -> tuple[list[RoundTrip], list[OpenPosition]]:
    """Round trips in order of their exit, and what is left open; ``moves``: see ``moves_of``."""
    ledgers: dict[tuple[str, str], Ledger] = {}
    for done in moves:
        key = (done.strategy, done.instrument)
        ledger = ledgers.get(key)
        if ledger is None:
            ledger = ledgers[key] = Ledger(*key)
        if isinstance(done, Execution):
            ledger.book(done)
        else:
            ledger.grow(done.quantity, done.cost or ZERO)
    trips = [trip for ledger in ledgers.values() for trip in ledger.round_trips()]
    trips.sort(key=lambda trip: trip.exit_ns)
    opened = [position for ledger in ledgers.values() if (position := ledger.open_position()) is not None]
    return trips, opened


def time_in_market(moves: Sequence[Move], first_ns: int, last_ns: int) -> float:
    """Share of the time between two instants in which any position was open, 0 to 1; nights and holidays count."""
    span_ns = last_ns - first_ns
    if not moves or span_ns <= 0:
        return 0.0
    numbers: dict[tuple[str, str], int] = {}
    whose = np.array([numbers.setdefault((done.strategy, done.instrument), len(numbers)) for done in moves])
    moved = np.array([done.quantity for done in moves])
    ts_ns = np.array([done.ts_ns for done in moves])
    in_time = np.argsort(ts_ns, kind="stable")
    grouped = in_time[np.argsort(whose[in_time], kind="stable")]
    held = np.cumsum(moved[grouped])
    firsts = np.flatnonzero(np.diff(whose[grouped], prepend=-1))
    held -= np.repeat(held[firsts] - moved[grouped][firsts], np.diff(firsts, append=len(moves)))
    is_open = (held != 0).astype(np.int64)
    was_open = np.append(0, is_open[:-1])
    was_open[firsts] = 0
    changes = np.empty(len(moves), np.int64)
    changes[grouped] = is_open - was_open
    spans = np.diff(ts_ns[in_time], append=last_ns)
    return min(1.0, int(spans[np.cumsum(changes[in_time]) > 0].sum()) / span_ns)
