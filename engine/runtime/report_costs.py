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

from msgspec import Struct

from engine.domain.events import PositionAdjusted
from engine.domain.ids import EXTERNAL, AccountId, ClientOrderId, InstrumentId
from engine.domain.money import ZERO
from engine.runtime.report_reading import Decided, Execution, Reading


class CostRow(Struct, frozen=True, kw_only=True):
    """Of one strategy, of one instrument, of one in the other, or of all (the names are empty)."""

    strategy: str
    instrument: str = ""
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
    """Every table adds up to ``total``, exactly."""

    rows: tuple[CostRow, ...]
    """A strategy each, in the order of their first fill."""
    total: CostRow
    instruments: tuple[CostRow, ...] = ()
    """An instrument each."""
    parts: tuple[CostRow, ...] = ()
    """A strategy in an instrument each."""


Prices = Mapping[tuple[InstrumentId, int], Decimal]
"""The last price known at an instant."""


def price_instants(reading: Reading, executions: Iterable[Execution]) -> dict[InstrumentId, list[int]]:
    """At which instants the costs need the price of which instrument, rising."""
    wanted: dict[InstrumentId, dict[int, None]] = {}
    for done in executions:
        at = wanted.setdefault(done.instrument, {reading.last_ns: None})
        order = reading.decided(done.client_id)
        if order is not None:
            at[order.ts_ns] = None
            at[order.arrived_ns or order.ts_ns] = None
    return {instrument: sorted(at) for instrument, at in wanted.items()}


def costs_of(
    reading: Reading, executions: Sequence[Execution], ours: frozenset[AccountId], prices: Prices | None = None
) -> Costs:
    """Costs of the executions; ``prices`` at ``price_instants``, where they are known."""
    known = prices or {}
    decided = {e.client_id: found for e in executions if (found := reading.decided(e.client_id)) is not None}
    adjusted = [
        row for row in reading.adjustments if row.strategy != EXTERNAL and (not ours or row.account in ours)
    ]  # fmt: skip
    own: dict[tuple[str, InstrumentId], list[Execution]] = {}
    bookings: dict[tuple[str, InstrumentId], list[PositionAdjusted]] = {}
    for done in executions:
        own.setdefault((done.strategy, done.instrument), []).append(done)
    for row in adjusted:
        bookings.setdefault((row.strategy, row.instrument), []).append(row)
    parts: list[CostRow] = []
    for key in dict.fromkeys((*own, *bookings)):
        name, instrument = key
        fills, booked = own.get(key, []), bookings.get(key, [])
        held = sum(e.quantity for e in fills) + sum(row.quantity for row in booked)
        left = sum((row.cash for row in booked), ZERO) + _worth(reading, fills, instrument, held, known)
        parts.append(_row(name, instrument, fills, decided, known, reading, left))
    return Costs(
        rows=tuple(_sum_of(rows, strategy=name) for name, rows in _grouped(parts, "strategy").items()),
        total=_sum_of(parts),
        instruments=tuple(_sum_of(rows, instrument=name) for name, rows in _grouped(parts, "instrument").items()),
        parts=tuple(parts),
    )


def _grouped(parts: Iterable[CostRow], field: str) -> dict[str, list[CostRow]]:
    groups: dict[str, list[CostRow]] = {}
    for part in parts:
        groups.setdefault(getattr(part, field), []).append(part)
    return groups


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
    instrument: str,
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
        instrument=instrument,
        fills=fills,
        unpriced=fills - priced,
        traded_value=traded,
        slippage=slippage if priced else None,
        delay=delay if delayed else None,
        fees=fees,
        net=left - value - fees,
    )


def _sum_of(rows: Sequence[CostRow], strategy: str = "", instrument: str = "") -> CostRow:
    return CostRow(
        strategy=strategy,
        instrument=instrument,
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
    return {
        "total": _as_json(costs.total),
        "strategies": [_as_json(row) for row in costs.rows],
        "instruments": [_as_json(row) for row in costs.instruments],
        "parts": [_as_json(row) for row in costs.parts],
    }


def _as_json(row: CostRow) -> dict[str, object]:
    points = row.basis_points
    return {
        "strategy": row.strategy,
        "instrument": row.instrument,
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
