"""What ``optimize`` says to people at its end."""

from typing import Any

from rich.console import Console
from rich.table import Table

from engine.control.optimize_run import PAGE, Finished
from engine.control.printing import for_people
from engine.runtime.optimize.export import span_times
from engine.runtime.optimize.walk_forward import Walk
from engine.runtime.optimize.words import sentences

ROWS = 10


def show(finished: Finished) -> None:
    console = for_people()
    _sets(finished, console)
    walk = finished.outcome.walk
    if walk is not None:
        _windows(walk, finished.loaded.setup.tz, console)
    for said in sentences(finished.outcome):
        console.print(f"{said.en}\n{said.zh}", highlight=False, markup=False)
    console.print(f"page: {finished.folder / PAGE}", highlight=False, markup=False, soft_wrap=True)


def _sets(finished: Finished, console: Console) -> None:
    ranking, names = finished.outcome.ranking, [d.name for d in finished.loaded.space.dimensions]
    objective = finished.loaded.wanted.objective.name
    fit = sum(1 for one in ranking.sets if not one.unfit)
    table = Table(
        title=f"{finished.loaded.prepared.plan.name}: {fit} of {len(ranking.sets)} sets are fit, by {objective}"
    )
    for head in ("#", *names, objective, "return", "max drawdown", "round trips", "DSR", "digest / why not"):
        table.add_column(head, justify="left" if head.startswith("digest") else "right")
    for one in ranking.sets[:ROWS]:
        figures = one.row.figures
        table.add_row(
            str(one.rank),
            *(text(one.row.parameters[name]) for name in names),
            text(one.value),
            *(("-", "-", "-") if figures is None else (
                f"{figures.total_return:+.2%}", f"{-figures.max_drawdown:.2%}", f"{figures.round_trips:,}"
            )),
            "-" if one.deflated_sharpe is None else f"{one.deflated_sharpe:.1%}",
            one.unfit[:60] or one.row.digest[:12],
        )  # fmt: skip
    console.print(table)


def _windows(walk: Walk, tz: str, console: Console) -> None:
    table = Table(title="walk-forward / 滚动样本外")
    for head in ("test from", "to", "chosen", "in sample", "out of sample", "DSR", "PBO"):
        table.add_column(head, justify="left" if head == "chosen" else "right")
    for one in walk.windows:
        first, last = span_times(one.window.test, tz)
        found = one.ranking.overfitting
        chosen = "-" if one.chosen is None else " ".join(f"{k}={text(v)}" for k, v in one.chosen.row.parameters.items())
        table.add_row(
            first[:10],
            last[:10],
            chosen,
            text(None if one.chosen is None else one.chosen.value),
            text(one.out_of_sample),
            "-" if one.chosen is None or one.chosen.deflated_sharpe is None else f"{one.chosen.deflated_sharpe:.1%}",
            "-" if found is None else f"{found.probability:.1%}",
        )
    console.print(table)


def text(value: Any) -> str:
    """A parameter or a figure, short."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
