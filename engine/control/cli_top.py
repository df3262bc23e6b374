"""``top``: a running engine on the terminal, live, by its API."""

from typing import Annotated, Any

import typer

from engine.control.cli_operator import AsJson, Config
from engine.control.printing import for_people, print_json
from engine.domain.errors import ConfigError

LEVELS = ("run", "reduce", "halt", "cancel", "flatten")


def top(
    config: Config,
    every: Annotated[float, typer.Option(help="Seconds between two looks. 刷新间隔（秒）。", min=0.2)] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end. 只显示一次。")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch a running engine: accounts, positions, orders, limits, health; Ctrl-C ends it. 实时监视。"""
    import anyio

    from engine.control.remote import remote_of
    from engine.runtime.settings import load_settings

    settings = load_settings(config)
    remote = remote_of(settings)
    if remote is None:
        raise ConfigError(
            f"config {config}: no engine with an API runs on it; start one with live --control-port, or write [control]"
        )

    async def watch() -> None:
        from rich.live import Live

        from engine.clock import LiveClock
        from engine.control.remote import Unreachable

        clock, console = LiveClock(), for_people()
        async with remote:
            try:
                if as_json:
                    print_json(await _look(remote))
                elif once or not console.is_terminal:
                    console.print(picture(await _look(remote)))
                else:
                    with Live(picture(await _look(remote)), console=console, auto_refresh=False, screen=True) as live:
                        while True:
                            await clock.sleep(round(every * 1e9))
                            live.update(picture(await _look(remote)), refresh=True)
            except Unreachable as why:
                raise ConfigError(f"the engine at {remote.url} does not answer ({why}); is it still running?") from why

    anyio.run(watch)


async def _look(remote: Any) -> dict[str, Any]:
    return {
        name: await remote.get(path, **query)
        for name, path, query in (
            ("status", "/api/status", {}),
            ("health", "/api/health", {}),
            ("positions", "/api/positions", {}),
            ("orders", "/api/orders", {"limit": 15}),
            ("risk", "/api/risk", {}),
            ("alerts", "/api/alerts", {"limit": 6}),
        )
    }


def picture(told: dict[str, Any]) -> Any:
    """What one look shows, for rich."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    status, health = told["status"], told["health"]
    counts = status["counts"]
    head = Text(f"{status['name']} ({status['mode']})  {status['now']['time'][:19]}  x{status['speed']:g}  ", "bold")
    ready = "ready 就绪" if health["ready"] else "NOT READY 未就绪"
    head.append(ready, "bold green" if health["ready"] else "bold red")
    if status["level"]:
        head.append(f"  level {LEVELS[status['level']]}", "bold red")
    head.append(
        f"  orders {counts['orders']}  fills {counts['fills']}  denied {counts['denied']}  working {counts['working']}"
        f"  loop {health['loop_lag_ms']:.1f} ms  journal +{health['journal_behind']}",
        "dim",
    )
    parts: list[Any] = [head, *(Text(f"! {reason}", "red") for reason in health["reasons"][:6])]
    accounts = Table(
        "account 账户", "equity 权益", "day 当日盈亏", "invested 持仓", "open", "reconciled 对平", pad_edge=False
    )
    for row in status["accounts"]:
        even = "-" if row["reconciled"] is None else "ok" if row["reconciled"]["ok"] else "NO"
        accounts.add_row(
            f"{row['account']} {row['currency']}",
            _money(row["equity"]), _signed(row["day_profit"]), _money(row["invested"]), str(row["open_orders"]), even,
        )  # fmt: skip
    holdings = Table("instrument 标的", "held 持有", "average 均价", "price 现价", "profit 盈亏", pad_edge=False)
    for row in told["positions"]:
        price = "-" if row["price"] is None else f"{row['price']:g}"
        holdings.add_row(
            f"{row['instrument']} {row['name']}", f"{row['quantity']:,}", row["average_price"], price,
            _signed(row["profit"]),
        )  # fmt: skip
    orders = Table(
        "order 委托", "instrument 标的", "side", "quantity 数量", "filled 成交", "state 状态", pad_edge=False
    )
    for row in told["orders"]:
        figures = (str(row["quantity"]), str(row["filled"]), row["state"])
        orders.add_row(row["client_id"], row["instrument"], row["side"], *figures)
    limits = Table("limit 限额", "of", "used", "cap", "", pad_edge=False)
    for row in told["risk"]["gauges"][:6]:
        limits.add_row(row["limit"], row["subject"], f"{row['used']:g}", f"{row['cap']:g}", _bar(row["share"]))
    parts += [accounts, holdings, orders, limits]
    parts += [Text(f"{a['about']}: {a['text']}", "dim", no_wrap=True, overflow="ellipsis") for a in told["alerts"]]
    return Group(*parts)


def _money(value: str | None) -> str:
    return "-" if value is None else f"{float(value):,.2f}"


def _signed(value: str | None) -> Any:
    from rich.text import Text

    # Red rises and green falls, as screens in China have it.
    return "-" if value is None else Text(f"{float(value):+,.2f}", "red" if float(value) > 0 else "green")


def _bar(share: float) -> Any:
    from rich.text import Text

    full = min(20, round(share * 20))
    style = "red" if share >= 0.9 else "yellow" if share >= 0.6 else "green"
    return Text("█" * full + "·" * (20 - full) + f" {share:.0%}", style)
