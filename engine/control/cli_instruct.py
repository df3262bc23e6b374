"""``instruct``: one instruction to a broker by hand, through the same gate, journal and limits as a live run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control.printing import complain, log_line, print_json

if TYPE_CHECKING:
    from engine.control.instructing import Instructing

REFUSED, UNKNOWN = 3, 4
"""Exit codes besides 0: provably not done; may or may not have been done."""


def instruct(
    action: Annotated[
        str,
        typer.Argument(
            help="condition_buy, stop_loss_profit, cancel_conditions, reverse_repo or subscribe_ipo. "
            "条件买入、止盈止损、删除条件单、逆回购、新股申购。"
        ),
    ],
    config: Annotated[Path, typer.Option(help="Accounts, gateways, limits and journal, as of live. 配置文件。")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="As instrument=600000.SH target_price=10.5 quantity=100; cancel_conditions takes side=buy. 参数。",
        ),
    ] = None,
    account: Annotated[str, typer.Option(help="Whose broker; default: the only account. 账户。")] = "",
    seconds: Annotated[
        float, typer.Option(help="Real seconds to wait for the outcome; then it is unknown. 等待秒数。", min=0)
    ] = 90,
    arm: Annotated[
        bool, typer.Option("--arm", help="Allow gateways set to real money to trade it. 允许真实资金交易。")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, at the end.")] = False,
) -> None:
    """Send one instruction to a broker and wait for what becomes of it. 向券商下达一条指令并等待结果。

    Exit code 0: done, or standing at the broker; 3: denied, refused or proven not placed; 4: not known, and never sent
    again: the next run over this journal goes on looking. 退出码：0 已完成或已挂单，3 被拒绝，4 结果未知。
    """
    import anyio
    from msgspec.structs import replace

    from engine.control.cli_process import environment
    from engine.control.instructing import Instructing, read_errand
    from engine.control.live_session import Session
    from engine.runtime.settings import load_settings

    settings = replace(load_settings(config), strategies=())
    instructing = Instructing(read_errand(settings, account, action, arguments or ()), seconds)
    session = Session(
        settings, environ=environment(), note=log_line, mode="instruct", arm=arm, record=False,
        watchers=instructing.watchers(),
    )  # fmt: skip
    complain(f"{settings.run.name}: {action} on {instructing.errand.account}, journal {settings.journal_place}")
    anyio.run(lambda: session.conduct(screen=instructing.conduct))
    told = outcome(instructing)
    if as_json:
        print_json(told)
    else:
        typer.echo(sentence(told))
    raise typer.Exit(told["exit_code"])


def outcome(instructing: "Instructing") -> dict[str, Any]:
    """What happened, in names and plain values."""
    from engine.control.instructing import plainly
    from engine.domain.instructions import InstructionState

    errand, report, state = instructing.errand, instructing.report, instructing.state
    done = (InstructionState.DONE, InstructionState.STANDING, InstructionState.ENDED)
    proven_not = (InstructionState.DENIED, InstructionState.REFUSED, InstructionState.NOT_PLACED, None)
    return {
        "client_id": instructing.client_id,
        "account": errand.account,
        "action": str(errand.action.__struct_config__.tag),
        "instrument": errand.instrument,
        "arguments": plainly(errand.action),
        "state": "not_sent" if state is None else state,
        "code": "" if report is None else report.code,
        "reason": "" if report is None else report.reason,
        "details": {} if report is None else report.details,
        "exit_code": 0 if state in done else REFUSED if state in proven_not else UNKNOWN,
    }


def sentence(told: dict[str, Any]) -> str:
    """The same for people, in one line."""
    named = " ".join(f"{key}={value}" for key, value in told["arguments"].items())
    what = " ".join(part for part in (told["action"], told["instrument"], named) if part)
    details = ", ".join(f"{key} {value}" for key, value in told["details"].items())
    why = "; ".join(part for part in (told["reason"], details) if part)
    code = f" [{told['code']}]" if told["code"] else ""
    return f"{told['account']}: {what}: {told['state']}{code}{': ' if why else ''}{why}"
