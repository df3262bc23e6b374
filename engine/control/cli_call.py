"""``call``: one endpoint of one gateway, by name, from the shell."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control.options import split_pairs
from engine.control.printing import log_line, print_json
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from engine.ports import Gateway


def call(
    gateway: Annotated[str, typer.Argument(help="A gateway, as virtual_market. 网关。")],
    route: Annotated[str, typer.Argument(help="A route; none: list them all. 接口名。")] = "",
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="What it takes.")] = None,
    config: Annotated[Path | None, typer.Option(help="Take [gateway.<name>] from this config.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Its address, as http://127.0.0.1:8800.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Call one endpoint and print what came back. 调用网关的任一接口。"""
    import anyio

    opened = open_gateway(gateway, config, base_url)
    if not route:
        routes = dict(opened.routes())
        if as_json:
            print_json({"gateway": gateway, "routes": routes})
        else:
            for name, line in routes.items():
                typer.echo(f"{name:18} {line}")
        return
    pairs = dict(split_pairs("argument", arguments or ()))

    async def ask() -> Any:
        try:
            return await opened.call(route, pairs)
        finally:
            await opened.close()

    answer = anyio.run(ask)
    if as_json:
        print_json({"gateway": gateway, "route": route, "answer": answer})
    else:
        import msgspec

        typer.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())


def open_gateway(name: str, config: Path | None, base_url: str | None) -> "Gateway":
    """The gateway of the config, or one of that kind with default settings; not connected.

    Raises:
        ConfigError: no such gateway, or settings that can not be used.
    """
    import msgspec

    from engine.clock import LiveClock
    from engine.control.cli_process import environment
    from engine.entropy import Entropy
    from engine.gateways import GATEWAYS
    from engine.gateways.surroundings import Surroundings
    from engine.runtime.settings_reading import near

    environ = environment()
    if config is not None:
        from engine.runtime.secret_sources import with_secrets
        from engine.runtime.settings import load_settings

        loaded = load_settings(config)
        known = loaded.gateways
        if name not in known:
            raise ConfigError(f"config {config}: there is no [gateway.{name}]{near(name, known)}")
        settings = known[name].settings
        environ = with_secrets(environ, loaded.alone.secrets, f"config {config}")
    elif name in GATEWAYS:
        settings = GATEWAYS[name]()
    else:
        raise ConfigError(f"there is no gateway {name!r}{near(name, GATEWAYS)}")
    fields = settings.__struct_fields__
    changed: dict[str, Any] = {}
    if base_url is not None:
        changed["base_url" if "base_url" in fields else "url"] = base_url
    if "account" in fields:
        # A call needs no order side; routes that want a login find it in the environment.
        changed["account"] = ""
    settings = msgspec.structs.replace(settings, **changed)
    around = Surroundings(clock=LiveClock(), entropy=Entropy(), environ=environ, note=log_line)
    opened: Gateway = settings.open(around)
    return opened
