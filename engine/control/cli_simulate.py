"""``simulate``: serve copies of remote systems on this machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control.options import read_moment, read_table
from engine.control.printing import complain, print_json
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from engine.simulators import Simulator

SCHEMES = {"stream": "ws"}


def simulate(
    faces: Annotated[
        list[str], typer.Argument(help="virtual_market, stream; several share one market. 模拟哪个系统。")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the first; the next ones follow. 0: any.", min=0)] = 8800,
    seed: Annotated[int | None, typer.Option(help="Same seed, same prices. 随机种子。")] = None,
    speed: Annotated[float, typer.Option(help="Clock seconds a real second. 时钟倍速。")] = 1.0,
    start: Annotated[str | None, typer.Option(help="Clock at the start, as 2026-03-02T07:55:00+08:00.")] = None,
    anchor: Annotated[str | None, typer.Option(help="Real moment at which it shows --start. Default: now.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Setting of the first, as rate_limits=off.")] = None,
    config: Annotated[Path | None, typer.Option(help="Take [simulator.<name>] from this config.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print addresses as one JSON object, then serve.")] = False,
) -> None:
    """Serve a simulated remote system until Ctrl-C. 启动仿真服务器。"""
    import anyio

    from engine.clock import LiveClock
    from engine.entropy import Entropy
    from engine.simulators import simulate as serve_all

    clock_settings = {"speed": speed, "start": start, "anchor": anchor}
    if not 0 < speed <= 100_000:
        raise ConfigError(f"--speed {speed} is none; write a number above 0, up to 100000")
    clock = LiveClock(
        speed=speed,
        start_ns=None if start is None else read_moment("--start", start),
        anchor_ns=None if anchor is None else read_moment("--anchor", anchor),
    )
    made = simulators(faces, config, read_table("--set", set_ or ()), seed)
    ports = {name: port + number if port else 0 for number, name in enumerate(made)}

    def ready(bound: Mapping[str, int]) -> None:
        urls = {name: f"{SCHEMES.get(name, 'http')}://{host}:{number}" for name, number in bound.items()}
        if as_json:
            print_json({"simulators": urls, "clock": clock_settings})
            return
        for name, url in urls.items():
            complain(f"{name} is served at {url}; stop with Ctrl-C")

    async def serve() -> None:
        await serve_all(made, clock=clock, entropy=Entropy(seed), host=host, ports=ports, on_ready=ready)

    anyio.run(serve)


def simulators(
    names: list[str], config: Path | None, overrides: Mapping[str, Any], seed: int | None
) -> dict[str, "Simulator"]:
    """Settings of each face: its defaults, the config's table, then what was given on the command line for the first.

    Raises:
        ConfigError: no such simulator, or a setting it does not take.
    """
    from engine.runtime.settings_reading import convert, near
    from engine.simulators import SIMULATORS

    tables: Mapping[str, Mapping[str, Any]] = {}
    if config is not None:
        from engine.runtime.settings import load_settings

        tables = load_settings(config).simulators
    made: dict[str, Simulator] = {}
    for name in dict.fromkeys(names):
        if name not in SIMULATORS:
            raise ConfigError(f"there is no simulator {name!r}{near(name, SIMULATORS)}")
        table = dict(tables.get(name, {}))
        if name == names[0]:
            table |= overrides
            if seed is not None and "seed" in SIMULATORS[name].__struct_fields__:  # type: ignore[attr-defined]
                table.setdefault("seed", seed)
        where = f"config {config}, [simulator.{name}]" if config is not None else f"simulator {name}"
        made[name] = convert(table, SIMULATORS[name], where)
    return made
