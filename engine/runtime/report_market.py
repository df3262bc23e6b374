"""What a report needs the bars of the run for, all of it in one reading of them: costs, excursions, exposure, price
limits, and the benchmark."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec
import numpy as np
from msgspec import Struct

from engine.data.actions import actions_of
from engine.data.adjustments import Adjustment
from engine.data.columns import BarSource, Columns
from engine.data.prices import PriceSeries
from engine.domain.errors import DataError
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.money import exact
from engine.markets import MARKETS
from engine.markets.rulebook import RuleBook
from engine.runtime.day_prices import NEVER_NS, DayPrices
from engine.runtime.report_bars import ClosesAt, Taker, read_bars
from engine.runtime.report_benchmark import Benchmark, benchmark_of, scaled
from engine.runtime.report_candles import Floats, Ints, local_seconds
from engine.runtime.report_costs import Costs, Prices, costs_of, price_instants
from engine.runtime.report_excursions import spans_of, with_excursions
from engine.runtime.report_exposure import exposure_instants, exposure_of
from engine.runtime.report_model import Band, Report
from engine.runtime.report_reading import Execution, Reading
from engine.runtime.report_rolling import rolling_of
from engine.runtime.report_statistics import day_numbers, day_places
from engine.runtime.run_data import books_of_run

HOLD = "hold"


class Gathered(Struct, frozen=True, kw_only=True):
    """What one reading of the bars gave."""

    seen: frozenset[InstrumentId]
    prices: Prices
    closes: Mapping[InstrumentId, Floats]
    """At each of the instants asked for; NaN before the first bar."""
    first_open: Mapping[InstrumentId, float]
    days: DayPrices | None


class _Days:
    """Hands bars on to ``DayPrices``."""

    def __init__(self, days: DayPrices) -> None:
        self._days = days

    def take(self, bars: Columns) -> None:
        self._days.load(bars)


def add_market(
    report: Report,
    reading: Reading,
    executions: Sequence[Execution],
    ours: frozenset[AccountId],
    sources: Sequence[BarSource],
    benchmark: InstrumentId | PriceSeries | None = None,
) -> Report:
    """The report with everything that bars tell.

    Args:
        executions, ours: of the accounts that are added up; see ``report_of``.
        benchmark: an instrument of the sources, or prices; default: to hold the sources' own instruments.

    Raises:
        DataError: a source can not be read, or has no bars of the benchmark.
    """
    equity_ns, equity = np.array(report.equity_ns, np.int64), np.array(report.equity)
    at_ns = exposure_instants(equity_ns, executions)
    spans = spans_of(report.round_trips)
    extra = {name: [taker] for name, (_, taker) in spans.items()}
    got = _gather(reading, sources, executions, at_ns, extra)
    adjusted = [row for row in reading.adjustments if not ours or row.account in ours]
    multipliers = {name: reading.multiplier(name) for name in reading.instruments}
    days, places = _days(report, equity_ns)
    beside = _benchmark(report, got, sources, np.searchsorted(at_ns, equity_ns), benchmark, days, places)
    levels = np.concatenate([equity[:1], equity[places]])
    other = None if beside is None else np.array(beside.values)[np.concatenate([[0], places])]
    return msgspec.structs.replace(
        report,
        costs=costs_of(reading, executions, ours, got.prices) if executions else report.costs,
        round_trips=with_excursions(report.round_trips, spans, got.seen, reading),
        exposure=exposure_of(at_ns, equity_ns, equity, [*executions, *adjusted], got.closes, multipliers),
        bands=_bands(got.days, reading, _books(reading)),
        benchmark=beside,
        rolling=rolling_of(equity_ns[places], levels, report.statistics.days_a_year, other),
    )


def costs_with(
    reading: Reading, executions: Sequence[Execution], ours: frozenset[AccountId], sources: Iterable[BarSource]
) -> Costs:
    """The costs alone.

    Raises:
        DataError: a source can not be read.
    """
    closes = {name: ClosesAt(np.array(at, np.int64)) for name, at in price_instants(reading, executions).items()}
    read_bars(sources, {name: [taker] for name, taker in closes.items()})
    return costs_of(reading, executions, ours, _prices(closes))


# --- one reading -----------------------------------------------------------------------------------------------------


def _gather(
    reading: Reading,
    sources: Sequence[BarSource],
    executions: Sequence[Execution],
    at_ns: Ints,
    extra: Mapping[InstrumentId, Sequence[Taker]],
) -> Gathered:
    costs = {name: ClosesAt(np.array(at, np.int64)) for name, at in price_instants(reading, executions).items()}
    names = list(dict.fromkeys(source.instrument for source in sources))
    samples = {name: ClosesAt(at_ns) for name in names}
    days = _day_prices(reading, sources, names)
    takers: dict[InstrumentId, list[Taker]] = {}
    for name in names:
        takers[name] = [samples[name], *extra.get(name, ())]
        takers[name] += [costs[name]] if name in costs else []
        takers[name] += [_Days(days)] if days is not None else []
    read_bars(sources, takers)
    return Gathered(
        seen=frozenset(name for name in names if samples[name].last_ns),
        prices=_prices(costs),
        closes={name: samples[name].closes for name in names},
        first_open={name: samples[name].first_open for name in names if samples[name].last_ns},
        days=days,
    )


def _prices(costs: Mapping[InstrumentId, ClosesAt]) -> Prices:
    return {
        (name, ts_ns): exact(close)
        for name, taker in costs.items()
        for ts_ns, close in zip(taker.at_ns.tolist(), taker.closes.tolist(), strict=True)
        if close > 0
    }


def _books(reading: Reading) -> dict[str, RuleBook]:
    """The run's own rule books; where the journal has none, as they are by default."""
    try:
        known = books_of_run(reading.runs[-1].settings)
    except msgspec.ValidationError:
        known = {}
    wanted = sorted({instrument.market for instrument in reading.instruments.values()} - known.keys())
    return {**{name: MARKETS[name]() for name in wanted if name in MARKETS}, **known}


