"""``backtest``: strategies over files of bars and quotes."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control import backtest_options as options
from engine.control.printing import cents, complain, for_people, for_progress, log_line, print_json
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from engine.control.backtest_plan import Plan
    from engine.ports import Journal
    from engine.runtime.backtest_result import BacktestResult
    from engine.runtime.report import Report
    from engine.runtime.settings import Settings


def backtest(
    strategy: Annotated[list[str] | None, typer.Option(help="module:Class or file.py:Class; repeated. 策略。")] = None,
    data: options.Data = None,
    quotes: options.Quotes = None,
    instrument: options.Instrument = None,
    set_: options.Parameter = None,
    config: options.Config = None,
    cash: options.Cash = None,
    market: options.Market = None,
    commission: options.Commission = None,
    fill: options.Fill = None,
    fill_set: options.FillSet = None,
    risk_set: options.RiskSet = None,
    mode: options.Mode = "auto",
    tz: options.Zone = None,
    label: options.Label = None,
    interval: options.Interval = None,
    catalog: options.Catalog = None,
    first: options.First = None,
    last: options.Last = None,
    adjust: options.Adjust = None,
    roll: options.Roll = False,
    take_rights: options.TakeRights = False,
    instruments: options.Instruments = None,
    journal: Annotated[Path | None, typer.Option(help="Keep the journal in this new file.")] = None,
    report: Annotated[Path | None, typer.Option(help="Default runs/backtest-<name>.html.")] = None,
    benchmark: options.Benchmark = None,
    png: options.Picture = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no HTML page.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Run strategies over files of bars and quotes. 回测。"""
    from engine.control.backtest_plan import Asked, plan_backtest

    asked = Asked(
        strategies=strategy or (), data=data or (), quotes=quotes or (), instruments=instrument or (),
        parameters=set_ or (), cash=cash, market=market,
        commission=commission, fill=fill, fill_settings=fill_set or (), risk=risk_set or (), tz=tz,
        label=label, interval=interval, catalog=catalog, first=first, last=last, adjust=adjust,
        instruments_file=instruments, roll=roll, take_rights=take_rights,
    )  # fmt: skip
    plan = plan_backtest(asked, _settings(config))
    result, made, figures = _run(plan, journal, checked_mode(mode), benchmark)
    page = None if no_report else report or Path("runs") / f"backtest-{plan.name}.html"
    if png is not None:
        from engine.runtime.report_png import write_png

        figures["picture"] = str(write_png(made, png))
    _tell(result, made, figures, page, as_json)


def _tell(result: "BacktestResult", made: "Report", figures: dict[str, Any], page: Path | None, as_json: bool) -> None:
    if page is not None:
        from engine.runtime.report_page import write_html

        write_html(made, page)
    if as_json:
        print_json({**figures, "report": None if page is None else str(page)})
    else:
        _show(made, figures, page)
    for name, reason in result.stopped.items():
        complain(f"strategy {name} was stopped: {reason}")
    raise typer.Exit(1 if result.stopped else 0)


def _settings(config: Path | None) -> "Settings | None":
    if config is None:
        return None
    from engine.runtime.settings import load_settings

    return load_settings(config)


def checked_mode(asked: str) -> str:
    """
    Raises:
        ConfigError: a backtest has no such mode.
    """
    from engine.runtime.backtest import MODES

    if asked not in MODES:
        raise ConfigError(f"--mode {asked}: there is no such mode; choose one of {', '.join(MODES)}")
    return asked


def _run(
    plan: "Plan", path: Path | None, mode: str, benchmark: str | None
) -> tuple["BacktestResult", "Report", dict[str, Any]]:
    """The replay and its statistics, under the stop watch; imports and the page stay outside."""
    from engine.clock import cpu_seconds, stopwatch_seconds
    from engine.control.benchmark_option import read_benchmark
    from engine.runtime.interrupt import interrupting
    from engine.runtime.report import report_of, with_bars
    from engine.runtime.report_figures import figures_of
    from engine.runtime.report_reading import Reading
    from engine.runtime.run_data import fill_model_row

    journal = _journal(path)
    began, opened = stopwatch_seconds(), cpu_seconds()
    try:
        with _progress() as progress:
            sources = plan.open()
            run = plan.run_of(sources, journal, mode, note=log_line, progress=progress)
            with interrupting(run.core.runner):
                result = run.run()
    finally:
        journal.close()
    reading = Reading(journal.records(), plan.instruments)
    made = report_of(reading)
    whole, seconds = cpu_seconds() - opened, stopwatch_seconds() - began
    # Costs, excursions and the benchmark need the bars once more, which no statistic does.
    beside = read_benchmark(benchmark, made.instruments, made.tz)
    made = with_bars(made, reading, plan.priced(sources, run), benchmark=beside)
    figures = {
        **figures_of(made),
        "bars": result.bars,
        "quotes": result.quotes,
        "fills": len(made.fills),
        "orders": result.orders,
        "denied": result.denied,
        "final_equity": cents(result.final_equity),
        "final_equity_exact": str(result.final_equity),
        "digest": result.digest,
        "bars_per_second": _rate(result.bars + result.quotes, result.replay_cpu_seconds),
        "whole_bars_per_second": _rate(result.bars + result.quotes, whole),
        "seconds": round(seconds, 3),
        "stopped": result.stopped,
        "mode": result.mode,
        "mode_reason": result.mode_reason,
        "compiled": result.compiled,
        "matching": fill_model_row(plan.fill_model),
    }
    return result, made, figures


def _journal(path: Path | None) -> "Journal":
    if path is None:
        from engine.journal.memory import MemoryJournal

        return MemoryJournal()
    from engine.journal.sqlite import SqliteJournal

    if path.exists():
        raise ConfigError(
            f"--journal {path}: the file is there already; a backtest's journal is its own, name a new one"
        )
    return SqliteJournal(path, inline=True)


def _rate(bars: int, seconds: float) -> int:
    return round(bars / seconds) if seconds > 0 else 0


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int], None] | None]:
    """A line on stderr with the bars so far, where a person can see it."""
    console = for_progress()
    if not console.is_terminal:
        yield None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} bars"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda bars: bar.update(task, completed=bars)


def _show(made: "Report", figures: dict[str, Any], page: Path | None) -> None:
    from engine.native import why_not
    from engine.runtime.parity_settings import matching_text
    from engine.runtime.report_console import console_table

    console = for_people()
    console.print(console_table(made))
    quoted, each = (f"{figures['quotes']:,} quotes, ", "events") if figures["quotes"] else ("", "bars")
    console.print(
        f"{figures['bars']:,} bars, {quoted}{figures['fills']:,} fills, {figures['denied']:,} denied, "
        f"{figures['bars_per_second']:,} {each}/s ({figures['whole_bars_per_second']:,} with reading and statistics)"
    )
    why = f": {figures['mode_reason']}" if figures["mode_reason"] else ""
    console.print(f"mode {figures['mode']}{why}", highlight=False)
    if figures["compiled"] or why_not:
        console.print(
            f"everyday orders {'compiled' if figures['compiled'] else f'in Python: {why_not}'}", highlight=False
        )
    console.print(f"fill model {matching_text({'fill_model': figures['matching']})}", highlight=False)
    console.print(f"digest {figures['digest']}", highlight=False)
    if page is not None:
        console.print(f"report: {page}", highlight=False)
