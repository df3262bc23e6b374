"""``strategies``: how each stands; stopping one, starting it again, changing its parameters while its run goes on."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control.cli_look import _looked, _show
from engine.control.cli_operator import AsJson, Config, _carry_out
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from engine.runtime.operator_commands import Command

LIST, STOP, START, SET = "list", "stop", "start", "set"


def strategies(
    config: Config,
    action: Annotated[
        str,
        typer.Argument(
            help="list; stop NAME; start NAME: a fresh instance with its saved state; set NAME key=value ...: other "
            "parameters. 列出；停止；以保存的状态重新启动；修改参数。"
        ),
    ] = LIST,
    name: Annotated[str, typer.Argument(help="Which strategy. 策略名称。")] = "",
    values: Annotated[list[str] | None, typer.Argument(help="For set: key=value. 参数=值。")] = None,
    reason: Annotated[str, typer.Option(help="Kept in the journal; list needs none. 原因，写入日志。")] = "",
    as_json: AsJson = False,
) -> None:
    """Strategies: state, positions, profit of the day; stop, start, other parameters. 策略：查看、停止、启动、改参数。

    Exit code 0: done, or so already; 1: no; 2: a mistake, nothing is changed. 退出码：0 完成，1 失败，2 输入有误。
    """
    from engine.control.looking import look

    if action == LIST:
        if name or values:
            raise ConfigError("strategies list takes no name; it shows all of them")
        rows = _looked(config, lambda settings: look(settings, "strategies"))
        _show("strategies 策略", rows, ("name", "account", "state", "positions", "day_profit", "reason"), as_json)
        return
    _carry_out(config, _command(action, name, values or [], reason), False, as_json)


def _command(action: str, name: str, values: list[str], reason: str) -> "Command":
    """
    Raises:
        ConfigError: it is not said what to do, with which strategy, or why.
    """
    from engine.control.operating import operator_name
    from engine.runtime.operator_commands import SetParameters, StartStrategy, StopStrategy

    if action not in (STOP, START, SET):
        raise ConfigError(f"strategies {action}: there is none; write list, stop NAME, start NAME, set NAME key=value")
    if not name:
        raise ConfigError(f"strategies {action}: which one? write its name behind it, as in strategies {action} NAME")
    if not reason:
        raise ConfigError(f"strategies {action} {name}: say why with --reason; it is kept in the journal")
    who = operator_name()
    if action == SET:
        return SetParameters(strategy=name, values=_values(name, values), reason=reason, who=who)
    if values:
        raise ConfigError(f"strategies {action} {name}: takes no {values[0]!r}; parameters are changed by set")
    kind = StartStrategy if action == START else StopStrategy
    return kind(strategy=name, reason=reason, who=who)


def _values(name: str, words: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not key or key in found:
            raise ConfigError(f"strategies set {name}: {word!r}: write each parameter once, as key=value")
        found[key] = value
    if not found:
        raise ConfigError(f"strategies set {name}: no parameter is named; write key=value behind it, as in fast=12")
    return found
