"""What trading cost: fees, slippage and delay, and the profit before them beside the profit after.

All in the currency of the report, exact. A positive cost is a loss. For each strategy and for all:

    net    = what its fills and bookings brought in cash, and what it still holds at the last price known
    gross  = net + fees + slippage: the profit, had every fill been free and at the price its order was decided on

*Slippage* is the fill against the *reference*: the price known when the order was decided. A journal of a live run
carries it beside the order; for a backtest it is the close of the last bar that had ended. Of it, *delay* is what the
price moved until the venue had the order (its acknowledgement, else the sending): it needs the bars of the run.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import numpy as np
from msgspec import Struct

from engine.data.columns import BarSource
from engine.domain.events import PositionAdjusted
from engine.domain.ids import EXTERNAL, AccountId, ClientOrderId, InstrumentId
from engine.domain.money import ZERO, exact
from engine.runtime.report_reading import Decided, Execution, Reading


class CostRow(Struct, frozen=True, kw_only=True):
    """Of one strategy, or of all (``strategy`` is empty)."""

    strategy: str
    fills: int = 0
    unpriced: int = 0
    """Fills whose reference is not known: they count as without slippage."""
    traded_value: Decimal = ZERO
    slippage: Decimal | None = None
    """None: no fill has a reference."""
    delay: Decimal | None = None
    """Part of the slippage. None: not known of any fill."""
    fees: Decimal = ZERO
    net: Decimal = ZERO

    @property
    def gross(self) -> Decimal:
        return self.net + self.fees + (self.slippage or ZERO)

    @property
    def basis_points(self) -> float | None:
        """Fees and slippage over the traded value, in hundredths of a percent."""
        cost = self.fees + (self.slippage or ZERO)
        return float(cost / self.traded_value * 10_000) if self.traded_value else None


class Costs(Struct, frozen=True, kw_only=True):
    rows: tuple[CostRow, ...]
    """A strategy each, in the order of their first fill."""
    total: CostRow


def costs_of(
    reading: Reading, executions: Sequence[Execution], ours: frozenset[AccountId], sources: Iterable[BarSource] = ()
) -> Costs:
    """Costs of the executions; ``sources`` are the bars of the run, which are read once, a batch at a time.

    Raises:
        DataError: a source can not be read.
    """
    decided = {e.client_id: found for e in executions if (found := reading.decided(e.client_id)) is not None}
    prices = _prices(_wanted(reading, executions, decided), sources)
    adjusted = [
        row for row in reading.adjustments if row.strategy != EXTERNAL and (not ours or row.account in ours)
    ]  # fmt: skip
    names = dict.fromkeys((*(e.strategy for e in executions), *(a.strategy for a in adjusted)))
    rows: list[CostRow] = []
    for name in names:
        cash = sum((row.cash for row in adjusted if row.strategy == name), ZERO)
        own = [e for e in executions if e.strategy == name]
        held: dict[InstrumentId, int] = {}
        moves: list[Execution | PositionAdjusted] = [*own, *(row for row in adjusted if row.strategy == name)]
        for moved in moves:
            held[moved.instrument] = held.get(moved.instrument, 0) + moved.quantity
        worth = sum((_worth(reading, own, instrument, held[instrument], prices) for instrument in held), ZERO)
        rows.append(_row(name, own, decided, prices, reading, cash + worth))
    return Costs(rows=tuple(rows), total=_total(rows))


Prices = Mapping[tuple[InstrumentId, int], Decimal]
"""The last price known at an instant."""


def _wanted(
    reading: Reading, executions: Sequence[Execution], decided: Mapping[ClientOrderId, Decided]
) -> dict[InstrumentId, list[int]]:
    """At which instants the price of which instrument is needed."""
    wanted: dict[InstrumentId, dict[int, None]] = {}
    for done in executions:
        at = wanted.setdefault(done.instrument, {reading.last_ns: None})
        order = decided.get(done.client_id)
        if order is not None:
            at[order.ts_ns] = None
            at[order.arrived_ns or order.ts_ns] = None
    return {instrument: sorted(at) for instrument, at in wanted.items()}


def _prices(wanted: Mapping[InstrumentId, Sequence[int]], sources: Iterable[BarSource]) -> Prices:
    found: dict[tuple[InstrumentId, int], Decimal] = {}
    for source in sources:
        if source.instrument not in wanted:
            continue
        at = np.array(wanted[source.instrument], np.int64)
        closes = np.full(len(at), np.nan)
        for bars in source.batches():
            first = int(np.searchsorted(at, bars.ts_ns[0]))
            closes[first:] = bars.close[np.searchsorted(bars.ts_ns, at[first:], "right") - 1]
        for ts_ns, close in zip(at.tolist(), closes.tolist(), strict=True):
            if close > 0:
                found[source.instrument, ts_ns] = exact(close)
    return found


def _worth(
    reading: Reading, own: Sequence[Execution], instrument: InstrumentId, quantity: int, prices: Prices
) -> Decimal:
    """Of what is still held: at the last price of the bars, else at that of the strategy's latest fill."""
    if not quantity:
        return ZERO
    price = prices.get((instrument, reading.last_ns))
    if price is not None:
        return price * quantity * reading.multiplier(instrument)
    filled = [e.price for e in own if e.instrument == instrument and e.quantity]
    return filled[-1] * quantity if filled else ZERO


