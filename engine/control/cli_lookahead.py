"""``lookahead``: whether a strategy uses what it can not know yet, by running it in other futures."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control import backtest_options as options
from engine.control.cli_backtest import checked_mode
from engine.control.cli_process import environment
from engine.control.printing import for_people, for_progress, print_json
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from engine.control.backtest_plan import Asked
    from engine.runtime.lookahead import Finding, Verdict

_HOW = {
    "cut": "data cut off / 数据截断",
    "changed": "other prices after it / 之后价格改变",
    "again": "the same data again / 同样数据再跑一次",
}
FINDINGS_SHOWN = 6


def lookahead(
    strategy: Annotated[
        list[str] | None, typer.Argument(help="module:Class or file.py:Class; or those of --config. 策略。")
    ] = None,
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
    instants: Annotated[int, typer.Option(min=1, max=1000, help="At how many instants to look. 检查的时点数。")] = 6,
    seed: Annotated[int, typer.Option(help="Of the changed prices. 随机种子。")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Look for look-ahead: run a strategy on cut and on changed futures and compare. 检查未来函数。

    Each instant costs three runs, each in a fresh process. A decision made before the instant that changes is named.
    Exit code 0: none; 1: found. What can not be found: docs/trust.md.
    在若干时点截断数据、改变之后的价格（两个方向），各重跑一次；时点之前的决策若有变化即为未来函数。
    退出码：0 没有，1 发现。
    """
    from engine.control.backtest_plan import Asked

    asked = Asked(
        strategies=strategy or (), data=data or (), instruments=instrument or (), parameters=set_ or (), cash=cash,
        market=market, commission=commission, fill=fill, fill_settings=fill_set or (), risk=risk_set or (), tz=tz,
        label=label, interval=interval, catalog=catalog, first=first, last=last, adjust=adjust,
        instruments_file=instruments, roll=roll, take_rights=take_rights,
    )  # fmt: skip
    name, zone, verdict = _look(asked, config, checked_mode(mode), instants, seed)
    if as_json:
        print_json(json_of(name, verdict))
    else:
        _show(name, zone, verdict, for_people())
    raise typer.Exit(0 if verdict.clean else 1)


def _look(asked: "Asked", config: Path | None, mode: str, instants: int, seed: int) -> tuple[str, str, "Verdict"]:
    from engine.control.backtest_plan import plan_backtest
    from engine.control.lookahead_runs import Runs, Worker
    from engine.runtime.lookahead import look_ahead
    from engine.runtime.settings import load_settings

    plan = plan_backtest(asked, load_settings(config) if config is not None else None)
    if any(not spec.path for spec in plan.specs):
        raise ConfigError("lookahead takes strategies by name, as strategies.sma_cross:SmaCross")
    with Worker(environment()) as worker, _progress() as done:
        runs = Runs(asked, config, plan, worker, mode)
        times, steps, from_ns = runs.times_and_steps()
        verdict = look_ahead(
            runs, times, steps, tz=runs.tz, instants=instants, seed=seed, from_ns=from_ns, done=done
        )  # fmt: skip
    return plan.name, runs.tz, verdict


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("runs / 运行"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=for_progress(), transient=True) as progress:
        bar = progress.add_task("", total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def json_of(name: str, verdict: "Verdict") -> dict[str, Any]:
    """The object of ``--json``."""
    return {
        "strategy": name,
        "clean": verdict.clean,
        "decisions": verdict.decisions,
        "compared": verdict.compared,
        "runs": verdict.runs,
        "instants_ns": verdict.instants,
        "findings": [finding.as_json() for finding in verdict.findings],
        "opened": verdict.opened,
        "hints": verdict.hints,
    }


def _show(name: str, tz: str, verdict: "Verdict", console: "Console") -> None:
    from engine.domain.timestamps import format_time

    def say(text: str, **more: Any) -> None:
        console.print(text, highlight=False, markup=False, **more)

    looked = f"{verdict.runs} runs, {len(verdict.instants)} instants"
    told = f"{looked}, {verdict.compared:,} of {verdict.decisions:,} decisions"
    if verdict.clean:
        say(f"{name}: no look-ahead found / 未发现未来函数 ({told} compared)", style="green")
        if not verdict.compared:
            say("nothing was compared: the strategy decided nothing in this data / 没有可比较的决策", style="yellow")
        for where in verdict.opened:
            say(f"note: it opens the data itself: {where}", style="yellow")
        return
    say(f"{name}: LOOK-AHEAD / 发现未来函数 ({told})", style="bold red")
    for finding in verdict.findings[:FINDINGS_SHOWN]:
        say("")
        say(f"{format_time(finding.after_ns, tz)[:19]}  {_HOW[finding.how]}")
        say(_sides(finding, tz))
    if len(verdict.findings) > FINDINGS_SHOWN:
        say(f"and {len(verdict.findings) - FINDINGS_SHOWN} more (--json gives all) / 其余见 --json")
    say("\nusually / 通常是:")
    for number, hint in enumerate(verdict.hints, 1):
        say(f"  {number}. {hint}")


def _sides(finding: "Finding", tz: str) -> str:
    full = finding.full.text(tz) if finding.full is not None else "nothing / 无"
    other = finding.other.text(tz) if finding.other is not None else "nothing / 无"
    ahead = "the next bar" if finding.ahead_bars == 0 else f"at least {finding.ahead_bars + 1} bars ahead"
    rows = [f"  strategy {finding.strategy}, it looked at {ahead}" if finding.how != "again" else "  changed by itself"]
    rows += [f"  true data / 原数据:  {full}", f"  here / 此处:         {other}"]
    if finding.note:
        rows.append(f"  the run ended early: {finding.note}")
    return "\n".join(rows)
