"""``kill``, ``resume``, ``accept``, ``resolve``, ``reconcile``, ``status``: a person's hands on a run or its journal.

A running engine takes them through its inbox; where none runs they act on the journal themselves, and connect the
accounts where that is needed. Exit codes: 0 done; 1 the answer is no, or nothing could be reached; 2 a mistake; 3 say
it once more with the code that was given.
"""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control.options import read_amount
from engine.control.printing import for_people, log_line, print_json

if TYPE_CHECKING:
    from engine.runtime.operator_commands import Command

Config = Annotated[Path, typer.Option(help="The config the engine was started with. 引擎所用的配置文件。")]
Reason = Annotated[str, typer.Option(help="Kept in the journal. 原因，写入日志。")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout. 输出一个 JSON 对象。")]
Arm = Annotated[
    bool, typer.Option("--arm", help="Allow gateways set to real money, where no engine runs. 允许真实资金账户。")
]
OfAccount = Annotated[str, typer.Option("--account", help="One account. 账户。")]
OfStrategy = Annotated[str, typer.Option("--strategy", help="One strategy. 策略。")]
OfSymbol = Annotated[str, typer.Option("--symbol", help="One instrument. 标的。")]
OfAll = Annotated[bool, typer.Option("--all", help="Everything. 全部。")]
Seconds = Annotated[float, typer.Option(help="Real seconds to wait for an account. 每个账户的等待秒数。", min=1)]


def kill(
    config: Config,
    reason: Reason,
    level: Annotated[
        str,
        typer.Option(
            help="reduce: only orders that shrink positions; halt: no new orders; cancel: and withdraw all; flatten: "
            "and close positions (one account, if the config allows it). 级别：只减仓、停止、撤单、平仓。"
        ),
    ] = "halt",
    account: OfAccount = "",
    strategy: OfStrategy = "",
    symbol: OfSymbol = "",
    everything: OfAll = False,
    arm: Arm = False,
    as_json: AsJson = False,
) -> None:
    """Stop trading of a scope; only a person lets it go again. 停止交易，只有人可以恢复。

    Exit code 0: latched, now or before; 1: no. 退出码：0 已锁定，1 失败。
    """
    from engine.control.operating import operator_name, scope_of
    from engine.runtime.operator_commands import Kill

    scope = scope_of(account, strategy, symbol, everything=everything)
    _carry_out(config, Kill(scope=scope, level=level, reason=reason, who=operator_name()), arm, as_json)


def resume(
    config: Config,
    reason: Reason,
    account: OfAccount = "",
    strategy: OfStrategy = "",
    symbol: OfSymbol = "",
    everything: OfAll = False,
    confirm: Annotated[str, typer.Option(help="The code of the first answer, for cancel and flatten. 确认码。")] = "",
    seconds: Seconds = 60,
    arm: Arm = False,
    as_json: AsJson = False,
) -> None:
    """Let a scope go again, if the cause is gone and its accounts reconcile. 原因消除并对平后恢复交易。

    Exit code 0: free; 1: it stays, with the reason; 3: say it once more with --confirm.
    退出码：0 已恢复，1 保持，3 需确认。
    """
    from engine.control.operating import operator_name, scope_of
    from engine.runtime.operator_commands import Resume

    scope = scope_of(account, strategy, symbol, everything=everything)
    command = Resume(scope=scope, reason=reason, confirm=confirm, seconds=seconds, who=operator_name())
    _carry_out(config, command, arm, as_json)


def accept(
    account: Annotated[str, typer.Argument(help="Whose differences. 账户。")],
    config: Config,
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Book what nothing explains as EXTERNAL and free the account. 将无法解释的差额记为 EXTERNAL 并解锁账户。

    Exit code 0: booked, or nothing to accept; 1: no. 退出码：0 已入账或无需确认，1 失败。
    """
    from engine.control.operating import operator_name
    from engine.runtime.operator_commands import Accept

    _carry_out(config, Accept(account=account, reason=reason, who=operator_name()), False, as_json)


def resolve(
    order: Annotated[str, typer.Argument(help="Our id of the order or instruction. 本方委托或指令编号。")],
    outcome: Annotated[
        str,
        typer.Argument(
            help="Of an order: filled, canceled, rejected, expired, not_placed, working, partial; of an instruction: "
            "done, standing, refused, not_placed, ended. 结果。"
        ),
    ],
    config: Config,
    reason: Reason,
    filled: Annotated[int, typer.Option(help="How much is filled in all. 累计成交数量。")] = -1,
    price: Annotated[str, typer.Option(help="The average price of it. 成交均价。")] = "",
    as_json: AsJson = False,
) -> None:
    """Say what became of an order that nobody else can decide. 人工裁定未知或有争议的委托。

    Exit code 0: resolved; 1: no. 退出码：0 已裁定，1 失败。
    """
    from engine.control.operating import operator_name
    from engine.runtime.operator_commands import Resolve

    average: Decimal | None = read_amount("--price", price) if price else None
    command = Resolve(
        client_id=order, outcome=outcome, reason=reason, filled=filled, price=average, who=operator_name()
    )
    _carry_out(config, command, False, as_json)


def reconcile(
    config: Config,
    account: OfAccount = "",
    seconds: Seconds = 60,
    arm: Arm = False,
    as_json: AsJson = False,
) -> None:
    """Read accounts now, compare them with our book, and say what was found. 立即对账并给出报告。

    Exit code 0: book and venue agree; 1: they do not, or an account can not be read. 退出码：0 一致，1 不一致。
    """
    from engine.control.operating import operator_name
    from engine.runtime.operator_commands import Reconcile

    _carry_out(config, Reconcile(account=account, seconds=seconds, who=operator_name()), arm, as_json)


def status(config: Config, as_json: AsJson = False) -> None:
    """Accounts, latches, open orders and the last reconciliations. 账户、锁定、未完成委托与最近对账。

    Exit code 0. 退出码：0。
    """
    from engine.runtime.operator_commands import Status

    _carry_out(config, Status(), False, as_json)


def _carry_out(config: Path, command: "Command", arm: bool, as_json: bool) -> None:
    import anyio
    import msgspec

    from engine.control.cli_process import environment
    from engine.control.operating import carry_out
    from engine.runtime.settings import load_settings

    settings = load_settings(config)
    answer = anyio.run(lambda: carry_out(settings, command, environ=environment(), note=log_line, arm=arm))
    details: dict[str, Any] = msgspec.to_builtins(answer.details)
    if as_json:
        print_json({"answer": answer.text, "exit_code": answer.exit_code, **details})
    else:
        _show(answer.text, details)
    raise typer.Exit(answer.exit_code)


def _show(text: str, details: dict[str, Any]) -> None:
    from engine.control.operator_tables import report_view, status_view

    console = for_people()
    for report in details.get("reports", ()):
        if report is not None:
            console.print(report_view(report))
    if "latches" in details:
        console.print(status_view(details))
    typer.echo(text)