def _row(
    name: str,
    own: Sequence[Execution],
    decided: Mapping[ClientOrderId, Decided],
    prices: Prices,
    reading: Reading,
    left: Decimal,
) -> CostRow:
    """``left``: cash of bookings and what the holdings are worth."""
    slippage = delay = value = traded = fees = ZERO
    fills = priced = delayed = 0
    for done in own:
        value += done.value
        traded += abs(done.value)
        fees += done.fee
        if not done.quantity:
            continue
        fills += 1
        order = decided.get(done.client_id)
        if order is None:
            continue
        reference = order.reference or prices.get((done.instrument, order.ts_ns))
        if reference is None:
            continue
        priced += 1
        units = done.quantity * reading.multiplier(done.instrument)
        slippage += done.value - reference * units
        arrived = prices.get((done.instrument, order.arrived_ns or order.ts_ns))
        if arrived is not None:
            delayed += 1
            delay += (arrived - reference) * units
    return CostRow(
        strategy=name,
        fills=fills,
        unpriced=fills - priced,
        traded_value=traded,
        slippage=slippage if priced else None,
        delay=delay if delayed else None,
        fees=fees,
        net=left - value - fees,
    )


def _total(rows: Sequence[CostRow]) -> CostRow:
    return CostRow(
        strategy="",
        fills=sum(row.fills for row in rows),
        unpriced=sum(row.unpriced for row in rows),
        traded_value=sum((row.traded_value for row in rows), ZERO),
        slippage=_sum(row.slippage for row in rows),
        delay=_sum(row.delay for row in rows),
        fees=sum((row.fees for row in rows), ZERO),
        net=sum((row.net for row in rows), ZERO),
    )


def _sum(values: Iterable[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return sum(known, ZERO) if known else None


def costs_as_json(costs: Costs | None) -> dict[str, object] | None:
    """Amounts as text, exact; None where nothing was traded."""
    if costs is None:
        return None
    return {"total": _as_json(costs.total), "strategies": [_as_json(row) for row in costs.rows]}


def _as_json(row: CostRow) -> dict[str, object]:
    points = row.basis_points
    return {
        "strategy": row.strategy,
        "fills": row.fills,
        "fills_without_reference": row.unpriced,
        "traded_value": str(row.traded_value),
        "gross_profit": str(row.gross),
        "slippage": None if row.slippage is None else str(row.slippage),
        "delay": None if row.delay is None else str(row.delay),
        "fees": str(row.fees),
        "net_profit": str(row.net),
        "cost_basis_points": None if points is None else round(points, 4),
    }
