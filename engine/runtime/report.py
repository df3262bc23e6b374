"""The report of a run, read from its journal: figures, curves and lists; a backtest and a live day alike."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from engine.data.columns import BarSource
from engine.data.headers import zone_of
from engine.data.prices import PriceSeries
from engine.domain.errors import DataError
from engine.domain.events import JournalRecord, PositionAdjusted, RunStarted
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.runtime.report_candles import Floats, Ints
from engine.runtime.report_drawdowns import deepest_falls
from engine.runtime.report_market import add_market, costs_with
from engine.runtime.report_model import Band, DenialCount, FillMark, Report
from engine.runtime.report_reading import Execution, Reading
from engine.runtime.report_rolling import rolling_of
from engine.runtime.report_round_trips import Move, OpenPosition, RoundTrip, moves_of, pair_first_in_first_out
from engine.runtime.report_sources import sources_of
from engine.runtime.report_statistics import (
    Drawdown,
    MonthlyReturn,
    MonthlyTurnover,
    Statistics,
    date_of,
    day_numbers,
    day_places,
    statistics_of,
    turnover_by_month,
    yearly_returns,
)
from engine.runtime.rings import uncollected

__all__ = [
    "Band",
    "DenialCount",
    "FillMark",
    "Report",
    "build_report",
    "report_of",
    "statistics_alone",
    "with_bars",
    "with_costs",
]

Points = list[tuple[int, Decimal]]
"""(ns, equity), in order of time."""


def build_report(
    records: Iterable[tuple[int, JournalRecord]],
    *,
    instruments: Mapping[InstrumentId, Instrument] | None = None,
    tz: str | None = None,
    benchmark: InstrumentId | PriceSeries | None = None,
) -> Report:
    """Read a journal into a report with everything in it; see ``report_of`` and ``with_bars``.

    Args:
        instruments: for multipliers and price limits; default: as the run itself defined them.
        tz: zone of days and months; see ``report_of``.

    Raises:
        DataError: the journal holds no run, or the benchmark has no prices.
    """
    reading = Reading(records, instruments)
    return with_bars(report_of(reading, tz=tz), reading, benchmark=benchmark)


def with_bars(
    report: Report,
    reading: Reading,
    sources: Sequence[BarSource] | None = None,
    *,
    benchmark: InstrumentId | PriceSeries | None = None,
) -> Report:
    """The report with what only bars can tell: costs, MAE and MFE, exposure, price limits, the benchmark.

    Args:
        sources: the bars of the run; default: those it names, where they are still there and the same, and a note of
            those that are not.
        benchmark: an instrument of the run's data, or prices; default: to hold the run's own instruments.

    Raises:
        DataError: a source given can not be read, or there are no prices of the benchmark asked for.
    """
    executions, ours = _ours(reading)
    notes: list[str] = []
    found = sources_of(report.data, notes) if sources is None else list(sources)
    try:
        made = add_market(report, reading, executions, ours, found, benchmark)
    except DataError as why:
        if sources is not None or benchmark is not None:
            raise
        notes.append(f"no bars for the costs: {why}")
        made = add_market(report, reading, executions, ours, [])
    return _with_notes(made, notes)


def with_costs(report: Report, reading: Reading, sources: Sequence[BarSource] | None = None) -> Report:
    """The report with what trading cost, and nothing else of ``with_bars``.

    Args:
        sources: the bars of the run; default: those it names, where they are still there and the same, and a note of
            those that are not.

    Raises:
        DataError: a source given can not be read.
    """
    notes: list[str] = []
    executions, ours = _ours(reading)
    if not executions:
        return report
    found = sources_of(report.data, notes) if sources is None else list(sources)
    try:
        costs = costs_with(reading, executions, ours, found)
    except DataError as why:
        if sources is not None:
            raise
        notes.append(f"no bars for the costs: {why}")
        costs = costs_with(reading, executions, ours, ())
    return _with_notes(msgspec.structs.replace(report, costs=costs), notes)


def _with_notes(report: Report, notes: list[str]) -> Report:
    """The report with notes of its own costs, and these."""
    if report.costs is None:
        return msgspec.structs.replace(report, notes=(*report.notes, *notes))
    total = report.costs.total
    if total.unpriced and total.slippage is not None:
        notes.append(
            f"slippage is without {total.unpriced:,} of {total.fills:,} fills: what was known when they were decided "
            "is not"
        )
    if report.beside:
        notes.append(
            f"equity changed by {report.beside:+,.2f} {report.currency} beside the net profit: prices since each "
            "strategy's last fills, and what no strategy did (rounding, fees found at the venue, trades by hand)"
        )
    return msgspec.structs.replace(report, notes=(*report.notes, *notes))


def _ours(reading: Reading) -> tuple[list[Execution], frozenset[AccountId]]:
    ours = _accounts(reading)[2]
    return [e for e in reading.executions if not ours or e.account in ours], ours


@uncollected()
def report_of(reading: Reading, *, tz: str | None = None) -> Report:
    """Everything but the costs.

    Equity is what was sampled into the journal; where nothing was, cash and positions at the latest fill price. All
    accounts of the first account's currency are added up; accounts in others are named in ``notes``.

    Args:
        tz: zone of days and months; default: the data's, else the first instrument's venue's, else UTC.

    Raises:
        DataError: the journal holds no run.
    """
    run, basis = _last_run(reading), _basis_of(reading, tz)
    points, executions, trips = basis.points, basis.executions, basis.trips
    return Report(
        mode=run.mode,
        started_ns=reading.first_ns,
        ended_ns=reading.last_ns,
        tz=basis.tz,
        currency=basis.currency,
        starting_equity=points[0][1],
        final_equity=points[-1][1],
        **_figures(basis),
        round_trips=tuple(trips),
        fills=tuple(_mark(e) for e in executions if e.quantity),
        open_positions=tuple(basis.opened),
        orders=reading.orders,
        denials=_denials(reading, basis.tz),
        incidents=tuple(reading.incidents),
        data=run.data,
        strategies=run.strategies,
        accounts=run.accounts,
        config_hash=run.config_hash,
        settings=run.settings,
        notes=tuple(basis.notes),
    )


@uncollected()
def statistics_alone(reading: Reading, *, tz: str | None = None, points: Points | None = None) -> Statistics:
    """The ``statistics`` of ``report_of``, for who wants none of its lists and curves; ``tz`` and raises as there.

    Args:
        points: equity in time, what it began with first; default: what was sampled.
    """
    _last_run(reading)
    return _statistics(_basis_of(reading, tz, points))[0]


def _last_run(reading: Reading) -> RunStarted:
    if not reading.runs:
        raise DataError("the journal holds no run; run a backtest, a demo or live first")
    return reading.runs[-1]


class _Basis(Struct, frozen=True):
    """What all figures are made of. ``points``: equity in time, what it began with first."""

    tz: str
    currency: str
    executions: list[Execution]
    points: Points
    ts_ns: Ints
    equity: Floats
    moves: list[Move]
    trips: list[RoundTrip]
    opened: list[OpenPosition]
    notes: list[str]


def _basis_of(reading: Reading, tz: str | None, points: Points | None = None) -> _Basis:
    currency, starting, ours, notes = _accounts(reading)
    executions, _ = _ours(reading)
    points = points or _sampled(reading, ours, starting)
    if len(points) < 2:
        notes.append("no equity was sampled: the curve is made of cash and positions at the latest fill price")
        points = _from_fills(reading, executions, starting, ours)
    moves = moves_of(executions, [row for row in reading.adjustments if not ours or row.account in ours])
    trips, opened = pair_first_in_first_out(moves)
    ts_ns = np.array([ts_ns for ts_ns, _ in points], np.int64)
    equity = np.array([float(value) for _, value in points])
    return _Basis(
        tz or _zone(reading), currency, executions, points, ts_ns, equity, moves, trips, opened, notes
    )  # fmt: skip


def _statistics(basis: _Basis) -> tuple[Statistics, Drawdown, tuple[MonthlyReturn, ...]]:
    return statistics_of(
        ts_ns=basis.ts_ns, equity=basis.equity, tz=basis.tz, trips=basis.trips, executions=basis.executions,
        moves=basis.moves,
    )  # fmt: skip


def _figures(basis: _Basis) -> dict[str, Any]:
    """Statistics and curves, by the names of ``Report``."""
    ts_ns, equity, tz = basis.ts_ns, basis.equity, basis.tz
    statistics, fall, monthly = _statistics(basis)
    places = day_places(ts_ns[1:], tz)[1] + 1
    levels = np.concatenate([equity[:1], equity[places]])
    return {
        "statistics": statistics,
        "equity_ns": tuple(ts_ns.tolist()),
        "equity": tuple(equity.tolist()),
        "drawdown": tuple(fall.curve.tolist()),
        "monthly": monthly,
        "yearly": yearly_returns(monthly),
        "falls": deepest_falls(ts_ns, equity),
        "day_ns": tuple(ts_ns[places].tolist()),
        "day_equity": tuple(equity[places].tolist()),
        "turnover": _turnover(basis.executions, ts_ns, equity, tz),
        "rolling": rolling_of(ts_ns[places], levels, statistics.days_a_year),
    }


def _turnover(executions: list[Execution], ts_ns: Ints, equity: Floats, tz: str) -> tuple[MonthlyTurnover, ...]:
    moved = np.array([e.ts_ns for e in executions], np.int64)
    values = np.array([abs(e.shown_price * e.quantity) for e in executions])
    return turnover_by_month(ts_ns, equity, moved, values, tz)


def _accounts(reading: Reading) -> tuple[str, Decimal, frozenset[AccountId], list[str]]:
    """Currency, starting cash, the accounts added up, and what is to be noted of the others."""
    rows = reading.runs[0].accounts
    if not rows:
        return "", ZERO, frozenset(), []
    currency = str(rows[0].get("currency", ""))
    ours = [row for row in rows if str(row.get("currency", "")) == currency]
    others = [str(row.get("account", "")) for row in rows if str(row.get("currency", "")) != currency]
    notes = [f"not added up, as in another currency than {currency}: {', '.join(others)}"] if others else []
    starting = sum((Decimal(str(row.get("cash", "0"))) for row in ours), ZERO)
    return currency, starting, frozenset(AccountId(str(row.get("account", ""))) for row in ours), notes


def _sampled(reading: Reading, ours: frozenset[AccountId], starting: Decimal) -> list[tuple[int, Decimal]]:
    """Equity of our accounts together at each instant that any was sampled; the start comes first."""
    rows = sorted(
        (ts_ns, account, value)
        for account, samples in reading.samples.items()
        if not ours or account in ours
        for ts_ns, value in samples
    )
    if not rows:
        return []
    cash_of = {
        AccountId(str(row.get("account", ""))): Decimal(str(row.get("cash", "0"))) for row in reading.runs[0].accounts
    }
    latest = {account: cash for account, cash in cash_of.items() if not ours or account in ours}
    if not starting:
        # A live account's cash is not known before it is read: the first sample is what it started with.
        firsts: dict[AccountId, Decimal] = {}
        for _, account, value in rows:
            firsts.setdefault(account, value)
        latest.update(firsts)
    points = [(min(reading.runs[0].ts_ns, rows[0][0]), sum(latest.values(), ZERO))]
    for ts_ns, account, value in rows:
        latest[account] = value
        if points[-1][0] == ts_ns and len(points) > 1:
            points.pop()
        points.append((ts_ns, sum(latest.values(), ZERO)))
    return points


def _from_fills(
    reading: Reading, executions: list[Execution], starting: Decimal, ours: frozenset[AccountId]
) -> list[tuple[int, Decimal]]:
    """Cash and positions at the price of the latest fill, after each execution and adjustment."""
    cash, held, price = starting, dict[InstrumentId, int](), dict[InstrumentId, Decimal]()
    points = [(reading.first_ns, starting)]
    adjusted = [a for a in reading.adjustments if not ours or a.account in ours]
    rows: list[Execution | PositionAdjusted] = [*executions, *adjusted]
    for row in sorted(rows, key=lambda r: r.ts_ns):
        if isinstance(row, Execution):
            cash -= row.value + row.fee
            if row.quantity:
                price[row.instrument] = row.price
        else:
            cash += row.cash
        held[row.instrument] = held.get(row.instrument, 0) + row.quantity
        worth = sum((quantity * price.get(name, ZERO) for name, quantity in held.items()), ZERO)
        points.append((row.ts_ns, cash + worth))
    return [*points, (reading.last_ns, points[-1][1])]


def _zone(reading: Reading) -> str:
    for source in reading.runs[-1].data:
        if source.get("tz"):
            return str(source["tz"])
    for done in reading.executions:
        if (zone := zone_of(done.instrument)) is not None:
            return zone
    return "UTC"


def _mark(done: Execution) -> FillMark:
    return FillMark(
        ts_ns=done.ts_ns,
        strategy=done.strategy,
        instrument=done.instrument,
        quantity=done.quantity,
        price=done.shown_price,
        fee=float(done.fee),
    )


def _denials(reading: Reading, tz: str) -> tuple[DenialCount, ...]:
    counted = []
    for code, group in reading.denials.items():
        days = Counter(day_numbers(np.array([denied.ts_ns for denied in group], np.int64), tz).tolist())
        counted.append(
            DenialCount(
                code=code,
                count=len(group),
                example=group[-1].reason,
                first_ns=group[0].ts_ns,
                last_ns=group[-1].ts_ns,
                days=tuple((date_of(number).isoformat(), count) for number, count in sorted(days.items())),
            )
        )
    return tuple(sorted(counted, key=lambda d: (-d.count, d.code)))
