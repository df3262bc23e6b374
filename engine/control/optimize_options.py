"""What ``optimize`` may be told beside the options of a backtest (``optimize_plan.AskedSearch``)."""

from pathlib import Path
from typing import Annotated

import typer

Strategies = Annotated[list[str] | None, typer.Argument(help="module:Class or file.py:Class; or of --config. 策略。")]
Ranges = Annotated[
    list[str] | None, typer.Option("--range", help="name=LOW:HIGH:STEP; an end left out: its own bound. 参数范围。")
]
Choices = Annotated[list[str] | None, typer.Option("--choice", help="name=A,B; no values: all of its type. 可选值。")]
Search = Annotated[str | None, typer.Option(help="grid, random or bayes. Default grid. 搜索方法。")]
Trials = Annotated[int | None, typer.Option(min=1, max=1_000_000, help="Sets, where no grid. Default 100. 组数。")]
Seed = Annotated[int | None, typer.Option(help="Of random and bayes. Default 0. 随机种子。")]
Objective = Annotated[str | None, typer.Option(help="sharpe, sortino, calmar, return, drawdown... 目标。")]
MinTrades = Annotated[int | None, typer.Option(min=0, help="Fewer round trips: not fit. 最少交易次数。")]
WalkForward = Annotated[str | None, typer.Option(help="train=60d,test=20d[,anchored][,warm_up=5d]. 滚动样本外检验。")]
Storage = Annotated[str | None, typer.Option(help="bayes: sqlite:///FILE or postgresql://... 存储。")]
Study = Annotated[str | None, typer.Option(help="bayes: its name there; one there goes on. 名称。")]
WorkerCount = Annotated[int | None, typer.Option(min=1, max=1024, help="Default: one a core. 进程数。")]
Cluster = Annotated[str | None, typer.Option(help="A dask scheduler, as tcp://host:8786. 集群地址。")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with what --out holds. 接着上次继续。")]
Out = Annotated[Path | None, typer.Option(help="Folder. Default runs/optimize-<name>. 输出目录。")]
