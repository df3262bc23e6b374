"""``daemon``: trade by a config and by the exchanges' calendars, for weeks, until told to stop."""

from pathlib import Path
from typing import Annotated

import typer

from engine.control.printing import complain, log_line, print_json


def daemon(
    config: Annotated[Path, typer.Option(help="What to trade, where and with which limits. 配置文件。")],
    accept_rebuild: Annotated[
        bool, typer.Option("--accept-rebuild", help="Set a damaged journal aside and go on from its last good record.")
    ] = False,
    arm: Annotated[
        bool, typer.Option("--arm", help="Allow gateways set to real money to trade it. 允许真实资金交易。")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, at the end.")] = False,
) -> None:
    """Run by the calendar until SIGTERM; SIGHUP reloads config and strategies. 守护进程：按交易日历长期运行。

    Exit codes: 0 stopped in order; 2 a mistake in the config, or another daemon has the data directory; 3 the journal
    failed. 退出码：0 正常停止；2 配置错误或目录已被占用；3 日志失败。
    """
    import sys

    import anyio

    from engine.control.cli_process import environment
    from engine.control.daemon import Daemon
    from engine.control.daemon_files import no_core_dumps
    from engine.runtime.settings import load_settings

    # A source file edited twice within a second must not be taken for its compiled form of before.
    sys.dont_write_bytecode = True
    no_core_dumps()
    settings = load_settings(config)
    made = Daemon(settings, environ=environment(), note=log_line, arm=arm, accept_rebuild=accept_rebuild)
    complain(f"{settings.run.name}: daemon, profile {settings.risk_profile}, journal {settings.journal_place}")
    code = anyio.run(made.run)
    if as_json:
        print_json({"exit": code, "runs": made.runs, "data_dir": str(settings.data_dir)})
    if code:
        complain("the journal failed; orders at the broker were left as they are: look there, then resume")
        raise typer.Exit(code)
