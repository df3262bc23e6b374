"""Several runs beside each other: figures with differences, the settings that differ, how their days move together."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
from msgspec import Struct

from engine.domain.timestamps import format_time
from engine.runtime.report_benchmark import RETURNS_MIN
from engine.runtime.report_model import Report
from engine.runtime.report_statistics import day_places

STATISTICS = (
    "total_return", "annual_return", "annual_volatility", "sharpe", "sortino", "calmar", "max_drawdown",
    "longest_drawdown_ns", "exposure", "turnover", "round_trips", "win_rate", "profit_factor", "average_pnl",
    "average_holding_ns", "losing_streak", "fills", "days",
)  # fmt: skip
BENCHMARK = ("excess_return", "alpha", "beta", "information_ratio")


class Row(Struct, frozen=True, kw_only=True):
    """One figure of every run; ``differences`` are each run's less the first's. None: not known of that run."""

    figure: str
    values: tuple[float | None, ...]
    differences: tuple[float | None, ...]


class Setting(Struct, frozen=True, kw_only=True):
    """One setting that is not the same in all runs, as text; None: that run has no such setting."""

    setting: str
    values: tuple[str | None, ...]


class Run(Struct, frozen=True, kw_only=True):
    name: str
    title: str
    mode: str
    currency: str
    from_: str
    to: str
    days: tuple[str, ...]
    """With a sample of equity."""
    rebased: tuple[float, ...]
    """Equity at the end of each of them, the starting equity being 100."""
    monthly: tuple[tuple[int, int, float], ...]
    notes: tuple[str, ...]


class Comparison(Struct, frozen=True, kw_only=True):
    runs: tuple[Run, ...]
    figures: tuple[Row, ...]
    settings: tuple[Setting, ...]
    shared_days: int
    """Days on which all runs have a return."""
    correlation: tuple[tuple[float | None, ...], ...]
    """Of the daily returns of those days; None: too few, or one that never changes."""


def compare(named: Sequence[tuple[str, Report]]) -> Comparison:
    """Compare runs; the first is what the others are measured against."""
    reports = [report for _, report in named]
    days = [_days(report) for report in reports]
    returns = [_returns(report, own) for report, own in zip(reports, days, strict=True)]
    # A journal older than ``RunStarted.settings`` says nothing of them: that is no difference.
    told = all(report.settings for report in reports)
    shared = sorted(set.intersection(*(set(own) for own in returns)))
    return Comparison(
        runs=tuple(_run(name, report, own) for (name, report), own in zip(named, days, strict=True)),
        figures=tuple(_row(figure, [_figures(report).get(figure) for report in reports]) for figure in _known(reports)),
        settings=tuple(_settings([settings_of(report, told=told) for report in reports])),
        shared_days=len(shared),
        correlation=_correlation([[own[day] for day in shared] for own in returns]),
    )


def settings_of(report: Report, *, told: bool = True) -> dict[str, str]:
    """Everything that decided a run and can differ, flat: ``strategy.fast`` -> ``10``; ``told``: its settings too."""
    settings = report.settings if told else {}
    tree: dict[str, Any] = {
        "mode": report.mode,
        "from": format_time(report.started_ns, report.tz),
        "to": format_time(report.ended_ns, report.tz),
        "currency": report.currency,
        "limits": report.config_hash[:16],
        "fill_model": settings.get("fill_model", {}),
        "markets": settings.get("markets", {}),
        "instruments": {str(row.get("id", "")): row for row in settings.get("instruments", ())},
    }
    for place, row in enumerate(report.strategies, 1):
        label = "strategy" if len(report.strategies) == 1 else f"strategy {place}"
        tree[label] = {"name": row.get("name", ""), "class": row.get("path", ""), **dict(row.get("parameters") or {})}
    for row in report.data:
        tree[f"data {row.get('instrument') or row.get('actions') or ''}".strip()] = {
            key: str(value)[:16] if key == "sha256" else value for key, value in row.items() if key != "instrument"
        }
    for row in report.accounts:
        tree[f"account {row.get('account', '')}"] = {key: value for key, value in row.items() if key != "account"}
    return dict(_flat("", tree))


def _flat(prefix: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [row for key, inner in value.items() for row in _flat(f"{prefix}.{key}" if prefix else str(key), inner)]
    if isinstance(value, list | tuple):
        return [(prefix, ", ".join(str(one) for one in value))]
    return [(prefix, "" if value is None else str(value))]


def _settings(each: Sequence[Mapping[str, str]]) -> list[Setting]:
    names = dict.fromkeys(name for settings in each for name in settings)
    rows = [Setting(setting=name, values=tuple(settings.get(name) for settings in each)) for name in names]
    return [row for row in rows if len(dict.fromkeys(row.values)) > 1]


def _days(report: Report) -> list[date]:
    days, _ = day_places(np.array(report.equity_ns[1:], np.int64), report.tz)
    return days


def _returns(report: Report, days: Sequence[date]) -> dict[date, float]:
    levels = [report.equity[0], *report.day_equity]
    return {
        day: after / before - 1.0
        for day, before, after in zip(days, levels, levels[1:], strict=False)
        if before > 0
    }  # fmt: skip


def _run(name: str, report: Report, days: Sequence[date]) -> Run:
    starting = report.equity[0]
    return Run(
        name=name,
        title=report.title,
        mode=report.mode,
        currency=report.currency,
        from_=format_time(report.started_ns, report.tz)[:16],
        to=format_time(report.ended_ns, report.tz)[:16],
        days=tuple(day.isoformat() for day in days),
        rebased=tuple(value / starting * 100.0 if starting else 100.0 for value in report.day_equity),
        monthly=tuple((m.year, m.month, m.return_) for m in report.monthly),
        notes=report.notes,
    )


def _figures(report: Report) -> dict[str, float | None]:
    found: dict[str, float | None] = {
        "starting_equity": float(report.starting_equity),
        "final_equity": float(report.final_equity),
        **{name: getattr(report.statistics, name) for name in STATISTICS},
        "fees": float(report.statistics.fees),
        "traded_value": float(report.statistics.traded_value),
        "denied": sum(row.count for row in report.denials),
    }
    if report.costs is not None:
        total = report.costs.total
        found["gross_profit"], found["net_profit"] = float(total.gross), float(total.net)
        found["slippage"] = _float(total.slippage)
    if report.exposure is not None:
        found["mean_gross"], found["max_gross"] = report.exposure.mean_gross, report.exposure.max_gross
    if report.benchmark is not None:
        found |= {name: getattr(report.benchmark, name) for name in BENCHMARK}
    return found


def _known(reports: Sequence[Report]) -> list[str]:
    return list(dict.fromkeys(name for report in reports for name in _figures(report)))


def _row(figure: str, values: Sequence[float | None]) -> Row:
    first = values[0]
    apart = [None if value is None or first is None else value - first for value in values]
    return Row(figure=figure, values=tuple(values), differences=tuple(apart))


def _correlation(returns: Sequence[Sequence[float]]) -> tuple[tuple[float | None, ...], ...]:
    columns = [np.array(own) for own in returns]
    return tuple(tuple(_pair(one, other) for other in columns) for one in columns)


def _pair(one: Any, other: Any) -> float | None:
    if len(one) < RETURNS_MIN or one.std() < 1e-15 or other.std() < 1e-15:
        return None
    return max(-1.0, min(1.0, float(np.corrcoef(one, other)[0, 1])))


def _float(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
