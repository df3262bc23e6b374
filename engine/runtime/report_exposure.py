"""What a run held over time, long and short, against its equity."""

from collections.abc import Iterable, Mapping

import numpy as np
from msgspec import Struct

from engine.domain.events import PositionAdjusted
from engine.domain.ids import InstrumentId
from engine.runtime.report_candles import Floats, Ints
from engine.runtime.report_reading import Execution


class Exposure(Struct, frozen=True, kw_only=True):
    """Values of positions over equity, as fractions, at each sample and right after each execution.

    A position counts at the last close of its bars; where there are none, at its latest fill. Futures count with
    their whole value, whatever their margin.
    """

    ts_ns: tuple[int, ...]
    gross: tuple[float, ...]
    """Long and short together."""
    net: tuple[float, ...]
    """Long less short."""
    mean_gross: float
    """Over time, nights and holidays included."""
    max_gross: float
    mean_net: float


def exposure_instants(equity_ns: Ints, executions: Iterable[Execution]) -> Ints:
    """When exposure is reckoned, rising."""
    moved = np.array([e.ts_ns for e in executions], np.int64)
    return np.unique(np.concatenate([equity_ns, moved[(moved >= equity_ns[0]) & (moved <= equity_ns[-1])]]))


def exposure_of(
    at_ns: Ints,
    equity_ns: Ints,
    equity: Floats,
    moves: Iterable[Execution | PositionAdjusted],
    closes: Mapping[InstrumentId, Floats],
    multipliers: Mapping[InstrumentId, int],
) -> Exposure:
    """
    Args:
        at_ns: see ``exposure_instants``.
        moves: executions and adjustments, in any order.
        closes: the last close at each of ``at_ns``, NaN where there is none yet.
    """
    own: dict[InstrumentId, list[Execution | PositionAdjusted]] = {}
    for row in moves:
        if row.quantity:
            own.setdefault(row.instrument, []).append(row)
    gross, net = np.zeros(len(at_ns)), np.zeros(len(at_ns))
    for instrument, rows in own.items():
        rows.sort(key=lambda row: row.ts_ns)
        place = np.searchsorted(np.array([row.ts_ns for row in rows], np.int64), at_ns, "right")
        held = np.concatenate([[0], np.cumsum([row.quantity for row in rows])])[place]
        price = _price(rows, place, closes.get(instrument), multipliers.get(instrument, 1))
        value = np.where(held == 0, 0.0, held * price)
        gross += np.abs(value)
        net += value
    # Equity as last sampled: an execution has none of its own.
    worth = equity[np.searchsorted(equity_ns, at_ns, "right") - 1]
    safe = np.where(worth > 0, worth, np.nan)
    gross, net = np.nan_to_num(gross / safe), np.nan_to_num(net / safe)
    spans = np.diff(at_ns).astype(float)
    whole = float(spans.sum())
    return Exposure(
        ts_ns=tuple(at_ns.tolist()),
        gross=tuple(gross.tolist()),
        net=tuple(net.tolist()),
        mean_gross=float((gross[:-1] * spans).sum()) / whole if whole else 0.0,
        max_gross=float(gross.max()),
        mean_net=float((net[:-1] * spans).sum()) / whole if whole else 0.0,
    )


def _price(rows: list[Execution | PositionAdjusted], place: Ints, closes: Floats | None, multiplier: int) -> Floats:
    """Value of one unit at each instant, multiplier included; an adjustment leaves the latest fill's."""
    filled, latest = [0.0], 0.0
    for row in rows:
        latest = float(row.price) if isinstance(row, Execution) else latest
        filled.append(latest)
    by_fill: Floats = np.array(filled)[place]
    if closes is None:
        return by_fill
    known: Floats = np.where(np.isnan(closes), by_fill, closes * multiplier)
    return known
