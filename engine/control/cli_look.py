"""``orders positions fills logs flatten``: looking at a run, and closing its positions.

They ask the API of the engine that runs on the config; where there is none they read its journal, beside the engine or
without one.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control.cli_operator import Arm, AsJson, Config, Reason, _carry_out
from engine.control.printing import for_people, print_json

if TYPE_CHECKING:
    from engine.runtime.settings import Settings

PLACES = {"average_price": 4, "value": 2, "profit": 2}
FIGURES = frozenset({"quantity", "filled", "sellable", "price", "fee", *PLACES})
OfAccount = Annotated[str, typer.Option("--account", help="One account. 账户。")]
Rows = Annotated[int, typer.Option("--limit", help="At most so many rows. 最多行数。", min=1, max=500)]


def orders(
    config: Config,
    state: Annotated[str, typer.Option(help="open, ended, denied, all. 状态。")] = "open",
    account: OfAccount = "",
    limit: Rows = 50,
    as_json: AsJson = False,
) -> None:
    """Orders as they stand, the newest first. 委托。"""
    from engine.control.looking import look

    rows = _looked(config, lambda settings: look(settings, "orders", state=state, account=account, limit=limit))
    columns = ("client_id", "instrument", "side", "quantity", "filled", "price", "average_price", "state", "reason")
    _show("orders 委托", rows, columns, as_json)


def positions(config: Config, account: OfAccount = "", as_json: AsJson = False) -> None:
    """What accounts hold. 持仓。"""
    from engine.control.looking import look

    rows = _looked(config, lambda settings: look(settings, "positions", account=account))
    columns = ("account", "instrument", "name", "quantity", "sellable", "average_price", "price", "value", "profit")
    _show("positions 持仓", rows, columns, as_json)


def fills(config: Config, account: OfAccount = "", limit: Rows = 50, as_json: AsJson = False) -> None:
    """Our executions, the newest first. 成交。"""
    from engine.control.looking import look

    rows = _looked(config, lambda settings: look(settings, "fills", account=account, limit=limit))
    _show("fills 成交", rows, ("at", "client_id", "instrument", "side", "quantity", "price", "fee"), as_json)


def logs(config: Config, limit: Rows = 50, as_json: AsJson = False) -> None:
    """The last lines of the run's log. 最近日志。"""
    from engine.control.looking import look

    rows = _looked(config, lambda settings: look(settings, "logs", limit=limit))
    if as_json:
        print_json({"logs": rows})
        return
    for row in rows:
        told = " ".join(f"{key}={value}" for key, value in row.items() if key not in ("time", "event", "level"))
        typer.echo(f"{row.get('time', '')} {row.get('event', '')}  {told}".rstrip())


def flatten(
    account: Annotated[str, typer.Argument(help="Whose positions. 账户。")],
    config: Config,
    reason: Reason,
    confirm: Annotated[str, typer.Option(help="The account's id, typed once more. 再次输入账户以确认。")] = "",
    arm: Arm = False,
    as_json: AsJson = False,
) -> None:
    """Withdraw everything and close an account's positions, if the config allows it. 撤单并平仓。

    Exit code 0: latched; 1: no; 3: say it once more with --confirm. 退出码：0 已锁定，1 失败，3 需确认。
    """
    from engine.control.operating import operator_name
    from engine.runtime.operator_commands import Kill

    if confirm != account:
        text = f"flatten closes the positions of {account}; say the same once more with --confirm {account}"
        if as_json:
            print_json({"answer": text, "exit_code": 3, "confirm": account})
        else:
            typer.echo(text)
        raise typer.Exit(3)
    command = Kill(scope=f"account:{account}", level="flatten", reason=reason, who=operator_name())
    _carry_out(config, command, arm, as_json)


def _looked(config: Path, ask: Callable[["Settings"], Any]) -> list[dict[str, Any]]:
    import anyio

    from engine.runtime.settings import load_settings

    settings = load_settings(config)

    async def asked() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await ask(settings)
        return rows

    return anyio.run(asked)


def _show(title: str, rows: Sequence[dict[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    if as_json:
        print_json({title.split(maxsplit=1)[0]: list(rows)})
        return
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column in FIGURES else "left")
    for row in rows:
        table.add_row(*(_cell(row.get(column), PLACES.get(column)) for column in columns))
    for_people().print(table if rows else f"{title}: none 无")


def _cell(value: Any, places: int | None) -> str:
    if value is None:
        return "-"
    if places is not None:
        # Rounded for the eye; ``--json`` has every digit.
        return f"{round(Decimal(value), places):,f}"
    if isinstance(value, dict):
        return str(value.get("time") or ", ".join(f"{count} {name}" for name, count in value.items()) or "-")
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
