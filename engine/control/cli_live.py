"""``live``: trade by a config until stopped."""

from pathlib import Path
from typing import Annotated

import typer

from engine.control.printing import complain, for_people, log_line, print_json

JOURNAL_FAILED = 3
"""Exit code of a run whose journal failed: what was under way is over, the sentinel is written (RELIABILITY 3.1)."""


def live(
    config: Annotated[Path, typer.Option(help="What to trade, where and with which limits. 配置文件。")],
    seconds: Annotated[float | None, typer.Option(help="Stop after this many real seconds.", min=0)] = None,
    accept_rebuild: Annotated[
        bool, typer.Option("--accept-rebuild", help="Set a damaged journal aside and go on from its last good record.")
    ] = False,
    arm: Annotated[
        bool, typer.Option("--arm", help="Allow gateways set to real money to trade it. 允许真实资金交易。")
    ] = False,
    control_port: Annotated[
        int | None,
        typer.Option(help="Serve the control API here; as [control] port. 控制接口端口。", min=0, max=65_535),
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no HTML page at the end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, at the end.")] = False,
) -> None:
    """Trade live or on paper; Ctrl-C stops in order. 实盘或模拟交易。"""
    import anyio

    from engine.control.api.hosting import beside, with_port
    from engine.control.cli_process import environment
    from engine.control.live_session import Session
    from engine.runner import RUN_ENDED
    from engine.runtime.settings import load_settings

    settings = with_port(load_settings(config), control_port)
    control = beside(settings, log_line)
    session = Session(settings, environ=environment(), note=log_line, accept_rebuild=accept_rebuild, arm=arm)
    told = f"profile {settings.risk_profile}, journal {settings.journal_place}"
    complain(f"{settings.run.name}: {told}; stop with Ctrl-C")
    anyio.run(lambda: session.conduct(seconds=seconds, screen=control))
    if session.run.journal.failure:
        why = session.run.journal.failure
        sentence = f"the journal failed ({why}); orders at the broker were left as they are: look there, then resume"
        complain(sentence)
        if as_json:
            print_json({"error": sentence})
        raise typer.Exit(JOURNAL_FAILED)
    page = None if no_report else session.write_report(settings.data_dir / "report.html")
    figures = {**session.figures(), "report": None if page is None else str(page)}
    if as_json:
        print_json(figures)
    else:
        from engine.control.live_screen import summary_table

        for_people().print(summary_table(figures))
    stopped = {seat.name: seat.stopped for seat in session.run.core.runner.seats.values() if seat.stopped}
    for name, reason in stopped.items():
        if reason != RUN_ENDED:
            complain(f"strategy {name} was stopped: {reason}")
