"""The results as files for people and programs: a CSV table of the sets, and one JSON document of everything."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import msgspec

from engine.domain.timestamps import format_time
from engine.runtime.optimize.jobs import Figures, Span
from engine.runtime.optimize.optimizing import Outcome, Wanted
from engine.runtime.optimize.ranking import RankedSet, Ranking
from engine.runtime.optimize.walk_forward import Stitched, Walk, WindowOutcome

FIGURES = Figures.__struct_fields__


def sets_csv(ranking: Ranking, names: Sequence[str]) -> str:
    """A line a set, the best first. The same runs give the same bytes: nothing of when or where they were made."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["rank", "number", *names, "probabilistic_sharpe", "deflated_sharpe", *FIGURES, "unfit", "digest"])
    for one in ranking.sets:
        row = one.row
        figures = [None if row.figures is None else getattr(row.figures, name) for name in FIGURES]
        cells = [one.rank, one.number, *(row.parameters[name] for name in names)]
        cells += [one.probabilistic_sharpe, one.deflated_sharpe, *figures, one.unfit, row.digest]
        writer.writerow(["" if cell is None else cell for cell in cells])
    return text.getvalue()


def as_json(outcome: Outcome, wanted: Wanted, about: dict[str, Any], tz: str) -> dict[str, Any]:
    """``about``: what was run on what, for the head of the document."""
    return {
        **about,
        "search": wanted.search,
        "seed": wanted.seed,
        "objective": wanted.objective.name,
        "min_trades": wanted.objective.min_trades,
        **_ranking(outcome.ranking),
        "sets": [_set(one) for one in outcome.ranking.sets],
        "walk_forward": None if outcome.walk is None else _walk(outcome.walk, tz),
    }


def _ranking(ranking: Ranking) -> dict[str, Any]:
    return {
        "tried": ranking.tried,
        "best": None if ranking.best is None else _set(ranking.best),
        "luck_sharpe": ranking.luck,
        "overfitting": None if ranking.overfitting is None else msgspec.to_builtins(ranking.overfitting),
    }


def _set(one: RankedSet) -> dict[str, Any]:
    return {
        "rank": one.rank,
        "number": one.number,
        "parameters": one.row.parameters,
        "value": one.value,
        "probabilistic_sharpe": one.probabilistic_sharpe,
        "deflated_sharpe": one.deflated_sharpe,
        "figures": None if one.row.figures is None else msgspec.to_builtins(one.row.figures),
        "unfit": one.unfit,
        "digest": one.row.digest,
    }


def _walk(walk: Walk, tz: str) -> dict[str, Any]:
    return {
        "windows": [_window(window, tz) for window in walk.windows],
        "out_of_sample": None if walk.stitched is None else _stitched(walk.stitched),
    }


def _stitched(stitched: Stitched) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(stitched)
    return plain


def _window(one: WindowOutcome, tz: str) -> dict[str, Any]:
    test = None if one.test is None or one.test.figures is None else msgspec.to_builtins(one.test.figures)
    found = one.ranking.overfitting
    return {
        "number": one.window.number,
        "train": span_times(one.window.train, tz),
        "test": span_times(one.window.test, tz),
        "parameters": None if one.chosen is None else one.chosen.row.parameters,
        "in_sample": None if one.chosen is None else one.chosen.value,
        "out_of_sample": one.out_of_sample,
        "deflated_sharpe": None if one.chosen is None else one.chosen.deflated_sharpe,
        "overfitting_probability": None if found is None else found.probability,
        "train_figures": None if one.chosen is None else msgspec.to_builtins(one.chosen.row.figures),
        "test_figures": test,
        "problem": "" if one.test is None else one.test.problem,
    }


def span_times(span: Span, tz: str) -> list[str]:
    """From when a run of the span may trade, and where it ends."""
    return [format_time(max(span.from_ns, span.trade_ns), tz)[:19], format_time(span.to_ns, tz)[:19]]
