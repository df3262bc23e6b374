"""One set over one span of bars: the backtest and what it came to."""

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import SluiceError
from engine.journal.memory import MemoryJournal
from engine.runtime.backtest import ACCOUNT
from engine.runtime.backtest_result import BacktestResult
from engine.runtime.interrupt import interrupting
from engine.runtime.optimize.jobs import Figures, Job, Row
from engine.runtime.optimize.setup import Setup
from engine.runtime.optimize.warm_up import CODE
from engine.runtime.report import Points, statistics_alone
from engine.runtime.report_reading import Reading
from engine.runtime.report_statistics import daily_closes

Ints = NDArray[np.int64]

FEW_DAYS = 60
"""With fewer days the curve is that of the samples."""
_CURVE_POINTS = 400


def evaluate(setup: Setup, job: Job) -> Row:
    """The row of a job; what the strategy or the settings are to blame for is its ``problem``."""
    span = job.span
    sources = [cut for source in setup.sources if len((cut := source.span(span.from_ns, span.to_ns)).ts_ns)]
    if not sources:
        return _failed(job, "there are no bars in its window")
    journal = MemoryJournal()
    try:
        run = setup.backtest(job, sources, journal)
        with interrupting(run.core.runner):
            result = run.run()
    except SluiceError as why:
        return _failed(job, " ".join(str(why).split()))
    return _row(setup, job, result, Reading(journal.records(), setup.instruments))


def _failed(job: Job, problem: str) -> Row:
    return Row(key=job.key, parameters=job.parameters, span=job.span, problem=problem)


def _row(setup: Setup, job: Job, result: BacktestResult, reading: Reading) -> Row:
    points = _points(reading, setup.cash, job.span.trade_ns)
    times, equity = np.array([at for at, _ in points], np.int64), np.array([float(value) for _, value in points])
    s = statistics_alone(reading, tz=setup.tz, points=points)
    days, closes = daily_closes(times[1:], equity[1:], setup.tz)
    few = len(days) < FEW_DAYS
    kept = _thinned(len(times)) if few else np.empty(0, np.int64)
    return Row(
        key=job.key,
        parameters=job.parameters,
        span=job.span,
        figures=Figures(
            total_return=s.total_return,
            annual_return=s.annual_return,
            annual_volatility=s.annual_volatility,
            sharpe=s.sharpe,
            sortino=s.sortino,
            calmar=s.calmar,
            max_drawdown=s.max_drawdown,
            exposure=s.exposure,
            turnover=s.turnover,
            fees=float(s.fees),
            fills=s.fills,
            denied=sum(len(group) for code, group in reading.denials.items() if code != CODE),
            round_trips=s.round_trips,
            win_rate=s.win_rate,
            profit_factor=s.profit_factor,
            days=s.days,
            days_a_year=s.days_a_year,
            final_equity=float(equity[-1]),
        ),
        problem="; ".join(f"{name} was stopped: {why}" for name, why in sorted(result.stopped.items())),
        digest=result.digest,
        starting=float(equity[0]),
        days=np.array([day.toordinal() for day in days], "<i4").tobytes(),
        closes=closes.astype("<f8").tobytes(),
        curve_ns=times[kept].astype("<i8").tobytes(),
        curve=equity[kept].astype("<f8").tobytes(),
    )


def _points(reading: Reading, cash: Decimal, trade_ns: int) -> Points:
    """Equity from the moment trading may begin; first what it begins with."""
    began = max(reading.runs[0].ts_ns, trade_ns)
    samples = {ts_ns: value for ts_ns, value in reading.samples.get(ACCOUNT, ()) if ts_ns >= trade_ns}
    return [(began, cash), *samples.items()]


def _thinned(count: int) -> Ints:
    return np.unique(np.linspace(0, count - 1, min(count, _CURVE_POINTS)).astype(np.int64))
