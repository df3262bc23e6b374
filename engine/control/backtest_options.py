"""What every command that runs a backtest may be told (``backtest_plan.Asked``)."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[list[str] | None, typer.Option(help="A file of bars (CSV, gz, Parquet); repeated. 数据。")]
Quotes = Annotated[list[str] | None, typer.Option(help="A file of quotes; repeated. 盘口报价数据。")]
Instrument = Annotated[
    list[str] | None, typer.Option(help="As 000001.SH: one for each --data, then one for each --quotes. 品种。")
]
Parameter = Annotated[list[str] | None, typer.Option("--set", help="Parameter, as fast=10 or name.fast=10.")]
Config = Annotated[Path | None, typer.Option(help="A config; the command line goes first. 配置文件。")]
Cash = Annotated[str | None, typer.Option(help="Starting cash. Default 1000000. 初始资金。")]
Market = Annotated[str | None, typer.Option(help="Rule book of every instrument. Default: as listed.")]
Commission = Annotated[str | None, typer.Option(help="Share of value, on market free. Default 0.0003.")]
Fill = Annotated[
    str | None, typer.Option(help="next_open, touch, path, volume_share; over quotes: quote, book_walk. 撮合模型。")
]
FillSet = Annotated[list[str] | None, typer.Option(help="Its setting, as share=0.1 or slippage.model=bps. 其参数。")]
RiskSet = Annotated[list[str] | None, typer.Option(help="rule.key=value, as orders_per_day.cap=10. 风控。")]
Zone = Annotated[str | None, typer.Option(help="Zone of times without one, as Asia/Shanghai. 时区。")]
Label = Annotated[str | None, typer.Option(help="Times are the end or the start of a bar.")]
Interval = Annotated[str | None, typer.Option(help="Length of a bar, as 1m; with --catalog also: quotes.")]
Catalog = Annotated[Path | None, typer.Option(help="Take the instruments from this catalog. 数据目录。")]
First = Annotated[str | None, typer.Option("--from", help="First day, as 20240101.")]
Last = Annotated[str | None, typer.Option("--to", help="Last day, included.")]
Adjust = Annotated[str | None, typer.Option(help="backward or forward, by the catalog's factors. 复权。")]
Instruments = Annotated[Path | None, typer.Option(help="Default config/instruments.toml.")]
Roll = Annotated[bool, typer.Option("--roll", help="Move positions to each new main contract. 主力换月。")]
TakeRights = Annotated[bool, typer.Option("--take-rights", help="Pay for rights on the ex-date. 参与配股。")]
Mode = Annotated[str, typer.Option(help="event: every bar; column: where something happens. 模式。")]
Benchmark = Annotated[
    str | None, typer.Option(help="An instrument of the run, FILE or NAME=FILE. Default: hold. 基准。")
]
Picture = Annotated[Path | None, typer.Option("--png", help="Draw a picture here too; needs sluice[png]. 图片。")]
