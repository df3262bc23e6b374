"""``simulate``: serve copies of remote systems on this machine."""

import contextlib
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control.options import read_moment, read_table
from engine.control.printing import complain, print_json
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from engine.clock import LiveClock
    from engine.data.columns import Columns
    from engine.entropy import Entropy
    from engine.simulators import Simulator
    from engine.simulators.exchange import Exchange

SCHEMES = {"stream": "ws"}
ALIASES = {"ht": "huatai"}
"""Other names of simulators."""


def simulate(
    faces: Annotated[
        list[str],
        typer.Argument(help="virtual_market, stream, amazingdata... or all; NAME=PORT. One market. 模拟哪个系统。"),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(help="Port of the first; the next ones follow. 0: any. Default: docs/simulators.md.", min=0),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same prices. 随机种子。")] = None,
    speed: Annotated[float, typer.Option(help="Clock seconds a real second. 时钟倍速。")] = 1.0,
    start: Annotated[str | None, typer.Option(help="Clock at the start, as 2026-03-02T07:55:00+08:00.")] = None,
    anchor: Annotated[str | None, typer.Option(help="Real moment at which it shows --start. Default: now.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Setting of the first, as rate_limits=off; of another: NAME.key=value."),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data", help="Play these bars as the market's prices: CY=cy.csv; may be repeated. 回放行情文件。"
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Take [simulator.<name>] from this config.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print addresses as one JSON object, then serve.")] = False,
) -> None:
    """Serve a simulated remote system until Ctrl-C or SIGTERM (exit code 0). 启动仿真服务器。"""
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
    chosen = faces_and_ports(faces)
    made = simulators(list(chosen), config, read_table("--set", set_ or ()), seed)
    ports = served_at(chosen, port)
    entropy = Entropy(seed)
    market = playing(made, data, clock, entropy) if data else None

    def ready(bound: Mapping[str, int]) -> None:
        urls = {name: f"{SCHEMES.get(name, 'http')}://{host}:{number}" for name, number in bound.items()}
        if as_json:
            print_json({"simulators": urls, "clock": clock_settings})
            return
        for name, url in urls.items():
            complain(f"{name} is served at {url}; stop with Ctrl-C")

    async def serve() -> None:
        await serve_all(made, clock=clock, entropy=entropy, host=host, ports=ports, exchange=market, on_ready=ready)

    anyio.run(until_sigterm, serve)


async def until_sigterm(serve: Callable[[], Awaitable[None]]) -> None:
    """Serve until a service manager says it is enough; what the faces remember is written then, as after Ctrl-C."""
    import asyncio

    import anyio

    with anyio.CancelScope() as scope:
        # Windows has no such handler, nor a service manager that sends the signal.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, scope.cancel)
        await serve()


def playing(made: "dict[str, Simulator]", texts: list[str], clock: "LiveClock", entropy: "Entropy") -> "Exchange":
    """The market of the first face with the bars of files as its prices, each bar at its own time.

    Only the virtual market makes one that plays bars; every face served with it shows the same prices.

    Raises:
        ConfigError: the first face is another one, a text is no CODE=FILE, or a file can not be used.
    """
    from msgspec.structs import replace

    from engine.data.sources import open_bars
    from engine.domain.market import Bar
    from engine.simulators.virtual_market import VirtualMarketSimulator

    first, face = next(iter(made.items()))
    if not isinstance(face, VirtualMarketSimulator):
        raise ConfigError(f"--data: {first} makes no market that plays bars; name virtual_market first, or all")
    bars: dict[str, list[Bar]] = {}
    for text in texts:
        code, equals, file = text.partition("=")
        if not (equals and code and file):
            raise ConfigError(f"--data {text!r}: write CODE=FILE, as CY=cy.csv")
        source = open_bars(file, f"{code}.VSM", tz=face.timezone)
        rows = (row for batch in source.batches() for row in _rows_of(batch))
        bars[code] = [Bar(source.instrument, *row, interval_ns=source.interval_ns) for row in rows]
    face = made[first] = replace(face, market="replay", replay_by="time")
    return face.exchange(clock, entropy, bars=bars)


def _rows_of(batch: "Columns") -> Iterator[tuple[int, float, float, float, float, float]]:
    columns = (batch.ts_ns, batch.open, batch.high, batch.low, batch.close, batch.volume)
    yield from zip(*(column.tolist() for column in columns), strict=True)


def faces_and_ports(texts: list[str]) -> dict[str, int | None]:
    """``all amazingdata=9000`` as every simulator, one of them on a port of its own.

    Raises:
        ConfigError: the part behind an equals sign is no port.
    """
    from engine.simulators import SIMULATORS

    found: dict[str, int | None] = {}
    for text in texts:
        name, equals, port = text.partition("=")
        name = ALIASES.get(name, name)
        if equals and not (port.isascii() and port.isdigit() and int(port) < 65536):
            raise ConfigError(f"{text!r} names no port; write {name}=9000, or 0 for any")
        for each in SIMULATORS if name == "all" else (name,):
            found[each] = int(port) if equals and name != "all" else found.get(each)
    return found


def served_at(chosen: Mapping[str, int | None], first: int | None) -> dict[str, int]:
    """The port of each: its own, else counted on from ``first``, else its default."""
    from engine.simulators import PORTS

    ports: dict[str, int] = {}
    for number, (name, own) in enumerate(chosen.items()):
        counted = PORTS.get(name, 0) if first is None else first + number if first else 0
        ports[name] = counted if own is None else own
    return ports


def simulators(
    names: list[str], config: Path | None, overrides: Mapping[str, Any], seed: int | None
) -> dict[str, "Simulator"]:
    """Settings of each face: its defaults, the config's table, then what was given on the command line.

    There a name means the first face, but for one that is a face itself (``amazingdata.gaps=0``).

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
        table = dict(tables.get(name, {})) | overrides.get(name, {})
        if name == names[0]:
            table |= {key: value for key, value in overrides.items() if key not in names}
            if seed is not None and "seed" in SIMULATORS[name].__struct_fields__:  # type: ignore[attr-defined]
                table.setdefault("seed", seed)
        where = f"config {config}, [simulator.{name}]" if config is not None else f"simulator {name}"
        made[name] = convert(table, SIMULATORS[name], where)
    return made
