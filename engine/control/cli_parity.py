"""``parity``: whether two runs of a strategy decided the same, and where they first did not."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control.cli_report import only_run, records_of
from engine.control.options import read_amount
from engine.control.printing import for_people, for_progress, print_json
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from engine.domain.events import JournalRecord
    from engine.runtime.parity import Deed, Difference, Parity

_A_JOURNAL = "A journal file, postgresql://..., or a config. 日志文件、数据库地址或配置文件。"


def parity(
    a: Annotated[str, typer.Argument(help=_A_JOURNAL)],
    b: Annotated[str, typer.Argument(help="The other one, of the same kinds. 另一份日志。")],
    tolerance: Annotated[str, typer.Option(help="How far times may differ, as 500ms or 2s. 时间容差。")] = "1s",
    price_tolerance: Annotated[str, typer.Option(help="How far fill prices may differ. 成交价容差。")] = "0",
    fills: Annotated[bool, typer.Option("--fills/--no-fills", help="Compare fills too. 是否比较成交。")] = True,
    overlap: Annotated[bool, typer.Option("--overlap", help="Only the time both cover. 只比较重叠时段。")] = False,
    run_a: Annotated[int | None, typer.Option(help="Only this run of A, from 1. A 的第几次运行。")] = None,
    run_b: Annotated[int | None, typer.Option(help="Only this run of B, from 1. B 的第几次运行。")] = None,
    tz: Annotated[str | None, typer.Option(help="Zone of the times shown. 显示所用时区。")] = None,
    schema: Annotated[str, typer.Option(help="Of journals in PostgreSQL. 数据库模式名。")] = "sluice",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Hold two journals against each other, as live against backtest. 逐条比较两份日志（如实盘与回测）的决策。

    Client ids and account names may differ. Exit code 0: the same decisions; 1: the first that differs is named.
    退出码：0 相同，1 显示第一条不同的决策及原因。
    """
    from engine.domain.timestamps import duration_ns
    from engine.runtime.parity import Rule, compare_journals

    try:
        tolerance_ns = 0 if tolerance.strip() in ("0", "0s") else duration_ns(tolerance)
    except ValueError as why:
        raise ConfigError(f"--tolerance: {why}") from why
    rule = Rule(
        tolerance_ns=tolerance_ns,
        fills=fills,
        price_tolerance=read_amount("--price-tolerance", price_tolerance),
        overlap=overlap,
    )
    both = _read(a, b, schema, run_a, run_b)
    found = compare_journals(both[0], both[1], rule)
    zone = tz or _zone(both)
    if as_json:
        print_json(json_of(found))
    else:
        _show(found, (Path(a).name, Path(b).name), zone, for_people())
    raise typer.Exit(0 if found.same else 1)


def _read(a: str, b: str, schema: str, run_a: int | None, run_b: int | None) -> list[list[tuple[int, "JournalRecord"]]]:
    both = []
    with for_progress().status("reading the journals / 读取日志"):
        for place, run in ((a, run_a), (b, run_b)):
            records = list(records_of(place, schema))
            both.append(records if run is None else only_run(records, run, place))
    return both


def _zone(both: list[list[tuple[int, "JournalRecord"]]]) -> str:
    """The zone of the data either names, or UTC."""
    from engine.domain.events import RunStarted

    for records in both:
        for _, record in records:
            if isinstance(record, RunStarted):
                named = [str(row["tz"]) for row in record.data if row.get("tz")]
                if named:
                    return named[0]
    return "UTC"


def json_of(found: "Parity") -> dict[str, Any]:
    """The object of ``--json``."""
    return {
        "same": found.same,
        "compared": found.compared,
        "decisions": {"a": found.decisions[0], "b": found.decisions[1]},
        "outside": {"a": found.outside[0], "b": found.outside[1]},
        "strategies": [{"a": ours, "b": theirs} for ours, theirs in found.strategies],
        "kinds": found.counts,
        "settings": [{"name": row.name, "a": row.a, "b": row.b} for row in found.settings],
        "first": None if found.first is None else _told(found.first),
        "differences": [_told(difference) for difference in found.differences],
    }


def _told(difference: "Difference") -> dict[str, Any]:
    return {
        "strategy": difference.strategy,
        "number": difference.number,
        "at_ns": difference.at_ns,
        "kinds": difference.kinds,
        "why": difference.why,
        "a": _side(difference.a),
        "b": _side(difference.b),
    }


def _side(side: "Deed | None") -> dict[str, Any] | None:
    if side is None:
        return None
    decision = side.decision
    return {
        "kind": decision.kind,
        "ts_ns": decision.ts_ns,
        "client_id": decision.client_id,
        "terms": decision.terms,
        "denied": decision.denied,
        "reason": decision.reason,
        "state": side.state,
        "filled": side.filled,
        "fill_price": str(side.average) if side.filled else None,
    }


def _show(found: "Parity", names: tuple[str, str], tz: str, console: "Console") -> None:
    from rich.table import Table

    def say(text: str, **more: Any) -> None:
        console.print(text, highlight=False, markup=False, **more)

    for row in found.settings:
        say(f"[matching] {row.name} differs / 撮合设置不同: A {row.a or '-'}, B {row.b or '-'}", style="yellow")
    ours, theirs = found.decisions
    told = f"{found.compared:,} pairs of {ours:,} in A ({names[0]}) and {theirs:,} in B ({names[1]})"
    if any(found.outside):
        told += f"; left out, as outside the common time: {found.outside[0]:,} and {found.outside[1]:,}"
    if found.first is None:
        say(f"the same decisions / 决策一致: {told}", style="green")
        if not found.compared:
            say("neither made any decision: nothing was compared / 双方均无决策", style="yellow")
        return
    first = found.first
    say(f"DIFFERENT / 不一致: {told}", style="bold red")
    say(f"first difference: decision {first.number:,} of {first.strategy} / 第一处不同")
    say(f"  A: {_line(first.a, tz)}\n  B: {_line(first.b, tz)}\n  why / 原因: {first.why}")
    table = Table(title="differences by kind / 差异分类", title_justify="left", pad_edge=False)
    table.add_column("kind / 类别", no_wrap=True)
    table.add_column("decisions / 决策数", justify="right")
    for kind, count in found.counts.items():
        table.add_row(kind, f"{count:,}")
    console.print(table)


def _line(side: "Deed | None", tz: str) -> str:
    if side is None:
        return "nothing / 无"
    filled = f", filled {side.filled:,} at {side.average:f}" if side.filled else ""
    return f"{side.decision.text(tz)}{f'  ({side.state}{filled})' if side.state else ''}"
