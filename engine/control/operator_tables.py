"""Reconciliations and the state of the engine as tables for people, Chinese and English side by side."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text


def report_view(report: Mapping[str, Any]) -> RenderableType:
    """One account's reconciliation, from its JSON form."""
    state = "agrees 一致" if report["ok"] else "NOT RECONCILED 未对平"
    head = Text(f"{report['account']}  {state}", style="bold green" if report["ok"] else "bold red")
    parts: list[RenderableType] = [head, Text(f"read at 读取时间 {moment(report['read_ns'])}")]
    if report["doubt"]:
        parts.append(Text(f"not decided yet 尚未判定: {report['doubt']}", style="yellow"))
    parts.append(_differences("Holdings 持仓", report["holdings"]))
    parts.append(_differences("Cash 资金", report["cash"]))
    parts.append(_orders("Open orders, ours 本方未完成委托", report["ours_open"]))
    if report["venue_open"] is None:
        parts.append(Text("the venue lists no orders 该交易所不提供委托列表", style="dim"))
    else:
        parts.append(_orders("Open orders at the venue 柜台未完成委托", report["venue_open"]))
    parts.append(_orders("Orders of others 他人委托", report["strangers"]))
    for text in report["booked"]:
        parts.append(Text(f"booked 已入账: {text}"))
    for row in report["held"]:
        parts.append(Text(f"HELD 待确认: {signed(row)} {row['what']}, {row['text']}", style="bold red"))
    if report["held"]:
        command = f'run.py accept {report["account"]} --config ... --reason "..."'
        parts.append(Text(f"account latched 账户已锁定; to accept 确认命令: {command}", style="bold"))
    return Group(*parts)


def status_view(told: Mapping[str, Any]) -> RenderableType:
    """``status`` from its JSON form."""
    parts: list[RenderableType] = [Text(f"now 现在 {moment(told['now_ns'])}")]
    latches = _table("Latches 锁定", ("scope 范围", "level 级别", "by 由", "cause 原因", "since 自"))
    for latch in told["latches"]:
        latches.add_row(latch["scope"], latch["level"], latch["who"], latch["cause"], moment(latch["ts_ns"]))
    parts.append(latches if told["latches"] else Text("nothing is latched 无锁定", style="green"))
    accounts = _table(
        "Accounts 账户", ("account 账户", "cash 资金", "positions 持仓", "open 未完成", "last reconciliation 最近对账")
    )
    for row in told["accounts"]:
        accounts.add_row(
            f"{row['account']} ({row['gateway']})",
            ", ".join(f"{amount} {currency}" for currency, amount in row["cash"].items()),
            ", ".join(f"{count} {name}" for name, count in row["positions"].items()) or "-",
            str(len(row["open_orders"])),
            _reconciled(row["reconciled"]),
        )
    parts.append(accounts)
    for row in told["accounts"]:
        if row["open_orders"]:
            parts.append(_orders(f"{row['account']}: open orders 未完成委托", row["open_orders"]))
        for text in row["held"]:
            advice = f'run.py accept {row["account"]} --config ... --reason "..."'
            parts.append(Text(f"HELD 待确认: {row['account']} {text}; {advice}", style="bold red"))
        for name in row["to_resolve"]:
            advice = f'run.py resolve {name} OUTCOME --config ... --reason "..."'
            parts.append(Text(f"unknown or disputed 待裁定: {name}; {advice}", style="bold yellow"))
    for known in told["instructions"]:
        parts.append(Text(f"instruction 指令 {known['client_id']} {known['action']}: {known['state']}"))
    return Group(*parts)


def moment(ts_ns: int) -> str:
    """UTC to the second."""
    return f"{datetime.fromtimestamp(ts_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC" if ts_ns else "-"


def signed(row: Mapping[str, Any]) -> str:
    return f"{_difference(row):+f}"


def _difference(row: Mapping[str, Any]) -> Decimal:
    return (Decimal(row["theirs"]) - Decimal(row["ours"])).normalize()


def _reconciled(last: Mapping[str, Any] | None) -> str:
    if last is None:
        return "never 从未"
    return f"{'' if last['ok'] else 'NOT OK 未对平: '}{last['text']} ({moment(last['ts_ns'])})"


def _table(title: str, columns: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _differences(title: str, rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    if not rows:
        return Text(f"{title}: none 无", style="dim")
    table = _table(title, ("", "ours 本方", "venue 柜台", "difference 差额", "explanation 说明"))
    for row in rows:
        difference = _difference(row)
        told = f"{difference:+f}" if difference else "-"
        style = "" if row["explained"] else "bold red"
        table.add_row(row["what"], row["ours"], row["theirs"], told, row["text"], style=style)
    return table


def _orders(title: str, rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    if not rows:
        return Text(f"{title}: none 无", style="dim")
    table = _table(
        title,
        ("order 委托", "instrument 标的", "side 方向", "quantity 数量", "filled 成交", "price 价格", "state 状态"),
    )
    for row in rows:
        price = row["price"] or "-"
        figures = (str(row["quantity"]), str(row["filled"]), price, row["state"])
        table.add_row(row["name"], row["instrument"], row["side"], *figures)
    return table
