"""``demo``: a simulator in a process of its own, and the live runtime trading against it over HTTP."""

import enum
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from engine.control.printing import complain, for_people, log_line, print_json
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from engine.control.live_session import Screen, Session
    from engine.runtime.settings import Settings


class DemoGateway(enum.StrEnum):
    VIRTUAL_MARKET = "virtual_market"
    FUTU = "futu"
    EASYTHS = "easyths"
    HUATAI = "huatai"
    ALL = "all"


CONFIGS = {
    DemoGateway.VIRTUAL_MARKET: Path("config/demo.toml"),
    DemoGateway.FUTU: Path("config/demo-futu.toml"),
    DemoGateway.EASYTHS: Path("config/demo-easyths.toml"),
    DemoGateway.HUATAI: Path("config/demo-huatai.toml"),
    DemoGateway.ALL: Path("config/demo-all.toml"),
}
READY_SECONDS = 60


def demo(
    seconds: Annotated[float, typer.Option(help="Real seconds to trade. 运行秒数。", min=1)] = 30,
    gateway: Annotated[
        DemoGateway, typer.Option(help="futu: pushes, a cut; easyths, huatai: A shares; all: four brokers. 网关。")
    ] = DemoGateway.VIRTUAL_MARKET,
    config: Annotated[Path | None, typer.Option(help="Default config/demo.toml, or demo-<gateway>.toml.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the prices. Default: the config's.")] = None,
    control_port: Annotated[
        int | None, typer.Option(help="Serve the dashboard here; 0: a free port. 网页面板端口。", min=0, max=65_535)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, at the end.")] = False,
) -> None:
    """Watch a strategy trade on a simulated market. 演示：策略在仿真市场上交易。

    Exit code 1: nothing was filled. 退出码 1：没有成交。
    """
    import anyio

    from engine.control.api.hosting import with_port
    from engine.runtime.settings import load_settings

    settings = with_port(load_settings(config or CONFIGS[gateway]), control_port)
    session = anyio.run(_play, settings, seconds, seed, as_json)
    page = session.write_report(settings.data_dir / "report.html")
    figures = {**session.figures(), "report": str(page)}
    if as_json:
        print_json(figures)
    else:
        _tell(figures, page)
    if not figures["fills"]:
        complain(
            f"demo: nothing was filled: {seconds:g} s at {session.clock.speed:g} times real speed were too few, or the "
            "machine is busy with other things; try --seconds 60"
        )
        raise typer.Exit(1)


def _tell(figures: Mapping[str, Any], page: Path) -> None:
    from engine.control.live_screen import summary_table, told_table

    console = for_people()
    console.print(summary_table(figures))
    told = told_table(figures)
    if told is not None:
        console.print(told)
    console.print(f"report / 报告: {page}", highlight=False)


async def _play(settings: "Settings", seconds: float, seed: int | None, as_json: bool) -> "Session":
    from msgspec.structs import replace

    from engine.clock import LiveClock
    from engine.control.api.hosting import beside
    from engine.control.live_session import Session

    control = beside(settings, log_line)
    _clear(settings)
    anchor_ns = LiveClock().now_ns
    async with _simulator(settings, anchor_ns, seed) as urls:
        gateways = {
            name: replace(gateway, settings=_pointed(gateway.settings, urls[gateway.kind]))
            for name, gateway in settings.gateways.items()
            if gateway.kind in urls
        }
        told = replace(settings, gateways={**settings.gateways, **gateways})
        clock = LiveClock(speed=settings.clock.speed, start_ns=settings.start_ns, anchor_ns=anchor_ns)
        quiet = as_json or for_people().is_terminal
        session = Session(
            told, environ=credentials_of(told), note=_silent if quiet else log_line, clock=clock, mode="demo"
        )
        screens = [control, None if as_json else _screen]
        await session.conduct(seconds=seconds, screen=partial(_together, [one for one in screens if one is not None]))
    return session


async def _together(screens: "Sequence[Screen]", session: "Session") -> None:
    import anyio

    async with anyio.create_task_group() as tasks:
        for screen in screens:
            tasks.start_soon(screen, session)


async def _screen(session: "Session") -> None:
    console = for_people()
    if not console.is_terminal:
        complain(f"demo: trading at {session.clock.speed:g} times real speed; no terminal, so no live table")
        return
    from engine.control.live_screen import watch

    await watch(session, console)


def _silent(_text: str, _fields: Mapping[str, Any]) -> None:
    """The table has the screen for itself."""


def _clear(settings: "Settings") -> None:
    """Each demo begins anew: a market that is made up again has no past to reconcile with.

    Raises:
        ConfigError: the journal is no demo's, or another demo holds it.
    """
    from engine.journal.lock import ProcessLock
    from engine.runtime import sentinel
    from engine.runtime.recorded import recordings_in

    if settings.run.profile == "live":
        raise ConfigError(f"config {settings.path}: profile live is no demo; take config/demo.toml")
    if settings.journal.kind == "postgres":
        raise ConfigError(f"config {settings.path}, [journal]: a demo begins with an empty journal; remove url")
    path = settings.journal_path
    if settings.data_dir not in path.parents:
        raise ConfigError(f"config {settings.path}, [journal] path: a demo's journal is within {settings.data_dir}")
    if not path.parent.exists():
        return
    lock = ProcessLock(path.with_name(f"{path.name}.lock"), f"the journal {path}")
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}.halt"):
        path.with_name(name).unlink(missing_ok=True)
    sentinel.clear(settings.data_dir)
    for old in recordings_in(settings.data_dir):
        old.unlink()
    lock.release()


