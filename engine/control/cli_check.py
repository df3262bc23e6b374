"""``check``: a config and all it points to; or one order against every limit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control.printing import for_people, print_json
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from engine.runtime.settings import GatewaySettings, Settings

check_app = typer.Typer(
    help="Check a config, or one order against the limits. 检查配置，或检查一笔委托。", invoke_without_command=True
)


@check_app.callback()
def check(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="The config to check. 配置文件。")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Check a config and all it points to; ``check order`` checks one order. 检查配置。"""
    if context.invoked_subcommand is not None:
        if config is not None or as_json:
            raise ConfigError("write --config and --json after the word order, as in: check order --config FILE")
        return
    if config is None:
        raise ConfigError("name what to check: check --config FILE, or check order --instrument ID --side buy ...")
    found = examine(config)
    if as_json:
        print_json(found)
        return
    typer.echo(f"{config} is good: profile {found['profile']}, {len(found['limits'])} limits")
    for name in ("accounts", "gateways", "strategies", "simulators", "data"):
        if found[name]:
            typer.echo(f"  {name}: {', '.join(found[name])}")
    if found["missing_environment"]:
        typer.echo(f"  not set in the environment: {', '.join(found['missing_environment'])}")


def examine(config: Path) -> dict[str, Any]:
    """Read a config, open what it points to on this machine, and connect to nothing.

    Raises:
        ConfigError: one sentence with the place and the mend.
    """
    from engine.runtime.settings import load_settings
    from engine.runtime.settings_data import open_data

    settings = load_settings(config)
    simulated = _simulators(settings)
    missing = [name for gateway in settings.gateways.values() for name in _open_closed(gateway, config)]
    return {
        "ok": True,
        "config": str(config),
        "profile": settings.risk_profile,
        "accounts": list(settings.accounts),
        "gateways": list(settings.gateways),
        "strategies": [row.spec.name for row in settings.strategies],
        "simulators": simulated,
        "data": [str(source.path) for source in open_data(settings)],
        "limits": [limit.name for limit in settings.limits],
        "journal": settings.journal_place,
        "missing_environment": list(dict.fromkeys(missing)),
    }


def _simulators(settings: "Settings") -> list[str]:
    from engine.runtime.settings_reading import convert, near
    from engine.simulators import SIMULATORS

    for name, table in settings.simulators.items():
        where = f"config {settings.path}, [simulator.{name}]"
        if name not in SIMULATORS:
            raise ConfigError(f"{where}: there is no such simulator{near(name, SIMULATORS)}")
        convert(table, SIMULATORS[name], where)
    return list(settings.simulators)


def _open_closed(gateway: "GatewaySettings", config: Path) -> list[str]:
    """Make the gateway with stand-ins for its secrets, so that its settings are judged; gives what is not set."""
    from engine.clock import LiveClock
    from engine.control.cli_process import environment
    from engine.entropy import Entropy
    from engine.gateways.surroundings import Surroundings

    environ = environment()
    fields = gateway.settings.__struct_fields__
    secrets = [getattr(gateway.settings, name) for name in fields if name.endswith("_env")]
    trades = getattr(gateway.settings, "account", "")
    missing = [name for name in secrets if trades and name not in environ and "TOKEN" not in name.upper()]
    stand_in = dict.fromkeys(missing, "not-set")
    around = Surroundings(clock=LiveClock(), entropy=Entropy(), environ={**environ, **stand_in})
    try:
        gateway.settings.open(around)
    except ConfigError as why:
        raise ConfigError(f"config {config}, [gateway.{gateway.name}]: {why}") from why
    return missing


@check_app.command("order")
def check_order(
    instrument: Annotated[str, typer.Option(help="As CY.VSM. 品种。")],
    side: Annotated[str, typer.Option(help="buy, sell, sell_short or buy_back. 方向。")],
    quantity: Annotated[int, typer.Option(help="Whole units. 数量。")],
    price: Annotated[str | None, typer.Option(help="Limit price; none: a market order. 价格。")] = None,
    config: Annotated[Path | None, typer.Option(help="Limits, markets and instruments of this config.")] = None,
    profile: Annotated[
        str | None, typer.Option(help="live, paper or backtest. Default: the config's, or paper.")
    ] = None,
    risk_set: Annotated[list[str] | None, typer.Option(help="rule.key=value. 风控参数。")] = None,
    at: Annotated[str | None, typer.Option(help="Moment of the order. Default: now. 时间。")] = None,
    cash: Annotated[str, typer.Option(help="Cash of the account. 资金。")] = "1000000",
    position: Annotated[int, typer.Option(help="Units held already, all sellable. 持仓。")] = 0,
    mark: Annotated[str | None, typer.Option(help="Latest price. Default: --price. 最新价。")] = None,
    previous_close: Annotated[str | None, typer.Option(help="Yesterday's close, for price limits. 昨收。")] = None,
    market: Annotated[str | None, typer.Option(help="Rule book. Default: the instrument's.")] = None,
    instruments: Annotated[Path | None, typer.Option(help="Default config/instruments.toml.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Every limit's verdict on one order and what it would change; exit code 1 if one says no. 逐条检查风控。"""
    from engine.control.order_check import Question, judge, show

    question = Question(
        instrument=instrument, side=side, quantity=quantity, price=price, config=config, profile=profile,
        risk=risk_set or (), at=at, cash=cash, position=position, mark=mark, previous_close=previous_close,
        market=market, instruments_file=instruments,
    )  # fmt: skip
    answer = judge(question)
    if as_json:
        print_json({name: getattr(answer, name) for name in answer.__struct_fields__})
    else:
        for table in show(answer):
            for_people().print(table)
    raise typer.Exit(0 if answer.allowed else 1)
