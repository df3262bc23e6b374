"""``optimize``: many sets of parameters over the same bars, and how far to believe the best of them."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control import backtest_options as options
from engine.control import optimize_options as sought_by
from engine.control.cli_backtest import checked_mode
from engine.control.printing import complain, for_progress, print_json

if TYPE_CHECKING:
    from engine.control.backtest_plan import Asked
    from engine.control.optimize_plan import AskedSearch
    from engine.control.optimize_run import Finished


# fmt: off
def optimize(
    strategy: sought_by.Strategies = None, range_: sought_by.Ranges = None, choice: sought_by.Choices = None,
    search: sought_by.Search = None, trials: sought_by.Trials = None, seed: sought_by.Seed = None,
    objective: sought_by.Objective = None, min_trades: sought_by.MinTrades = None,
    walk_forward: sought_by.WalkForward = None, storage: sought_by.Storage = None, study: sought_by.Study = None,
    workers: sought_by.WorkerCount = None, cluster: sought_by.Cluster = None,
    resume: sought_by.Resume = False, out: sought_by.Out = None,
    data: options.Data = None, instrument: options.Instrument = None, set_: options.Parameter = None,
    config: options.Config = None, cash: options.Cash = None, market: options.Market = None,
    commission: options.Commission = None, fill: options.Fill = None, fill_set: options.FillSet = None,
    risk_set: options.RiskSet = None, tz: options.Zone = None, label: options.Label = None,
    interval: options.Interval = None, catalog: options.Catalog = None, first: options.First = None,
    last: options.Last = None, adjust: options.Adjust = None, instruments: options.Instruments = None,
    mode: options.Mode = "auto", roll: options.Roll = False, take_rights: options.TakeRights = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Try many sets of parameters, and say how far to believe the best. 参数优化，并评估过拟合。

    Ends with a folder: a page, a CSV table and a JSON document. Interrupted, it keeps what was done: --resume.
    Beside each set stands the deflated Sharpe ratio, and the probability of overfitting beside all (docs/optimize.md).
    结果目录含网页、CSV 与 JSON；中断后用 --resume 继续。每组参数附紧缩夏普比率，整体附过拟合概率。
    Exit code 0: done; 1: no set is fit, or runs were lost. 退出码：0 完成，1 没有合适的参数组或有运行未完成。
    """
    from engine.control.backtest_plan import Asked
    from engine.control.optimize_plan import AskedSearch

    asked = Asked(
        strategies=strategy or (), data=data or (), instruments=instrument or (), parameters=set_ or (), cash=cash,
        market=market, commission=commission, fill=fill, fill_settings=fill_set or (), risk=risk_set or (), tz=tz,
        label=label, interval=interval, catalog=catalog, first=first, last=last, adjust=adjust,
        instruments_file=instruments, roll=roll, take_rights=take_rights,
    )
    sought = AskedSearch(
        ranges=range_ or (), choices=choice or (), search=search, trials=trials, seed=seed, objective=objective,
        min_trades=min_trades, walk_forward=walk_forward, storage=storage, study=study,
    )
    finished = _optimize(asked, sought, config, checked_mode(mode), workers, cluster, out, resume)
    if as_json:
        print_json(finished.document)
    else:
        _show(finished)
    if finished.lost:
        complain(
            f"{len(finished.lost)} runs came to nothing and are not in the table's figures ({finished.lost[0]}); "
            "make them with --resume / 有运行未完成，加 --resume 补跑"
        )
    raise typer.Exit(0 if finished.outcome.ranking.best is not None and not finished.lost else 1)
# fmt: on


def _optimize(
    asked: "Asked",
    sought: "AskedSearch",
    config: Path | None,
    mode: str,
    workers: int | None,
    cluster: str | None,
    out: Path | None,
    resume: bool,
) -> "Finished":
    from engine.control.cli_process import environment
    from engine.control.optimize_local import cores, local_pool
    from engine.control.optimize_run import Prepared, prepare, run
    from engine.control.optimize_worker import Task
    from engine.domain.errors import ConfigError

    if workers is not None and cluster is not None:
        raise ConfigError("--workers are processes of this machine; with --cluster it is the cluster that has them")
    prepared = prepare(asked, sought, config, mode)

    @contextlib.asynccontextmanager
    async def pool(prepared: Prepared) -> AsyncIterator[Any]:
        if cluster is not None:
            from engine.control.optimize_cluster import cluster_pool

            async with cluster_pool(cluster) as there:
                yield there
            return
        task = Task(asked=asked, config=str(config or ""), space=prepared.space, mode=mode)
        async with local_pool(task, workers or cores(), environment(), lazy=resume) as here:
            yield here

    try:
        with _progress() as progress:
            return run(prepared, pool, out, resume=resume, progress=progress)
    except KeyboardInterrupt:
        complain("every run that was done is kept; go on with --resume / 已完成的结果已保存，加 --resume 继续")
        raise


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    console = for_progress()
    if not console.is_terminal:
        yield lambda _done, _total: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("runs / 运行"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("/"),
        TimeRemainingColumn(),
    )  # fmt: skip
    # Few frames: drawing them takes time from a worker's core.
    with Progress(*columns, console=console, transient=True, refresh_per_second=2) as progress:
        bar = progress.add_task("", total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def _show(finished: "Finished") -> None:
    from engine.control.optimize_tables import show

    show(finished)