def _day_prices(reading: Reading, sources: Sequence[BarSource], names: Sequence[InstrumentId]) -> DayPrices | None:
    known = [name for name in names if name in reading.instruments]
    if not known:
        return None
    actions, _ = actions_of([source for source in sources if source.instrument in known])
    return DayPrices(reading.instruments, _books(reading), actions, known)


def _bands(days: DayPrices | None, reading: Reading, books: Mapping[str, RuleBook]) -> dict[str, tuple[Band, ...]]:
    found: dict[str, list[Band]] = {}
    for morning in [] if days is None else days.turn(NEVER_NS - 1):
        instrument = reading.instruments[morning.instrument]
        band = books[instrument.market].price_band(instrument, morning.reference, morning.ts_ns)
        if band is not None:
            found.setdefault(instrument.id, []).append(Band(ts_ns=morning.ts_ns, low=band[0], high=band[1]))
    return {name: tuple(bands) for name, bands in found.items()}


# --- the benchmark ---------------------------------------------------------------------------------------------------


def _days(report: Report, equity_ns: Ints) -> tuple[list[date], Ints]:
    days, places = day_places(equity_ns[1:], report.tz)
    return days, places + 1


def _benchmark(
    report: Report,
    got: Gathered,
    sources: Sequence[BarSource],
    samples: Ints,
    asked: InstrumentId | PriceSeries | None,
    days: Sequence[date],
    places: Ints,
) -> Benchmark | None:
    """``samples``: where the equity's instants are among those of ``got.closes``."""
    starting = report.equity[0]
    if not starting > 0 or len(report.equity) < 2:
        return None
    at_ns, equity = np.array(report.equity_ns, np.int64), np.array(report.equity)
    if isinstance(asked, PriceSeries):
        levels = levels_at(asked, at_ns, report.tz)
        known = levels[~np.isnan(levels)]
        first = float(known[0]) if len(known) else 0.0
        if not len(known):
            raise DataError(f"benchmark {asked.name}: it has no price by the end of the run; give one of those days")
        return benchmark_of(asked.name, "file", scaled(levels, starting, first), at_ns, equity, days, places)
    names = [name for name in got.first_open if asked is None or name == asked]
    if not names:
        if asked is not None:
            raise DataError(f"benchmark {asked}: the run has no bars of it; it has: {', '.join(got.closes) or 'none'}")
        return None
    part = starting / len(names)
    values = np.zeros(len(at_ns))
    for name in names:
        factors = () if got.days is None else got.days.factors(name)
        closes = got.closes[name][samples] / _growth(factors, at_ns)
        values += scaled(closes, part, got.first_open[name])
    values[0] = starting
    kind = HOLD if asked is None else "instrument"
    return benchmark_of(", ".join(names), kind, values, at_ns, equity, days, places)


def _growth(factors: Sequence[Adjustment], at_ns: Ints) -> Floats:
    """By what a price at each instant has to be divided so that dividends and splits before it are in."""
    product = np.concatenate([[1.0], np.cumprod([factor.price_factor for factor in factors])])
    found: Floats = product[np.searchsorted(np.array([factor.ex_ns for factor in factors], np.int64), at_ns, "right")]
    return found


def levels_at(series: PriceSeries, at_ns: Ints, tz: str) -> Floats:
    """The last price known at each instant, NaN before the first.

    Of a daily series a day's price counts at the run's last instant of that day, and the day before's until then:
    whatever hour of the day the file writes.
    """
    if series.daily:
        own: Ints = local_seconds(series.ts_ns - (0 if series.at_midnight else 1), tz) // 86_400
        days = day_numbers(at_ns, tz)
        last = np.append(days[1:] != days[:-1], True)
        place = np.searchsorted(own, np.where(last, days, days - 1), "right")
    else:
        place = np.searchsorted(series.ts_ns, at_ns, "right")
    levels: Floats = np.concatenate([[np.nan], series.prices])[place]
    return levels