def _pointed(settings: Any, url: str) -> Any:
    from msgspec.structs import replace

    if "base_url" not in settings.__struct_fields__:
        return replace(settings, url=f"{url}/stream")
    return replace(settings, base_url=url + urlsplit(settings.base_url).path)


def credentials_of(settings: "Settings") -> dict[str, str]:
    """The simulator's own users: nothing secret, and nothing of the user's environment reaches a demo."""
    from engine.simulators.amazingdata.platform import User as AmazingDataUser
    from engine.simulators.futu import EXAMPLE_TOKEN
    from engine.simulators.virtual_market import User

    found: dict[str, str] = {}
    for gateway in settings.gateways.values():
        if gateway.kind == "virtual_market":
            users = settings.simulators.get(gateway.kind, {}).get("users") or [{}]
            user = User(**users[0])
            found |= {gateway.settings.user_env: user.login, gateway.settings.password_env: user.password}
        elif gateway.kind == "futu":
            found[gateway.settings.token_env] = EXAMPLE_TOKEN
        elif gateway.kind == "amazingdata":
            admin = AmazingDataUser()
            found |= {gateway.settings.user_env: admin.username, gateway.settings.password_env: admin.password}
    return found


@asynccontextmanager
async def _simulator(settings: "Settings", anchor_ns: int, seed: int | None) -> AsyncIterator[dict[str, str]]:
    """The simulators of the config in one process of their own, on free ports; gives their addresses by kind.

    Raises:
        ConfigError: it did not start.
    """
    import anyio
    import msgspec
    from anyio.streams.buffered import BufferedByteReceiveStream

    from engine.control.cli_process import environment
    from engine.domain.timestamps import format_time

    if not settings.simulators or settings.start_ns is None:
        raise ConfigError(f"config {settings.path}: a demo needs [simulator.<kind>] and [clock] start")
    seed = seed if seed is not None else settings.run.seed
    command = [
        sys.executable, "-m", "engine.control.cli", "simulate", *settings.simulators, "--config", str(settings.path),
        "--port", "0", "--speed", str(settings.clock.speed), "--start", format_time(settings.start_ns),
        "--anchor", str(anchor_ns), "--json", *([] if seed is None else ["--seed", str(seed)]),
    ]  # fmt: skip
    environ = dict(environment())
    here = str(Path(__file__).parents[2])
    environ["PYTHONPATH"] = f"{here}:{environ['PYTHONPATH']}" if environ.get("PYTHONPATH") else here
    process = await anyio.open_process(command, stderr=None, stdin=subprocess.DEVNULL, env=environ)
    try:
        assert process.stdout is not None
        try:
            with anyio.fail_after(READY_SECONDS):
                line = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 65_536)
        except (TimeoutError, anyio.IncompleteRead, anyio.EndOfStream) as why:
            raise ConfigError("the simulator did not start; run it alone to see why: simulate <name>") from why
        yield msgspec.json.decode(line)["simulators"]
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.terminate()
            await process.aclose()
