"""``optimize``: many sets of parameters over the same bars, and how far to believe the best of them."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control import backtest_options as options
from engine.control.cli_backtest import checked_mode
from engine.control.printing import complain, for_progress, print_json

if TYPE_CHECKING:
    from engine.control.backtest_plan import Asked
    from engine.control.optimize_plan import AskedSearch
    from engine.control.optimize_run import Finished

_Names = list[str] | None


def optimize(
    strategy: Annotated[_Names, typer.Argument(help="module:Class or file.py:Class; or of --config. 策略。")] = None,
    range_: Annotated[
        _Names, typer.Option("--range", help="name=LOW:HIGH:STEP; an end left out: its own bound. 参数范围。")
    ] = None,
    choice: Annotated[_Names, typer.Option(help="name=A,B; without values all of its type. 可选值。")] = None,
    search: Annotated[str | None, typer.Option(help="grid, random or bayes. Default grid. 搜索方法。")] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Sets, where no grid. Default 100. 组数。")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of random and bayes. Default 0. 随机种子。")] = None,
    objective: Annotated[str | None, typer.Option(help="sharpe, sortino, calmar, return, drawdown... 目标。")] = None,
    min_trades: Annotated[int | None, typer.Option(min=0, help="Fewer round trips: not fit. 最少交易次数。")] = None,
    walk_forward: Annotated[
        str | None, typer.Option(help="train=60d,test=20d[,anchored][,warm_up=5d]. 滚动样本外检验。")
    ] = None,
    storage: Annotated[str | None, typer.Option(help="bayes: sqlite:///FILE or postgresql://... 存储。")] = None,
    study: Annotated[str | None, typer.Option(help="bayes: its name there; one there goes on. 名称。")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=1024, help="Default: one a core. 进程数。")] = None,
    cluster: Annotated[str | None, typer.Option(help="A dask scheduler, as tcp://host:8786. 集群地址。")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what --out holds. 接着上次继续。")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder. Default runs/optimize-<name>. 输出目录。")] = None,
    data: options.Data = None,
    instrument: options.Instrument = None,
    set_: options.Parameter = None,
    config: options.Config = None,
    cash: options.Cash = None,
    market: options.Market = None,
    commission: options.Commission = None,
    fill: options.Fill = None,
    fill_set: options.FillSet = None,
    risk_set: options.RiskSet = None,
    tz: options.Zone = None,
    label: options.Label = None,
    interval: options.Interval = None,
    catalog: options.Catalog = None,
    first: options.First = None,
    last: options.Last = None,
    adjust: options.Adjust = None,
    instruments: options.Instruments = None,
    mode: options.Mode = "auto",
    roll: options.Roll = False,
    take_rights: options.TakeRights = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Try many sets of parameters, and say how far to believe the best. 参数优化，并评估过拟合。

    Ends with a folder: a page, a CSV table and a JSON document. Interrupted, it keeps what was done: --resume.
    Beside each set stands the deflated Sharpe ratio, and the probability of overfitting beside all (docs/optimize.md).
    结果目录含网页、CSV 与 JSON；中断后用 --resume 继续。每组参数附紧缩夏普比率，整体附过拟合概率。
    Exit code 0: done; 1: no set is fit. 退出码：0 完成，1 没有合适的参数组。
    """
    from engine.control.backtest_plan import Asked
    from engine.control.optimize_plan import AskedSearch

    asked = Asked(
        strategies=strategy or (), data=data or (), instruments=instrument or (), parameters=set_ or (), cash=cash,
        market=market, commission=commission, fill=fill, fill_settings=fill_set or (), risk=risk_set or (), tz=tz,
        label=label, interval=interval, catalog=catalog, first=first, last=last, adjust=adjust,
        instruments_file=instruments, roll=roll, take_rights=take_rights,
    )  # fmt: skip
    sought = AskedSearch(
        ranges=range_ or (), choices=choice or (), search=search, trials=trials, seed=seed, objective=objective,
        min_trades=min_trades, walk_forward=walk_forward, storage=storage, study=study,
    )  # fmt: skip
    finished = _optimize(asked, sought, config, checked_mode(mode), workers, cluster, out, resume)
    if as_json:
        print_json(finished.document)
    else:
        _show(finished)
    raise typer.Exit(0 if finished.outcome.ranking.best is not None else 1)


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
    with Progress(*columns, console=for_progress(), transient=True, refresh_per_second=2) as progress:
        bar = progress.add_task("", total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def _show(finished: "Finished") -> None:
    from engine.control.optimize_tables import show

    show(finished)
