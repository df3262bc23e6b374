"""The results as one HTML file that needs nothing else: script, style and data are inside it."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from engine.domain.timestamps import datetime_from_ns
from engine.runtime.optimize.export import FIGURES, span_times
from engine.runtime.optimize.jobs import Row
from engine.runtime.optimize.objective import OBJECTIVES
from engine.runtime.optimize.optimizing import Outcome, Wanted
from engine.runtime.optimize.ranking import RankedSet, Ranking
from engine.runtime.optimize.space import Space
from engine.runtime.optimize.walk_forward import Stitched, Walk, WindowOutcome
from engine.runtime.optimize.words import sentences
from engine.runtime.report_html import whole_page

SETS_MAX = 20_000
"""Rows of the table; the CSV file has all."""
CURVES_MAX, POINTS_MAX = 50, 1_000
_RED_UP = frozenset({"CNY", "COIN", ""})
_DIGITS = 6


def render_page(
    outcome: Outcome, space: Space, wanted: Wanted, about: dict[str, Any], tz: str, currency: str, language: str = ""
) -> str:
    """The whole page as text.

    Args:
        about: the head of the JSON document: name, strategies, data, from, to, cash.
        language: ``en`` or ``zh``; default: the reader's browser's.
    """
    data = _page_data(outcome, space, wanted, about, tz)
    data.update(currency=currency, red_up=currency in _RED_UP)
    return whole_page(
        str(about["name"]),
        data,
        "optimize_page.html",
        ("optimize_charts.js", "optimize_page.js"),
        language,
        words="optimize_words.js",
        style="optimize_page.css",
        folder=__package__,
    )


def _page_data(outcome: Outcome, space: Space, wanted: Wanted, about: dict[str, Any], tz: str) -> dict[str, Any]:
    ranking = outcome.ranking
    names = [dimension.name for dimension in space.dimensions]
    curves, times = _curves(ranking.sets[:CURVES_MAX], tz)
    said = sentences(outcome)
    return {
        "title": about["name"],
        "instruments": [row["instrument"] for row in about["data"]],
        "from": about["from"][:16],
        "to": about["to"][:16],
        "tz": tz,
        "search": wanted.search,
        "objective": wanted.objective.name,
        "better": OBJECTIVES[wanted.objective.name],
        "dimensions": [{"name": d.name, "number": d.is_number, "log": d.log} for d in space.dimensions],
        "figures": FIGURES,
        "count": len(ranking.sets),
        "tried": ranking.tried,
        "luck": ranking.luck,
        "sets": [_set(one, names) for one in ranking.sets[:SETS_MAX]],
        "curves": curves,
        "times": times,
        "overfitting": None if ranking.overfitting is None else msgspec.to_builtins(ranking.overfitting),
        "sentences": {"en": [one.en for one in said], "zh": [one.zh for one in said]},
        "walk": None if outcome.walk is None else _walk(outcome.walk, names, tz),
        "details": _details(about, wanted, ranking),
    }


def _set(one: RankedSet, names: Sequence[str]) -> list[Any]:
    """[rank, number, parameters, figures, probabilistic Sharpe, deflated Sharpe, unfit]"""
    figures = one.row.figures
    return [
        one.rank,
        one.number,
        [one.row.parameters[name] for name in names],
        None if figures is None else [_short(getattr(figures, name)) for name in FIGURES],
        _short(one.probabilistic_sharpe),
        _short(one.deflated_sharpe),
        one.unfit,
    ]


def _curves(sets: Sequence[RankedSet], tz: str) -> tuple[list[Any], list[list[str]]]:
    """For each set (number of its times, equity), or None; equal times are written once."""
    known: dict[bytes, int] = {}
    times: list[list[str]] = []
    curves: list[Any] = []
    for one in sets:
        if one.row.figures is None:
            curves.append(None)
            continue
        key = one.row.curve_ns or one.row.days
        stamps, levels = _curve(one.row, tz)
        if key not in known:
            known[key] = len(times)
            times.append(stamps)
        curves.append([known[key], [round(level, 2) for level in levels]])
    return curves, times


def _curve(row: Row, tz: str) -> tuple[list[str], list[float]]:
    if row.curve_ns:
        instants = np.frombuffer(row.curve_ns, "<i8").tolist()
        equity: list[float] = np.frombuffer(row.curve, "<f8").tolist()
        return [datetime_from_ns(at, tz).strftime("%Y-%m-%d %H:%M") for at in instants], equity
    return _thinned(row.day_ordinals.tolist(), row.levels.tolist())


def _thinned(days: list[int], levels: list[float]) -> tuple[list[str], list[float]]:
    """Days and their levels, the start at the day before; of many, so many that a page can show."""
    whole = [days[0] - 1, *days] if days else []
    keep = np.unique(np.linspace(0, len(whole) - 1, min(len(whole), POINTS_MAX)).astype(int)).tolist()
    return [_day(whole[n]) for n in keep], [levels[n] for n in keep]


def _day(ordinal: int) -> str:
    return str(np.datetime64("0001-01-01") + (ordinal - 1))


def _walk(walk: Walk, names: Sequence[str], tz: str) -> dict[str, Any]:
    return {
        "windows": [_window(window, names, tz) for window in walk.windows],
        "stitched": None if walk.stitched is None else _stitched(walk.stitched),
    }


def _window(one: WindowOutcome, names: Sequence[str], tz: str) -> dict[str, Any]:
    found, chosen = one.ranking.overfitting, one.chosen
    return {
        "number": one.window.number,
        "train": [moment[:16] for moment in span_times(one.window.train, tz)],
        "test": [moment[:16] for moment in span_times(one.window.test, tz)],
        "parameters": None if chosen is None else [chosen.row.parameters[name] for name in names],
        "inside": None if chosen is None else _short(chosen.value),
        "outside": _short(one.out_of_sample),
        "outside_return": None if one.test is None or one.test.figures is None else one.test.figures.total_return,
        "deflated": None if chosen is None else _short(chosen.deflated_sharpe),
        "overfitting": None if found is None else _short(found.probability),
    }


def _stitched(found: Stitched) -> dict[str, Any]:
    days, levels = _thinned([day.toordinal() for day in found.days], list(found.levels))
    plain = {name: _short(getattr(found, name)) for name in ("total_return", "annual_return", "sharpe", "max_drawdown")}
    return {"t": days, "v": [round(level, 2) for level in levels], **plain}


def _details(about: dict[str, Any], wanted: Wanted, ranking: Ranking) -> list[list[str]]:
    """Rows of (kind, name, text): what ran, on what."""
    rows = []
    for strategy in about["strategies"]:
        fixed = ", ".join(f"{key} = {value}" for key, value in strategy["parameters"].items())
        rows.append(["strategy", strategy["name"], f"{strategy['path']}  {fixed}".strip()])
    for source in about["data"]:
        text = f"{source['path']}  {source['bars']:,} bars  sha256 {source['sha256'][:16]}"
        rows.append(["data", source["instrument"], text])
    for one in about["varied"]:
        count = f"{one['values']} values" if one["values"] else "any value"
        rows.append(["varied", one["name"], f"{one['low']} to {one['high']}, {count}{', log' if one['log'] else ''}"])
    rows.append(["searched", wanted.search, f"seed {wanted.seed}" if wanted.search != "grid" else ""])
    fit = sum(1 for one in ranking.sets if not one.unfit)
    rows.append(["sets", "", f"{len(ranking.sets):,}, of which {ranking.tried:,} ran to the end and {fit:,} are fit"])
    return rows


def _short(value: Any) -> Any:
    return round(value, _DIGITS) if isinstance(value, float) else value
