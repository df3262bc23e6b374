"""``notify test``: one message to every channel of a config, to see that it arrives."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control.printing import complain, for_people, print_json

if TYPE_CHECKING:
    from engine.runtime.settings import Settings

notify_app = typer.Typer(help="Notices to people. 通知。", no_args_is_help=True)


@notify_app.callback()
def _notify() -> None:
    """Notices to people. 通知。"""


@notify_app.command("test")
def send_test(
    config: Annotated[Path, typer.Option(help="Its [notices] table says to whom. 配置文件。")],
    to: Annotated[str | None, typer.Option(help="Only this channel. Default: all. 只测此渠道。")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Send one message with a picture to each channel; exit code 1 if one does not get through. 发送测试通知。"""
    import anyio

    from engine.runtime.settings import load_settings

    settings = load_settings(config)
    told = anyio.run(_send, settings, to)
    failed = {name: why for name, why in told.items() if why}
    if as_json:
        print_json({"channels": told, "ok": not failed})
    else:
        for name, why in told.items():
            for_people().print(f"{name}: {why or 'sent 已发送'}", highlight=False)
    if not told:
        complain(f"config {config} has no [notices.to.*]: nobody is told anything")
    raise typer.Exit(1 if failed or not told else 0)


async def _send(settings: "Settings", only: str | None) -> dict[str, str]:
    from engine.clock import LiveClock
    from engine.control.cli_process import environment
    from engine.control.notices.desk import Desk, ways_of
    from engine.control.notices.notice import Notice, Severity
    from engine.control.notices.picture import equity_picture
    from engine.domain.errors import ConfigError
    from engine.domain.timestamps import HOUR_NS
    from engine.runtime.settings_reading import near

    table = settings.alone.notices
    ways = ways_of(table, environment(), f"config {settings.path}")
    if only is not None and only not in table.to:
        raise ConfigError(f"--to {only}: the config has no such channel{near(only, table.to)}")
    now_ns = LiveClock().now_ns
    curve = [(now_ns + (hour - 4) * HOUR_NS, 100.0 + hour * (1.5 - hour / 4)) for hour in range(5)]
    picture = equity_picture({"example": curve}, title="a test: no account", timezone=table.timezone)
    notice = Notice(
        severity=Severity.INFO, about="test", text="This is a test. 这是一条测试通知。", ts_ns=now_ns, picture=picture
    )
    desk = Desk(ways, table, name=settings.run.name)
    told: dict[str, Any] = {way.name: await desk.send_now(way, notice) for way in ways if only in (None, way.name)}
    await desk.close()
    return told
