"""``watchdog``: watch a live run from another process, and withdraw its orders when it falls silent."""

from pathlib import Path
from typing import Annotated, Any

import typer

from engine.control.printing import complain, for_people, log_line, print_json

CLEAN, NOT_CLEAN = 3, 4
"""Exit codes after the engine fell silent: everything is withdrawn, or something may still be open."""


def watchdog(
    config: Annotated[Path, typer.Option(help="The config of the run to watch. 所监控的运行的配置文件。")],
    stay: Annotated[
        bool, typer.Option("--stay", help="Go on watching after a run that ended in order. 正常结束后继续监控。")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, at the end.")] = False,
) -> None:
    """Watch a live run; cancel its orders if it falls silent in a session. 看门狗：引擎失联时撤销全部挂单。

    Exit codes: 0 the run ended in order, or Ctrl-C; 3 it fell silent and everything is withdrawn; 4 it fell silent and
    something may still be open.
    """
    import anyio

    from engine.runtime.settings import load_settings

    settings = load_settings(config)
    told = anyio.run(_watch, settings, stay)
    if as_json:
        print_json(told)
    else:
        _show(told)
    if told["state"] == "silent":
        raise typer.Exit(CLEAN if told["clean"] else NOT_CLEAN)


async def _watch(settings: Any, stay: bool) -> dict[str, Any]:
    """Look at the heartbeat until there is something to do, and do it."""
    from engine.clock import LiveClock, stopwatch_seconds
    from engine.domain.timestamps import SECOND_NS, duration_ns
    from engine.runtime import heartbeat
    from engine.runtime.watchdog import Sign, Watch, traded_books

    table, folder = settings.safety.watchdog, settings.data_dir
    silence = duration_ns(table.silence) / SECOND_NS
    watch = Watch(traded_books(settings), silence)
    clock, before = LiveClock(), None
    complain(f"watchdog: watching {folder / heartbeat.NAME}; {table.silence} of silence in a session cancel all orders")
    while True:
        sign = watch.look(heartbeat.read(folder), stopwatch_seconds())
        if sign is not before:
            complain(f"watchdog: {_words(sign, watch)}")
            before = sign
        if sign is Sign.ENDED and not stay:
            return {"state": "ended", "reason": watch.beat.ended if watch.beat else "", "accounts": []}
        if sign is Sign.SILENT:
            return await _act(settings, watch)
        await clock.sleep(duration_ns(table.beat) // 2)


async def _act(settings: Any, watch: Any) -> dict[str, Any]:
    """The sentinel first: from then on an engine that wakes up sends nothing new."""
    import msgspec

    from engine.clock import LiveClock
    from engine.control.cli_process import environment
    from engine.entropy import Entropy
    from engine.gateways.surroundings import Surroundings
    from engine.runtime import sentinel
    from engine.runtime.live_settings import armed
    from engine.runtime.secret_sources import with_secrets
    from engine.runtime.watchdog import withdraw_all

    beat = watch.beat
    now_ns = watch.engine_ns(beat)
    cause = f"the engine (process {beat.pid}) gave no sign of life for {watch.silent_seconds:.0f} s"
    written = sentinel.write(settings.data_dir, cause, who="watchdog", ts_ns=now_ns)
    complain(f"watchdog: {cause}; cancelling every working order")
    real = settings.clock.speed == 1.0 and settings.start_ns is None
    clock = LiveClock() if real else LiveClock(speed=beat.speed, start_ns=now_ns)
    environ = with_secrets(environment(), settings.alone.secrets, f"config {settings.path}")
    around = Surroundings(clock=clock, entropy=Entropy(), environ=environ, note=log_line)
    traded = dict.fromkeys(row.gateway for row in settings.accounts.values())
    # Armed: an account of real money is to be withdrawn from as well, and nothing here can place an order.
    gateways = {name: armed(settings.gateways[name].settings, arm=True).open(around) for name in traded}
    found = await withdraw_all(settings, gateways, clock, lambda text: complain(f"watchdog: {text}"))
    return {
        "state": "silent",
        "silence_seconds": round(watch.silent_seconds, 1),
        "pid": beat.pid,
        "sentinel": str(settings.data_dir / sentinel.NAME) if written else None,
        "clean": bool(written) and all(one.clean for one in found),
        "accounts": [msgspec.to_builtins(one) for one in found],
    }


def _words(sign: Any, watch: Any) -> str:
    from engine.runtime.watchdog import Sign

    pid = watch.beat.pid if watch.beat is not None else 0
    return {
        Sign.WAITING: "no run is alive yet",
        Sign.ALIVE: f"process {pid} is alive",
        Sign.QUIET: f"process {pid} is silent, and every market is closed; it counts when one opens",
        Sign.SILENT: f"process {pid} is silent",
        Sign.ENDED: "the run ended in order",
    }[sign]


def _show(told: dict[str, Any]) -> None:
    from rich.table import Table

    if told["state"] == "ended":
        for_people().print(f"The run ended in order: {told['reason']}. 运行已正常结束。")
        return
    word = "everything is withdrawn 已全部撤单" if told["clean"] else "NOT everything is withdrawn 未能全部撤单"
    table = Table(title=f"Silent for {told['silence_seconds']} s: {word}")
    for column in ("account 账户", "clean", "cancelled 已撤", "left 未撤", ""):
        table.add_column(column)
    for row in told["accounts"]:
        table.add_row(
            row["account"], str(row["clean"]), ", ".join(row["cancelled"]), "; ".join(row["left"]), row["text"]
        )
    for_people().print(table)
